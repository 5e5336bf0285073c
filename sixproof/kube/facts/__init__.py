"""What a cluster is: discovery, preflight, permissions, policies, pods and their events."""
