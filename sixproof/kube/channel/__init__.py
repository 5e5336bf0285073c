"""The control channel: how agents in pods are reached, bypassing the network under test."""
