"""Faults of the network, one file each: injected, proven, undone from state on the nodes."""
