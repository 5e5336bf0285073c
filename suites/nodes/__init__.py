"""Nodes have addresses of each family, and everything reaches them there."""
