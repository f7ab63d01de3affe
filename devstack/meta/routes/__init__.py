"""The addresses of the stand-in, by subject."""
