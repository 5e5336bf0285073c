"""Path MTU: interfaces have the size they must have, full-size packets pass, what is too big is
refused with an ICMP error, and nothing large is lost silently.

Paths are measured between pods created for this purpose, since only root can clear a kernel's cache
of path MTUs; each kernel then knows nothing about the addresses that it sends to.
"""
