"""Inbound: Meta's endpoint, its callbacks applied, contacts, conversations."""
