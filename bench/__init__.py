"""`make bench`: what Hermod does in numbers, each beside a baseline measured in the same run."""
