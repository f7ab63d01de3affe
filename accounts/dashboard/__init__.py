"""The dashboard's pages about the account."""
