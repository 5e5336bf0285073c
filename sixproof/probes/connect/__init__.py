"""Flows: TCP, UDP and ICMP echo between two endpoints, judged from both sides."""
