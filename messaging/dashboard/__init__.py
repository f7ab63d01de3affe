"""The dashboard's pages about messages."""
