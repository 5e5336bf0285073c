"""The nodes' network: a bridge, the fence around it, and a container outside the cluster."""
