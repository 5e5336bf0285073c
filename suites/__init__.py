"""Live tests: what must hold on a cluster, a folder a concern."""
