"""Messages, from accepted to delivered: what Hermod exists for."""
