"""What time does to rows."""
