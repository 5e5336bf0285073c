"""What a node's kernel does with packets by itself: routes, neighbours, devices, settings, tracking."""
