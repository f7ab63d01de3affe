"""What `make run` needs and production never imports: launcher, stand-ins for Meta and Stripe."""
