"""Accepting messages: drafts become rows."""
