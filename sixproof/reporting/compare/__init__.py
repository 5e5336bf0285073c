"""Two runs side by side: what is new, still there, changed, gone, and what cannot be compared."""
