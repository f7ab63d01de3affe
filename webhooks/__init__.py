"""What comes in from Meta (and, later, what goes out to customers)."""
