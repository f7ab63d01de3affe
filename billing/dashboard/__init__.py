"""The dashboard's pages about money."""
