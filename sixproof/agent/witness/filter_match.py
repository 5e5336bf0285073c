"""Which packets a rule of the packet filter takes, from its expressions."""

from __future__ import annotations

import ipaddress
import sys
import typing

from sixproof.agent.protocol import MatchSeen
from sixproof.agent.witness.netlink import attributes, big, text

META = {0: "length", 3: "mark", 6: "iifname", 7: "oifname", 15: "family", 16: "protocol"}
NETWORK, TRANSPORT = 1, 2
HEADERS: dict[tuple[str, int, int], str] = {
    ("ip", NETWORK, 6): "fragment offset",
    ("ip", NETWORK, 8): "TTL",
    ("ip", NETWORK, 9): "protocol",
    ("ip", NETWORK, 12): "source",
    ("ip", NETWORK, 16): "destination",
    ("ip6", NETWORK, 6): "protocol",
    ("ip6", NETWORK, 7): "hop limit",
    ("ip6", NETWORK, 8): "source",
    ("ip6", NETWORK, 24): "destination",
    ("tcp", TRANSPORT, 13): "flags",
    ("icmp", TRANSPORT, 0): "type",
    ("icmp", TRANSPORT, 1): "code",
    ("", TRANSPORT, 0): "sport",
    ("", TRANSPORT, 2): "dport",
}
"""Fields by family or protocol, header and offset (RFC 791, 8200, 9293, 768)."""
UNKNOWN = "header bytes"
TCP_OPTION, MSS = 1, 2
FRAGMENT = "fragment"
FRAGMENT_BITS = 0x3FFF
"""Of IPv4's fragment offset and flags those that only fragments have (RFC 791)."""
EXTENSIONS = {
    0: "hop-by-hop options",
    43: "routing header",
    44: FRAGMENT,
    60: "destination options",
}
PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmpv6", 132: "sctp"}
NFPROTO = {2: "ip", 10: "ip6"}
FAMILIES = {"ip": "IPv4", "ip6": "IPv6"}
NOT = "not"
OPERATORS = ("", NOT, "below", "at most", "above", "at least")
BITS = {
    "flags": ("fin", "syn", "rst", "psh", "ack", "urg"),
    "connection state": ("invalid", "established", "related", "new"),
}
"""Fields of single bits, and their names."""
BESIDE_TTL = b"\0\xff"
"""What is kept of the two bytes that hold TTL and protocol (RFC 791)."""
NUMBERS = ("type", "code", "sport", "dport", "MSS", "hop limit", "TTL")
SOME = 4
"""Members of a set that are sent; of more only the number."""

Members = tuple[bytes | tuple[bytes, bytes], ...]
"""Of a set: values, or the first and the last of an interval."""


