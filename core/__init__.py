"""What every app stands on; imports none of them."""
