"""A node's facts, by rtnetlink(7) dumps and fixed files of /proc; read only, no command is run."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import struct
import time
import typing

from sixproof.agent import files, protocol
from sixproof.agent.addresses import literal
from sixproof.agent.protocol.node import KIND_ADDRESSES, KIND_ROUTES, KIND_RULES
from sixproof.agent.witness.facts import IFA_FLAGS, counters_v4, counters_v6, sockets
from sixproof.agent.witness.filter_match import PROTOCOLS
from sixproof.agent.witness.netlink import Netlink, Refused, attributes, number, text
from sixproof.agent.witness.routes import device_name

GETLINK, GETADDR, GETROUTE, GETNEIGH, GETRULE = 18, 22, 26, 30, 34
AF_BRIDGE = 7
FAMILIES = {socket.AF_INET: "IPv4", socket.AF_INET6: "IPv6"}
IFF_UP, IFF_RUNNING = 0x1, 0x40
ROUTE_KINDS = {
    1: "unicast",
    2: "local",
    6: "blackhole",
    7: "unreachable",
    8: "prohibit",
    9: "throw",
}
RULE_ACTIONS = {1: "table", 2: "goto", 3: "nop", 6: "blackhole", 7: "unreachable", 8: "prohibit"}
SUPPRESS_GROUP, VRF, IP_PROTOCOL = 13, 19, 22
SELECTORS = {
    12: ("tun_id", "!Q"),
    SUPPRESS_GROUP: ("suppress_ifgroup", "=I"),
    VRF: ("l3mdev", "=B"),
    20: ("uidrange", "=II"),
    IP_PROTOCOL: ("ipproto", "=B"),
    23: ("sport", "=HH"),
    24: ("dport", "=HH"),
    25: ("dscp", "=B"),
    26: ("flowlabel", "!I"),
}
"""What a rule may ask besides addresses, mark and device, by attribute (linux/fib_rules.h)."""
STATES = {
    0x01: "INCOMPLETE",
    0x02: "REACHABLE",
    0x04: "STALE",
    0x08: "DELAY",
    0x10: "PROBE",
    0x20: "FAILED",
    0x40: "NOARP",
    0x80: "PERMANENT",
}
TABLE_LOCAL = 255
INVERTED = 0x2
FOREVER = 0xFFFFFFFF
LIMIT = 4000
"""Entries of each kind that are taken."""
SYSCTLS = (
    "net/ipv4/ip_forward",
    "net/ipv4/tcp_mem",
    "net/ipv6/conf/all/forwarding",
    "net/ipv6/conf/all/disable_ipv6",
    "net/ipv6/conf/all/accept_ra",
    "net/ipv6/conf/default/disable_ipv6",
    "net/ipv6/neigh/default/gc_thresh3",
    "net/ipv4/neigh/default/gc_thresh3",
    "net/ipv6/route/mtu_expires",
    "net/ipv4/route/mtu_expires",
    "net/netfilter/nf_conntrack_count",
    "net/netfilter/nf_conntrack_max",
)

Told = tuple[typing.Any, ...]


class NodeReader:
    """Reads them, each kind apart: what the kernel refuses is named, and the rest is reported."""

    def __init__(self) -> None:
        self.cut: list[str] = []
        self.unread: list[str] = []

    def read(self, health: list[protocol.HealthSeen]) -> protocol.NodeSeen:
        """All facts; `health` was asked beforehand."""
        with contextlib.closing(Netlink(socket.NETLINK_ROUTE)) as kernel:
            routes = [
                *self.told(kernel, KIND_ROUTES[0], GETROUTE, route_body(socket.AF_INET), route),
                *self.told(kernel, KIND_ROUTES[1], GETROUTE, route_body(socket.AF_INET6), route),
            ]
            neighbours = [
                *self.told(
                    kernel, "neighbours", GETNEIGH, struct.pack("=BBHiHBB", *[0] * 7), neigh
                ),
                *self.told(kernel, "forwarding", GETNEIGH, neigh_body(AF_BRIDGE), forwarding),
            ]
            rules = [
                rule
                for family in FAMILIES
                for rule in self.told(
                    kernel, KIND_RULES, GETRULE, struct.pack("=12B", family, *[0] * 11), rule_of
                )
            ]
            links = self.told(kernel, "links", GETLINK, struct.pack("=BBHiII", *[0] * 6), link)
            addresses = self.told(
                kernel, KIND_ADDRESSES, GETADDR, struct.pack("=BBBBI", *[0] * 5), address
            )
        return protocol.NodeSeen(
            links=links,
            addresses=addresses,
            rules=rules,
            routes=routes,
            neighbours=[n for n in neighbours if isinstance(n, protocol.NeighbourSeen)],
            forwarding=[n for n in neighbours if isinstance(n, protocol.ForwardingSeen)],
            sysctls=sysctls([one.name for one in links], uplinks(routes)),
            counters=counters(),
            health=health,
            clock=time.time(),
            uptime=time.clock_gettime(time.CLOCK_BOOTTIME),
            cut=self.cut,
            unread=self.unread,
            load=load(),
            processors=os.cpu_count() or 0,
            sockets=sockets(files.read("/proc/net/sockstat") + files.read("/proc/net/sockstat6")),
        )

    def told(
        self,
        kernel: Netlink,
        what: str,
        kind: int,
        body: bytes,
        read: typing.Callable[[bytes], typing.Any],
    ) -> list[typing.Any]:
        """What a dump holds, each entry as `read` makes it; None is left out."""
        try:
            entries, more = kernel.dump(kind, body, LIMIT)
        except (Refused, TimeoutError) as error:
            self.unread.append(f"{what}: {error}")
            return []
        if more:
            self.cut.append(what)
        return [made for made in map(read, entries) if made is not None]


def route_body(family: int) -> bytes:
    """The request for all routes of a family."""
    return struct.pack("=BBBBBBBBI", family, *[0] * 8)


def neigh_body(family: int) -> bytes:
    """The request for all entries of a family's neighbour table."""
    return struct.pack("=BBHiHBB", family, *[0] * 6)


