"""Services of type LoadBalancer: their addresses of each family, and who is answered there."""
