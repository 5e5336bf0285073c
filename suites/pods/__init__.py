"""Pods reach pods: the first promise of the Kubernetes network model, in each family."""
