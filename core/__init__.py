"""Core: every app stands on it, it imports none of them."""
