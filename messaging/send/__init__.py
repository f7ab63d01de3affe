"""The engine: claims, worker, outcomes, pacing."""
