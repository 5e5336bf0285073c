"""Evaluation: policies compiled once, asked about flows."""
