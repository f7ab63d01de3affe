"""The accounts' API views."""
