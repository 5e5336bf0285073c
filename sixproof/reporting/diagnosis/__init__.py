"""From wrong cells to the place that explains them, and the sentence that says so."""
