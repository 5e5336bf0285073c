"""Services of type LoadBalancer: their addresses of each family, and which clients they answer."""
