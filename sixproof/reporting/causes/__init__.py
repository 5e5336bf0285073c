"""Causes that are known, a file each: what facts show one, and which failures it explains."""
