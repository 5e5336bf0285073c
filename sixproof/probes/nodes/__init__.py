"""Nodes: what their kernels would do with a packet, and the health of their daemons."""
