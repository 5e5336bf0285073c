"""Path MTU: what a path carries, and who says that a packet is too big."""
