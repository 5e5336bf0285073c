"""Pods, services and namespaces of a run: their content, their placement, their removal."""
