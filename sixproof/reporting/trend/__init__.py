"""The trend of many runs on one cluster: what a nightly job's history shows."""