class Match:
    """Which packets a rule takes: of its expressions, what was loaded last is what is compared.

    `sets` are members of sets by name, as far as they were read.
    """

    def __init__(self, family: str, sets: typing.Mapping[str, Members]) -> None:
        self.family = family
        self.sets = sets
        self.loaded = ""
        self.order: typing.Literal["little", "big"] = sys.byteorder
        self.mask: bytes | None = None
        self.bits = b""
        self.presence = False
        self.protocol = ""
        self.seen: list[MatchSeen] = []

    def take(self, name: str, values: dict[int, bytes]) -> None:
        """One more expression."""
        if name in ("meta", "payload", "exthdr", "ct"):
            self.loaded, self.mask = self.field(name, values), None
            self.presence = name == "exthdr" and bool(big(values.get(5)) & 1)
            self.order = sys.byteorder if name in ("meta", "ct") else "big"
        elif name == "byteorder":  # nft turns a number round before it compares by size
            self.order = "big"
        elif name == "bitwise":
            self.mask = attributes(values.get(4, b"")).get(1)
            self.bits = attributes(values.get(5, b"")).get(1, b"")
        elif name == "cmp":
            data = attributes(values.get(3, b"")).get(1, b"")
            self.seen += self.compared(OPERATORS[min(big(values.get(2)), 5)], data)
        elif name == "lookup":
            inverted = NOT if big(values.get(5)) & 1 else ""
            self.seen.append(self.looked_up(text(values.get(1)), inverted))
        elif name == "match" and (extension := text(values.get(1))) != "comment":
            self.seen.append(MatchSeen(extension, "", []))  # of iptables

    def field(self, name: str, values: dict[int, bytes]) -> str:
        """What an expression loads."""
        if name == "meta":
            return META.get(big(values.get(2)), "meta")
        if name == "ct":
            return "connection state"
        if name == "exthdr":
            kind = (values.get(2) or b"?")[0]
            if big(values.get(6)) == TCP_OPTION:
                return "MSS" if kind == MSS else "TCP option"
            return EXTENSIONS.get(kind, "extension header")
        return self.header(big(values.get(2)), big(values.get(3)))

    def header(self, header: int, offset: int) -> str:
        """A field of a packet's headers."""
        icmp = "icmp" if self.protocol.startswith("icmp") else self.protocol
        for of in (self.family, icmp, ""):
            if (of, header, offset) in HEADERS:
                return HEADERS[of, header, offset]
        return UNKNOWN

    def changed(self, name: str, values: dict[int, bytes], value: bytes) -> tuple[str, int | None]:
        """The field that a rule writes, "" if it is not known, and the number that it writes.

        `value` was loaded before; it is a plain number where the rule says one.
        """
        what = self.field("exthdr", values) if name == "exthdr" else ""
        if name == "payload":
            what = self.header(big(values.get(2)), big(values.get(3)))
        if what not in ("MSS", "TTL", "hop limit"):
            return "" if what == UNKNOWN else what, None
        if what == "TTL" and self.mask == BESIDE_TTL:  # nft writes both bytes, the TTL as bits
            value = self.bits[:1]
        return what, int.from_bytes(value, "big") if 0 < len(value) <= 4 else None

    def compared(self, operator: str, data: bytes) -> list[MatchSeen]:
        """A comparison."""
        what = self.loaded
        if self.mask and operator == NOT and not any(data):  # one bit of the mask is enough
            operator, data = "", self.mask
        number = int.from_bytes(data, "big")
        if what == "type" and len(data) > 1:  # nft compares type and code at once
            if operator:  # no packet is excluded by one of them alone
                return [MatchSeen("type and code", operator, [])]
            return [
                MatchSeen("type", "", [str(number >> 8)]),
                MatchSeen("code", "", [str(number & 0xFF)]),
            ]
        if what in EXTENSIONS.values():  # who compares a field of a header, wants the header
            missing = self.presence and (number == 0) is (operator != NOT)
            return [MatchSeen(what, NOT if missing else "", [])]
        if what == "fragment offset":
            return [MatchSeen(self.fragments(operator, number), "", [])]
        return [MatchSeen(what, operator, self.values(what, data))]

    def values(self, what: str, data: bytes) -> list[str]:
        """With which values a field is compared; none where that is not known."""
        number = int.from_bytes(data, "big")
        if what == "protocol":
            self.protocol = PROTOCOLS.get(number, f"protocol {number}")
            return [self.protocol]
        if what == "family":
            self.family = NFPROTO.get(number, self.family)
            return [FAMILIES.get(self.family, str(number))]
        if what in ("iifname", "oifname"):
            name = data.split(b"\0", 1)[0].decode(errors="replace")
            return [name if b"\0" in data else f"{name}*"]
        if what in ("source", "destination") and 0 < len(data) <= 16:
            return [self.prefix(data)]
        if what in BITS:
            bits = int.from_bytes(data, self.order)
            return [name for bit, name in enumerate(BITS[what]) if bits >> bit & 1]
        if what == "length":
            return [str(int.from_bytes(data, self.order))]
        return [str(number)] if what in NUMBERS else []

    def fragments(self, operator: str, number: int) -> str:
        """A comparison with IPv4's fragment offset and its flags: what only fragments match."""
        mask = int.from_bytes(self.mask, "big") if self.mask is not None else 0xFFFF
        above = operator == "above" and not number
        if not mask & ~FRAGMENT_BITS:
            return FRAGMENT if above or (number and not operator) else UNKNOWN
        exact = number & FRAGMENT_BITS and number != mask and not operator
        return FRAGMENT if exact else UNKNOWN

    def prefix(self, data: bytes) -> str:
        """An address or a prefix: of a prefix that ends at a byte only its bytes are compared."""
        size = 16 if self.family == "ip6" or len(data) > 4 else 4
        bits = len(data) * 8
        if self.mask is not None:
            bits = bin(int.from_bytes(self.mask, "big")).count("1")
        address = ipaddress.ip_address(data.ljust(size, b"\0"))
        return f"{address}/{bits}" if bits < size * 8 else str(address)

    def looked_up(self, name: str, operator: str) -> MatchSeen:
        """A comparison with the members of a set."""
        members = self.sets.get(name, ())
        values = [self.member(one) for one in members[:SOME]]
        if "" in values:
            return MatchSeen(self.loaded, operator, [], looked_up=True)
        more = max(len(members) - SOME, 0)
        return MatchSeen(self.loaded, operator, values, more, looked_up=True)

    def member(self, one: bytes | tuple[bytes, bytes]) -> str:
        """One value or interval of a set."""
        if isinstance(one, tuple):
            return self.interval(*one)
        number = int.from_bytes(one, "big")
        if self.loaded == "protocol":
            return PROTOCOLS.get(one[0], f"protocol {one[0]}")
        if self.loaded in ("source", "destination") and len(one) in (4, 16):
            return str(ipaddress.ip_address(one))
        if self.loaded in ("iifname", "oifname"):
            return one.split(b"\0", 1)[0].decode(errors="replace")
        return str(number) if self.loaded in ("type", "code", "sport", "dport") else ""

    def interval(self, first: bytes, last: bytes) -> str:
        """An interval of a set: of addresses as a prefix where it is one."""
        low, high = int.from_bytes(first, "big"), int.from_bytes(last, "big")
        if self.loaded in ("source", "destination") and len(first) == len(last) in (4, 16):
            start, end = ipaddress.ip_address(first), ipaddress.ip_address(last)
            free = (low ^ high).bit_length()
            if high - low + 1 == 1 << free:
                return f"{start}/{8 * len(first) - free}" if free else str(start)
            return f"{start}-{end}"
        if self.loaded in ("sport", "dport", "type", "code"):
            return str(low) if low == high else f"{low}-{high}"
        return ""
