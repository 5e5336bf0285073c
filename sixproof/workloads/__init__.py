"""Pods, services and namespaces of a run: what they are made of, where they go, how they end."""
