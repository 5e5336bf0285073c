"""What policies look at: namespaces, nodes, pods, services, addresses and networks."""
