"""What a node's kernel does by itself: routes, neighbours, devices, settings, tracking."""
