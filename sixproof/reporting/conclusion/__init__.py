"""The conclusion of a run: from what failed and what nodes say to causes, the first one first."""
