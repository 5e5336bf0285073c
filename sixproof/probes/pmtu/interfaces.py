"""Interfaces: the MTU that they must have, and what the kernel does to IPv6 on small ones."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence

from sixproof.agent.protocol import Inspect, Inspected
from sixproof.errors import Subject
from sixproof.model import Endpoint, Family
from sixproof.probes.connect.probe import AgentClient

IPV6_MINIMUM = 1280
"""RFC 8200 section 5."""
FALLBACK = frozenset(
    {
        "lo",
        "tunl0",
        "sit0",
        "ip6tnl0",
        "gre0",
        "gretap0",
        "erspan0",
        "ip6gre0",
        "ip_vti0",
        "ip6_vti0",
    }
)
"""Devices that kernel modules put into every network namespace by themselves."""

POD_INTERFACE = "eth0"
"""What the interface is called that a pod's network plugin gives it."""
UNDERLAY = "the way to other nodes"
"""What of a node the MTU of the underlay is about: whichever device leads to other nodes."""
PATIENCE = 30.0
"""Seconds that an agent may take to answer."""
_UNUSABLE = {"tentative", "dadfailed", "deprecated"}
Seen = Sequence[tuple[Endpoint, Inspected]]
Said = dict[str, Subject]
"""What is wrong, a sentence each, with what it is about."""


def inspected(agents: AgentClient, places: Sequence[Endpoint], patience: float = PATIENCE) -> Seen:
    """What the agent of every place says of its interfaces and resolver, all asked at once.

    Raises:
        InfrastructureError: an agent could not be asked.
    """
    asked = [(place, agents.ask(place, Inspect(), Inspected, patience)) for place in places]
    return [(place, answer.result()) for place, answer in asked]


def own(seen: Inspected) -> Mapping[str, int]:
    """The MTU of each interface that the pod was given, by name; the kernel's own are left out."""
    return {name: mtu for name, mtu in seen.mtus.items() if name not in FALLBACK}


def pods(seen: Seen, wanted: int) -> Said:
    """Interfaces of pods with another MTU than pods must have; a pod that shows none counts."""
    return {
        f"{pod.name} ({pod.namespace}/{pod.pod}): expected {wanted}, seen {mtu} on {name}": (
            pod.subject(name)
        )
        for pod, inspected in seen
        for name, mtu in (own(inspected) or {"no interface": 0}).items()
        if mtu != wanted
    }


def unusable(seen: Seen) -> Said:
    """IPv6 addresses of pods that are tentative, duplicate or deprecated (RFC 4862 section 5.4),
    and those of the API that no interface shows."""
    found = without_ipv6(seen)
    for pod, inspected in seen:
        for a in inspected.ipv6:
            bad = _UNUSABLE & set(a.flags)
            if bad and not ipaddress.ip_address(a.address).is_link_local:
                said = f"{pod.name}: {a.address} on {a.interface} is {', '.join(a.flags)}"
                found[said] = pod.subject(a.address)
    return found


def tunnels(seen: Seen, wanted: Mapping[str, int]) -> Said:
    """Tunnel devices of nodes with another MTU than they must have; one that is gone counts."""
    return {
        f"{host.node}: expected {mtu}, seen {inspected.mtus.get(name, 'no such device')} on "
        f"{name}": host.subject(name)
        for host, inspected in seen
        for name, mtu in wanted.items()
        if inspected.mtus.get(name) != mtu
    }


def usual(mtus: Iterable[int]) -> int:
    """The MTU that most of the nodes' interfaces have, in bytes; the larger where as many do, 0
    without any."""
    seen = list(mtus)
    return max(sorted(set(seen), reverse=True), key=seen.count, default=0)


def mixed(underlay: Mapping[str, int]) -> Said:
    """Nodes that send to others by an interface of another MTU than most do."""
    most = usual(underlay.values())
    return {
        f"{node}: sends to other nodes by an interface of MTU {mtu}, most have {most}": (
            Subject.of_node(node, UNDERLAY)
        )
        for node, mtu in underlay.items()
        if mtu != most
    }


def without_ipv6(seen: Seen) -> Said:
    """Endpoints that the API server gives an IPv6 address which none of their interfaces has.

    An interface below IPv6's minimum is named: the kernel takes IPv6 off it.
    """
    found = {}
    for place, inspected in seen:
        address = place.address(Family.IPV6)
        here = {ipaddress.ip_address(a.address) for a in inspected.ipv6}
        if address is None or address in here:
            continue
        small = [f"{n} has MTU {m}" for n, m in own(inspected).items() if m < IPV6_MINIMUM]
        why = f": {', '.join(small)}, IPv6 needs {IPV6_MINIMUM}" if small else ""
        said = f"{place.name}: IPv6 is gone, no interface has {address}{why}"
        found[said] = place.subject(str(address))
    return found


def too_small(seen: Seen) -> Said:
    """Interfaces that no IPv6 can use."""
    return {
        f"{place.name}: {name} has MTU {mtu}, IPv6 needs {IPV6_MINIMUM}": place.subject(name)
        for place, inspected in seen
        for name, mtu in own(inspected).items()
        if mtu < IPV6_MINIMUM and place.address(Family.IPV6) is not None
    }
