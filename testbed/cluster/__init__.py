"""The kind cluster: its nodes, Calico and DNS in it, and whether all of it works."""
