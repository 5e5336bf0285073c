"""Services of a run, their backends, and what each must look like."""
