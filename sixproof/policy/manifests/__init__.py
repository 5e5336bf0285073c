"""Untrusted manifests: read with bounds, sorted, checked, audited."""
