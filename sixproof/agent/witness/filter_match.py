"""Which packets a rule of the packet filter takes, in words, from its expressions."""

from __future__ import annotations

import socket
import sys
import typing

from sixproof.agent.witness.netlink import attributes, big, text

META = {0: "length", 3: "mark", 6: "iifname", 7: "oifname", 15: "family", 16: "protocol"}
HEADERS: dict[tuple[str, tuple[int, ...]], str] = {
    ("ip", (1, 9, 1)): "protocol",
    ("ip", (1, 12, 4)): "source",
    ("ip", (1, 16, 4)): "destination",
    ("ip6", (1, 6, 1)): "protocol",
    ("ip6", (1, 8, 16)): "source",
    ("ip6", (1, 24, 16)): "destination",
    ("", (2, 0, 1)): "type",
    ("", (2, 1, 1)): "code",
    ("", (2, 0, 2)): "sport",
    ("", (2, 2, 2)): "dport",
}
EXTENSIONS = {
    0: "hop-by-hop options",
    43: "routing header",
    44: "fragment",
    60: "destination options",
}
PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmpv6", 132: "sctp"}
NFPROTO = {2: "ip", 10: "ip6"}
FAMILIES = {"ip": "IPv4", "ip6": "IPv6"}
OPERATIONS = ("", "not ", "below ", "at most ", "above ", "at least ")


class Match:
    """Which packets a rule takes: of its expressions, what was loaded last is what is compared."""

    def __init__(self, family: str) -> None:
        self.family = family
        self.loaded = ""
        self.order: typing.Literal["little", "big"] = sys.byteorder
        self.protocol = ""
        self.said: list[str] = []

    def take(self, name: str, values: dict[int, bytes]) -> None:
        """One more expression."""
        if name == "meta":
            self.loaded = META.get(big(values.get(2)), "meta")
            self.order = sys.byteorder
        elif name == "byteorder":  # nft turns a number round before it compares by size
            self.order = "big"
        elif name == "payload":
            place = tuple(big(values.get(k)) for k in (2, 3, 4))
            known = HEADERS.get((self.family, place)) or HEADERS.get(("", place))
            self.loaded = known or "header bytes"
        elif name == "exthdr":
            kind = (values.get(2) or b"?")[0]
            self.loaded = EXTENSIONS.get(kind, "extension header")
        elif name == "ct":
            self.loaded = "connection state"
        elif name == "cmp":
            data = attributes(values.get(3, b"")).get(1, b"")
            self.said.append(self.compared(OPERATIONS[min(big(values.get(2)), 5)], data))
        elif name == "lookup":
            self.said.append(f"{self.loaded} in a set")
        elif name == "match" and (extension := text(values.get(1))) != "comment":
            self.said.append(extension)  # of iptables

    def compared(self, operation: str, data: bytes) -> str:
        """A comparison in words."""
        what = self.loaded
        number = int.from_bytes(data, "big")
        if what == "protocol":
            self.protocol = PROTOCOLS.get(number, f"protocol {number}")
            return operation + self.protocol
        if what == "family":
            self.family = NFPROTO.get(number, self.family)
            return f"{operation}{FAMILIES.get(self.family, number)}"
        if what == "sport" and self.protocol.startswith("icmp"):  # both bytes at once
            return f"type {operation}{number >> 8}, code {number & 0xFF}"
        if what in ("iifname", "oifname"):
            name = data.split(b"\0", 1)[0].decode(errors="replace")
            more = "" if b"\0" in data else "*"
            return f"{what} {operation}{name}{more}"
        if what in ("source", "destination") and len(data) in (4, 16):
            family = socket.AF_INET6 if len(data) == 16 else socket.AF_INET
            return f"{what} {operation}{socket.inet_ntop(family, data)}"
        if what == "length":
            return f"{operation}{int.from_bytes(data, self.order)} bytes"
        if what in ("type", "code", "sport", "dport"):
            return f"{what} {operation}{number}"
        return what
