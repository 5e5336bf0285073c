"""Addresses as text, and their families."""

from __future__ import annotations

import socket


def plain(address: str) -> str:
    """An address as text without zone."""
    return address.split("%", 1)[0]


def family_of(address: str) -> int:
    """AF_INET or AF_INET6 of a literal."""
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def literal(family: int, raw: bytes | None) -> str:
    """An address as text, empty for one that is not there or of another family."""
    if not raw or len(raw) != (16 if family == socket.AF_INET6 else 4):
        return ""
    return socket.inet_ntop(family, raw)
