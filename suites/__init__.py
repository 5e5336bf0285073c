"""Live tests: what must hold on a cluster, one folder per concern."""
