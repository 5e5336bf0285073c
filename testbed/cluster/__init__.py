"""The kind cluster: its nodes, network plugin and DNS, and whether all of it works."""
