"""Nodes: examined when something failed, to tell why."""
