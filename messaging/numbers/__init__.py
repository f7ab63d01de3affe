"""What Meta says of a number."""
