"""Policies of a run: cases, random ones, the user's own, and the pods that they select."""
