"""Payload sizes: what fits one packet."""

from __future__ import annotations

import secrets

from sixproof.agent.wire import Seal
from sixproof.model import Family

IP_HEADER = {Family.IPV4: 20, Family.IPV6: 40}
"""Bytes of an IP header without options: RFC 791 section 3.1, RFC 8200 section 3."""

UDP_HEADER = 8
NONCE = 16
"""Characters of a nonce."""


def new_nonce() -> str:
    """A name for one flow that nobody can guess."""
    return secrets.token_hex(NONCE // 2)


def request_line_length(upload: int, download: int = 0) -> int:
    """Bytes of the line that comes before the payload of a request."""
    return len(Seal().line("n" * NONCE, upload, download))


def largest_udp_payload(mtu: int, family: Family) -> int:
    """The payload that makes a probe's IP packet exactly `mtu` bytes long."""
    room = mtu - IP_HEADER[family] - UDP_HEADER
    payload = room - request_line_length(room)
    while request_line_length(payload + 1) + payload + 1 <= room:
        payload += 1
    return payload