def link(data: bytes) -> protocol.LinkSeen:
    """A device (RTM_NEWLINK)."""
    flags = struct.unpack_from("=I", data, 8)[0]
    found = attributes(data[16:])
    info = attributes(found.get(18, b""))
    kind = text(info.get(1))
    own = attributes(info.get(2, b"")) if kind == "vxlan" else {}
    port = own.get(15, b"")
    return protocol.LinkSeen(
        name=text(found.get(3)),
        kind=kind,
        mtu=number(found.get(4)),
        up=bool(flags & IFF_UP),
        carrier=bool(flags & IFF_RUNNING),
        vni=number(own.get(1)),
        port=struct.unpack("!H", port)[0] if len(port) == 2 else 0,
        local=literal(socket.AF_INET, own.get(4)) or literal(socket.AF_INET6, own.get(17)),
    )


def address(data: bytes) -> protocol.AddressHeld | None:
    """An address (RTM_NEWADDR)."""
    family, prefix, flags, _, index = struct.unpack_from("=BBBBI", data)
    found = attributes(data[8:])
    held = literal(family, found.get(2) or found.get(1))
    if not held:
        return None
    flags = number(found.get(8)) or flags
    lifetimes = found.get(6, b"")  # struct ifa_cacheinfo: preferred, valid
    preferred, valid = (
        struct.unpack_from("=II", lifetimes) if len(lifetimes) >= 8 else (FOREVER, FOREVER)
    )
    return protocol.AddressHeld(
        device=device_name(index),
        address=held,
        prefix=prefix,
        flags=[name for bit, name in IFA_FLAGS.items() if flags & bit],
        preferred=None if preferred == FOREVER else float(preferred),
        valid=None if valid == FOREVER else float(valid),
    )


def rule_of(data: bytes) -> protocol.RuleSeen | None:
    """A rule (RTM_NEWRULE)."""
    family, to, since, tos, table, _, _, action, flags = struct.unpack_from("=8BI", data)
    if family not in FAMILIES:
        return None
    found = attributes(data[12:])
    mark, mask = number(found.get(10)), number(found.get(16))
    limit = found.get(14)
    return protocol.RuleSeen(
        family=FAMILIES[family],
        priority=number(found.get(6)),
        action=RULE_ACTIONS.get(action, str(action)),
        table=number(found.get(15)) or table,
        source=prefix_of(found.get(2), since),
        destination=prefix_of(found.get(1), to),
        mark=f"{mark:#x}/{mask:#x}" if 10 in found or 16 in found else "",
        device=text(found.get(3)) or text(found.get(17)),
        inverted=bool(flags & INVERTED),
        suppress=number(limit) if limit and number(limit) != FOREVER else None,
        more=" ".join(selectors(found, tos)),
    )


