"""Callbacks that come in: one inbox, its archive."""
