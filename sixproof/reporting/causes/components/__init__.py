"""What runs on nodes and in the cluster: daemons, CoreDNS, EndpointSlices, pods."""
