"""The server: ports that answer probes, and the log of those that arrived."""
