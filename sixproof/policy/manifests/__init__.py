"""Manifests that nobody vouches for: read with bounds, sorted, checked, audited."""
