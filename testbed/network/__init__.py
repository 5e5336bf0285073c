"""What nodes stand on: a bridge, the fence around it, and a container outside the cluster."""
