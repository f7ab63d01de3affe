"""Development stack, never imported in production: launcher, stand-ins for Meta and Stripe."""
