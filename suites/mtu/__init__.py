"""Path MTU: interfaces have the size they must have, full-size packets pass, what is too big is
refused with an ICMP error, and nothing large is lost silently.

Paths are measured between pods made for it, since a kernel's cache of path MTUs can be emptied
only by root; each kernel then knows nothing of the addresses that it sends to.
"""
