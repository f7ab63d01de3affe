"""What Meta calls us with."""
