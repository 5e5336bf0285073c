"""What agents say to each other over the network under test: a line each way, and payloads.

A probe is the line ``SIX1 <nonce> <upload> <download> <tag>`` and its upload; the answer is the
line ``SIX1 <nonce> <ok|bad> <peer> <peer port> <host> <download>`` and its download. Payloads
derive from the nonce, so each side can check what the other one sent.

The tag is a keyed hash of the line before it (BLAKE2s, RFC 7693). A client without the run's key
gets no answer, whatever else the line says.
"""

from __future__ import annotations

import random
import typing
from _operator import _compare_digest as same

try:
    from _blake2 import blake2s  # hashlib would load OpenSSL, 4 MB of it
except ImportError:
    from hashlib import blake2s

from sixproof.agent.protocol import PAYLOAD_LIMIT

MAGIC = b"SIX1"
LINE_LIMIT = 256
"""Bytes within which the first line of a probe or an answer ends."""
TAG = 16
"""Characters of a tag: 64 bits. At a million tries a second one is hit in 290 000 years."""


class Header(typing.NamedTuple):
    """What the first line of a probe says, the tag apart."""

    nonce: str
    upload: int
    download: int

    @classmethod
    def read(cls, said: bytes) -> Header | None:
        """The header in a line without its tag, None for anything that is not one."""
        parts = said.split()
        if len(parts) != 4 or parts[0] != MAGIC or not 8 <= len(parts[1]) <= 64:
            return None
        if not (parts[1].isalnum() and parts[2].isdigit() and parts[3].isdigit()):
            return None
        upload, download = int(parts[2]), int(parts[3])
        if max(upload, download) > PAYLOAD_LIMIT:
            return None
        return cls(parts[1].decode(), upload, download)


class Answer(typing.NamedTuple):
    """The first line of an answer."""

    nonce: str
    intact: bool
    peer: str
    peer_port: int
    host: str
    download: int

    @classmethod
    def read(cls, line: bytes) -> Answer | None:
        """The answer in a line, None for anything that is not one."""
        parts = line.decode(errors="replace").split()
        if len(parts) != 7 or parts[0] != MAGIC.decode() or parts[2] not in ("ok", "bad"):
            return None
        if not all(len(n) <= 9 and n.isascii() and n.isdigit() for n in (parts[4], parts[6])):
            return None
        return cls(parts[1], parts[2] == "ok", parts[3], int(parts[4]), parts[5], int(parts[6]))


class Seal:
    """The key of a run, at most 32 bytes, and what is made with it."""

    def __init__(self, key: bytes = b"") -> None:
        self._key = key
        self.mark = self._hash(b"mark", b"") if key else ""
        """Identifies a key without giving it away; empty for none."""

    def _hash(self, use: bytes, data: bytes) -> str:
        return blake2s(data, digest_size=TAG // 2, key=self._key, person=use).hexdigest()

    def line(self, nonce: str, upload: int, download: int, digits: int = 1) -> bytes:
        """The first line of a probe with its end; `digits` keep its length whatever the upload."""
        said = b"%s %s %0*d %d" % (MAGIC, nonce.encode(), digits, upload, download)
        return b"%s %s\n" % (said, self._hash(b"probe", said).encode())

    def header(self, line: bytes) -> Header | None:
        """The header in a line without its end, None for one that was not written with this key.

        No part of a line is parsed before its tag is verified.
        """
        said, _, tag = line.rpartition(b" ")
        if not same(tag, self._hash(b"probe", said).encode()):
            return None
        return Header.read(said)


def payload(nonce: str, side: str, size: int) -> bytes:
    """The bytes that belong to a nonce, different for upload and download."""
    return random.Random(f"{nonce}/{side}").randbytes(size) if size else b""  # noqa: S311


def is_payload(data: bytes | bytearray, nonce: str, side: str, size: int) -> bool:
    """Whether these are the bytes that belong to a nonce; what has not come is not made."""
    return len(data) == size and data == payload(nonce, side, size)
