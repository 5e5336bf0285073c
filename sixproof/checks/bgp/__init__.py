"""Checks of BGP: sessions of nodes, what they announce, and the routes of a router outside."""
