"""Your own applications: whether they work over each family (--six-applications)."""
