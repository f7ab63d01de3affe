"""Starts the whole of Hermod on one machine."""