def selectors(found: typing.Mapping[int, bytes], tos: int) -> typing.Iterator[str]:
    """What else a rule asks of packets, in the words of ip-rule(8)."""
    if tos:
        yield f"tos {tos:#04x}"
    for kind, (word, form) in SELECTORS.items():
        if len(raw := found.get(kind, b"")) == struct.calcsize(form):
            first, *last = struct.unpack(form, raw)
            if kind == SUPPRESS_GROUP and first == FOREVER:
                continue
            if kind == IP_PROTOCOL:
                first = PROTOCOLS.get(first, first)
            ends = f"{first}-{last[0]}" if last and last[0] != first else first
            yield word if kind == VRF else f"{word} {ends}"


def route(data: bytes) -> protocol.RouteHeld | None:
    """A route (RTM_NEWROUTE); those to the node itself are its addresses, reported elsewhere."""
    family, length, _, _, table, made_by, _, kind, _ = struct.unpack_from("=8BI", data)
    found = attributes(data[12:])
    table = number(found.get(15)) or table
    if family not in FAMILIES or table == TABLE_LOCAL or kind not in ROUTE_KINDS:
        return None
    device, gateway = found.get(4), literal(family, found.get(5))
    if paths := found.get(9):  # several next hops: the first represents all
        device = paths[4:8]
        gateway = literal(family, attributes(paths[8:]).get(5))
    return protocol.RouteHeld(
        destination=prefix_of(found.get(1), length) or whole(family),
        table=table,
        kind=ROUTE_KINDS[kind],
        device=device_name(number(device)) if device else "",
        gateway=gateway,
        metric=number(found.get(6)),
        mtu=number(attributes(found.get(8, b"")).get(2)),
        protocol=made_by,
    )


def neigh(data: bytes) -> protocol.NeighbourSeen | None:
    """An entry of the neighbour table (RTM_NEWNEIGH)."""
    family, _, _, index, state, _, kind = struct.unpack_from("=BBHiHBB", data)
    found = attributes(data[12:])
    held = literal(family, found.get(1))
    if not held or kind == 5:  # multicast
        return None
    return protocol.NeighbourSeen(
        address=held,
        device=device_name(index),
        state=STATES.get(state, str(state)),
        link_address=found.get(2, b"").hex(":"),
    )


def forwarding(data: bytes) -> protocol.ForwardingSeen | None:
    """An entry of a forwarding database that leads to a remote tunnel end."""
    index = struct.unpack_from("=i", data, 4)[0]
    found = attributes(data[12:])
    raw = found.get(1, b"")
    remote = literal(socket.AF_INET6 if len(raw) == 16 else socket.AF_INET, raw)
    if not remote:
        return None
    return protocol.ForwardingSeen(found.get(2, b"").hex(":"), device_name(index), remote)


def prefix_of(raw: bytes | None, length: int) -> str:
    """A prefix as text, "" for everything."""
    if not raw or not length:
        return ""
    return str(ipaddress.ip_network((raw, length), strict=False))


def whole(family: int) -> str:
    """The prefix of a default route."""
    return "::/0" if family == socket.AF_INET6 else "0.0.0.0/0"


def uplinks(routes: typing.Sequence[protocol.RouteHeld]) -> list[str]:
    """The devices of IPv6 default routes: whether a router's advertisement is taken there says
    whether a route that it made stays."""
    whole_of_it = whole(socket.AF_INET6)
    return sorted({r.device for r in routes if r.destination == whole_of_it and r.device})


def sysctls(devices: typing.Sequence[str], out: typing.Sequence[str] = ()) -> dict[str, str]:
    """The settings that matter, of the node, of its devices, and of those that lead `out`; what is
    not there is left out."""
    names = [*SYSCTLS]
    names += [f"net/ipv6/conf/{d}/disable_ipv6" for d in devices[:LIMIT] if "/" not in d]
    for what in ("accept_ra", "dad_transmits"):
        names += [f"net/ipv6/conf/{d}/{what}" for d in out[:LIMIT] if "/" not in d]
    found = {name: files.read(f"/proc/sys/{name}").strip() for name in names}
    return {name: value for name, value in found.items() if value}


def load() -> float:
    """Tasks that ran or waited for a processor, on average over the last minute (proc(5))."""
    words = files.read("/proc/loadavg").split()
    return float(words[0]) if words else 0.0


def counters() -> dict[str, int]:
    """The counters of both families and of connection tracking, summed over processors."""
    found = counters_v6(files.read("/proc/net/snmp6"))
    found |= counters_v4(files.read("/proc/net/snmp"))
    found |= counters_v4(files.read("/proc/net/netstat"))
    lines = [line.split() for line in files.read("/proc/net/stat/nf_conntrack").splitlines()]
    for names, *rows in [lines] if lines else []:
        for column, name in enumerate(names):
            if name != "entries":
                found[f"Conntrack_{name}"] = sum(int(row[column], 16) for row in rows)
    return found
