"""Nodes: what their kernels would do with a packet, and how their daemons do."""
