"""Checks of Calico's own state against what nodes and pods really have."""
