"""Upkeep of rows as time goes by: expiry, retention."""
