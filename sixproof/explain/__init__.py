"""``python -m sixproof explain``: files and a question in, a verdict with its reasons out."""
