"""The policy APIs of Kubernetes: NetworkPolicy, AdminNetworkPolicy, BaselineAdminNetworkPolicy."""
