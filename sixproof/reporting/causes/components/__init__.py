"""What runs on nodes: daemons, CoreDNS, EndpointSlices, pods, our own agents."""
