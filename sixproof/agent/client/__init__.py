"""The client: flows, messages, names and packets that the runner wants tried."""
