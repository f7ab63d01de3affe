"""What every page for people is made of."""
