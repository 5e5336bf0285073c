"""Matrices in results.json, and the tables that their cells refer to."""
