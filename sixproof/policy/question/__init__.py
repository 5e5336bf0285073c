"""A question asked by hand, and its answer in words."""
