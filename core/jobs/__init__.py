"""Long-running workers: their loop, wake-ups, threads, shutdown."""
