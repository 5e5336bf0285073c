"""The harness against a broken bed: each fault must be reported as what it is, and where it is."""
