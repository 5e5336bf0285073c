"""Policies that were in the cluster before the run, and which flows they close."""
