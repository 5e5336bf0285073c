"""Causes that are not the network: what should have measured, or answered, did not."""
