"""A stand-in for Meta's WhatsApp Cloud API, to develop and test against; it imports nothing of ours."""
