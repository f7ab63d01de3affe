"""A stand-in for Stripe: an address, not a branch in our code. Imports nothing of ours."""
