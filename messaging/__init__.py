"""What Hermod exists for: messages, from accepted to delivered."""
