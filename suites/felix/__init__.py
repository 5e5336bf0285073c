"""Felix of every node: its endpoints over each family, whether it follows, and its modes."""
