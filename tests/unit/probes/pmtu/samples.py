"""A measured path on which all is well, and the probe that measured it."""

from __future__ import annotations

import ipaddress
from typing import Any

from sixproof.agent.protocol import Bulk, Event, IcmpSeen, Inspected, RouteSeen, Sized
from sixproof.model import Endpoint, EndpointKind, Family, Flow, Protocol
from sixproof.probes.pmtu.path import Hop, Path
from sixproof.probes.pmtu.path_run import PathResult, PathRun
from tests.unit.model.places import place

HERE, THERE = place("a@w1", 1, "w1"), place("a@w2", 2, "w2")
CARRIED = Hop("w1", "eth0", 1430, "1500 - 70 for VXLAN over IPv6", carrier=True)
HOPS = (
    Hop("a@w1", "eth0", 1430),
    Hop("w1", "vxlan-v6.calico", 1430),
    CARRIED,
    Hop("w2", "cali1", 1430),
    Hop("a@w2", "eth0", 1430),
)


def host(node: str, number: int) -> Endpoint:
    """A node's host-network agent."""
    texts = f"198.51.100.{number}", f"2001:db8:ffff::{number:x}"
    addresses = tuple(map(ipaddress.ip_address, texts))
    return Endpoint(f"host@{node}", EndpointKind.HOST, addresses, pod=f"host-{node}", node=node)


NODES = {"w1": host("w1", 1), "w2": host("w2", 2)}


def passed(size: int, mtu: int = 1430) -> Sized:
    """A datagram that came back."""
    return Sized(size, Event.ECHOED, mtu=mtu)


def vanished(size: int, mtu: int = 1430) -> Sized:
    """A datagram of which nothing was heard."""
    return Sized(size, Event.SILENT, mtu=mtu)


PTB = IcmpSeen(2, 0, "2001:db8::ffff", 1350)
"""A Packet Too Big."""


def refused(size: int, icmp: IcmpSeen | None = None, mtu: int = 1430) -> Sized:
    """A datagram that was too big, by an ICMP error or by its own kernel."""
    return Sized(size, Event.TOO_BIG, "EMSGSIZE", icmp, mtu=mtu)


def bulk(event: str = Event.ECHOED, **fields: Any) -> Bulk:
    """300 kB each way; all is well unless said otherwise."""
    given = {"stage": "exchange", "segment": 1358, "offered": 1370, "pmtu": 1430, "elapsed": 0.1}
    return Bulk("n", event, **{**given, **fields})


def path_result(
    family: Family = Family.IPV6, hops: tuple[Hop, ...] = HOPS, **fields: Any
) -> PathResult:
    """A pair on two nodes."""
    address = THERE.address(family)
    assert address is not None
    mss = 20 if family is Family.IPV4 else 0
    given: dict[str, Any] = {
        "first": passed(1430),
        "small": passed(256),
        "beyond": refused(1431),
        "pattern": (passed(1430),) * 4,
        "fragments": passed(3000),
        "bulk": bulk(segment=1358 + mss, offered=1370 + mss),
    }
    path = Path(HERE.name, THERE.name, family, hops)
    return PathResult(Flow(HERE, THERE, address, Protocol.UDP, 8080), path, **{**given, **fields})


def path_run(*path_results: PathResult, **counted: dict[str, int]) -> PathRun:
    """A probe of these; `counted` by source, w1 and w2."""
    names = {"source": HERE.name, "w1": "host@w1", "w2": "host@w2"}
    return PathRun(path_results, {}, NODES, {names[k]: v for k, v in counted.items()})


def inspected(**mtus: int) -> Inspected:
    """Interfaces, underscores in their names standing for dashes and dots."""
    return Inspected(mtus, [], {}, "", {})


def learnt(mtu: int, address: object = None, who: str = HERE.name) -> tuple[str, RouteSeen]:
    """A route that somebody learnt."""
    target = str(address or THERE.address(Family.IPV6))
    return who, RouteSeen(target, "eth0", mtu=mtu, expires=599.0)


def narrowed(at: int = 1350) -> tuple[Hop, ...]:
    """The hops, a route of w1 being narrower."""
    return (*HOPS[:2], Hop("w1", "vxlan-v6.calico", at, "route to there"), *HOPS[2:])
