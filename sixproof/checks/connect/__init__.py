"""Connect: flows, what they must have carried, and how nodes are examined when some failed."""
