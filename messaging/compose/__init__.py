"""Composing: from what somebody wants sent to what Meta is told."""
