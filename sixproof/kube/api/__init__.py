"""Requests to the API server, and the content of its objects."""
