"""Proves, with evidence, whether IPv6 and dual stack really work in a Kubernetes cluster."""

__version__ = "0.1.0"
