"""Calico's own state: its IPAM, endpoints and routes, compared with pods and kernels."""
