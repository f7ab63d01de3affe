"""Templates as Meta stores them."""
