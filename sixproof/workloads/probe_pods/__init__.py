"""Probe pods: where they go, what they are made of, and how they end."""
