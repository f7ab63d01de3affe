"""Status of a message: transitions, timeline, daily totals, events."""
