"""What somebody may do: plans and their limits."""
