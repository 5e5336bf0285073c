"""Calico's BGP: what it is set to, which sessions that means, and what nodes say of theirs."""
