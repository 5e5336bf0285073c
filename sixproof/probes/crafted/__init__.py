"""Crafted packets: fragments, extension headers, forged messages; needs NET_RAW."""
