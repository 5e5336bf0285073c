"""Kernel settings of a node that end a family's traffic: forwarding off, IPv6 off."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sixproof.model import Disagreement, EndpointKind, Family, Flow
from sixproof.reporting.conclusion.cause import Cause, CauseRule, Command, Confidence, Trait, since
from sixproof.reporting.conclusion.reach import between_pods_across, carried_over, crosses, touches
from sixproof.reporting.conclusion.situation import Situation

FORWARDING = {
    Family.IPV4: "net/ipv4/ip_forward",
    Family.IPV6: "net/ipv6/conf/all/forwarding",
}
DISABLED = "net/ipv6/conf/{}/disable_ipv6"


def find(situation: Situation) -> Iterator[Cause]:
    """Each such setting of each node."""
    for node, seen in situation.nodes.items():
        for family, name in FORWARDING.items():
            if seen.sysctls.get(name) == "0":
                yield _cause(
                    situation,
                    node,
                    family,
                    name,
                    f"{dotted(name)} is 0: the node forwards no {family}, so its pods reach "
                    f"no other endpoint, not even each other",
                    "Set it to 1, and see why it is 0",
                    _forwarded(node, family),
                )
        for device in ("all", *(link.name for link in seen.links)):
            name = DISABLED.format(device)
            if seen.sysctls.get(name) == "1" and device != "lo" and _matters(situation, device):
                where = "" if device == "all" else f" on {device}"
                yield _cause(
                    situation,
                    node,
                    Family.IPV6,
                    name,
                    f"{dotted(name)} is 1: the node has no IPv6{where}",
                    f"Set it to 0 and give {device} its addresses again",
                    lambda flow, node=node: touches(flow, node),  # type: ignore[misc]
                )


def _matters(situation: Situation, device: str) -> bool:
    """Whether other nodes have it otherwise; on a device that is off everywhere it is meant so."""
    name = DISABLED.format(device)
    return any(seen.sysctls.get(name) == "0" for seen in situation.nodes.values())


def _forwarded(node: str, family: Family) -> Callable[[Flow], bool]:
    """Flows that such a node must forward: of its pods to elsewhere, and those to its pods."""

    def forwards(flow: Flow) -> bool:
        if carried_over(flow) is not family or not crosses(flow, node):
            return False
        here = [end for end in (flow.source, flow.destination) if end.node == node]
        return any(end.kind is not EndpointKind.HOST for end in here)

    return forwards


def _cause(
    situation: Situation,
    node: str,
    family: Family,
    name: str,
    what: str,
    remedy: str,
    reach: Callable[[Flow], bool],
) -> Cause:
    def hits(wrong: Disagreement) -> bool:
        flow = wrong.observation.flow
        return carried_over(flow) is family and reach(flow)

    def must(flow: Flow) -> bool:
        return between_pods_across(flow) and carried_over(flow) is family and reach(flow)

    earlier = situation.earlier.get(node)
    before = earlier.sysctls.get(name) if earlier else None
    now = situation.nodes[node].sysctls[name]
    others = {n: s.sysctls.get(name, "") for n, s in situation.nodes.items() if n != node}
    alike = sorted(n for n, value in others.items() if value == now)
    return Cause(
        "sysctl",
        f"node {node}",
        what,
        remedy,
        (family,),
        Confidence.SHOWN,
        hits,
        must,
        evidence=(
            *([f"it was {before} when the run began"] if before not in (None, now) else []),
            *([f"other nodes have {min(set(others.values()))}"] if others and not alike else []),
            *([f"so has {', '.join(alike)}"] if alike else []),
        ),
        do=(Command.of("sysctl", "-w", f"{dotted(name)}={1 - int(now)}", on=node),),
        since=since(before == now) if before is not None else "",
        traits=frozenset({Trait.NOT_FORWARDING} if name in FORWARDING.values() else ()),
    )


def dotted(name: str) -> str:
    """A setting as sysctl(8) calls it."""
    return name.replace("/", ".")


RULES = (
    CauseRule(
        "sysctl",
        "A kernel setting of a node turns a family off",
        "net.ipv4.ip_forward, net.ipv6.conf.all.forwarding and net.ipv6.conf.*.disable_ipv6 of "
        "each node",
        find,
        ("I16",),
        "Linux Documentation/networking/ip-sysctl",
    ),
)
