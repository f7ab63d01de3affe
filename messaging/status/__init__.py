"""What becomes of a message: transitions, timeline, totals, events."""
