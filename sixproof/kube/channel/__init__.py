"""The control channel: how agents in pods are asked, past the network under test."""
