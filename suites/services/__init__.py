"""Services reach their backends: every form of service, in each family."""
