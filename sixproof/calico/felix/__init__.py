"""Felix: its settings, whether they are sound, where it listens, and its metrics."""
