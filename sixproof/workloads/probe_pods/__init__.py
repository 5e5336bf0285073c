"""Probe pods: where they run, what they consist of, and how they end."""
