"""Requests to the API server, and what its objects hold."""
