"""Path MTU: what a path carries, and which node reports that a packet is too big."""
