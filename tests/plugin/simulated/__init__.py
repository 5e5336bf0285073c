"""A simulated cluster behind an API server's edge: objects, a network, agents that answer for pods.

Nothing here is what the harness itself believes of a cluster but for the policies, which the oracle
enforces: what is tested with it is the plugin, not the network.
"""
