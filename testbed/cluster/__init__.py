"""The kind cluster: its nodes, the network plugin and DNS in it, and whether all of it works."""
