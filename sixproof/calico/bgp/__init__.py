"""Calico's BGP: its configuration, the sessions that follow from it, and what nodes report."""
