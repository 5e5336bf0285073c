"""Addresses of nodes: one that a node does not have, or that its kernel leaves unused."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from sixproof.agent.protocol import AddressHeld, NodeSeen
from sixproof.model import Disagreement, Family, IPAddress
from sixproof.reporting.conclusion.cause import Cause, CauseRule, Command, Confidence, since
from sixproof.reporting.conclusion.reach import came_back, carried_over, crosses
from sixproof.reporting.conclusion.situation import Situation


def find(situation: Situation) -> Iterator[Cause]:
    """Each such InternalIP of each node."""
    for node, seen in situation.nodes.items():
        for address in situation.node_addresses.get(node, ()):
            held = _held(seen, address)
            earlier = situation.earlier.get(node)
            before = _held(earlier, address) if earlier else None
            if held is not None:
                flags = _unusable(held)
                if flags:
                    known = before is not None and _unusable(before) == flags
                    sure = Confidence.SHOWN if known and _is_refused(held) else Confidence.FITS
                    cause = _cause(node, address, *flags, since(known) if before else "", sure)
                    yield dataclasses.replace(cause, evidence=tuple(_read(seen, held)))
            elif seen.addresses and not seen.cut:
                what = (
                    f"no device has its InternalIP {address}: {Family.of(address)} packets "
                    f"between {node} and other nodes are lost"
                )
                again = _again(situation, node, address, before)
                remedy = f"Add it again{', and see what took it away' if before else ''}"
                shown = Confidence.SHOWN if before else Confidence.FITS
                cause = _cause(node, address, what, remedy, since(False) if before else "", shown)
                lived = _lifetimes(before, "had, when the run began,") if before else ()
                yield dataclasses.replace(cause, evidence=tuple(lived), do=(again,))


def _held(seen: NodeSeen, address: IPAddress) -> AddressHeld | None:
    return next((a for a in seen.addresses if a.address == str(address)), None)


def _again(
    situation: Situation, node: str, address: IPAddress, before: AddressHeld | None
) -> Command:
    """The command that adds an address, by what the node had or, else, what all others have."""
    others = [
        held
        for other, seen in situation.nodes.items()
        for one in situation.node_addresses.get(other, ())
        if other != node and Family.of(one) is Family.of(address) and (held := _held(seen, one))
    ]
    alike = {(held.prefix, held.device) for held in ([before] if before else others)}
    prefix, device = alike.pop() if len(alike) == 1 else ("PREFIX", "DEVICE")
    what = ("address", "add", f"{address}/{prefix}", "dev", device)
    return Command.ip(Family.of(address), *what, on=node)


def _read(seen: NodeSeen, held: AddressHeld) -> Iterator[str]:
    """What was read of an address: its flags, and how long detection takes."""
    yield f"flags of {held.address}: {', '.join(held.flags) or 'none'}"
    yield from _lifetimes(held)
    setting = f"net/ipv6/conf/{held.device}/dad_transmits"
    if "tentative" in held.flags and (count := seen.sysctls.get(setting)):
        yield (
            f"{setting.replace('/', '.')} is {count}: detection sends so many Neighbor "
            f"Solicitations, one each RetransTimer (1 s unless set, RFC 4861 section 10)"
        )


def _lifetimes(held: AddressHeld, has: str = "has") -> Iterator[str]:
    """How long an address may be used, where that has an end (RFC 4862 section 5.5.4)."""
    if held.valid is None and held.preferred is None:
        return
    preferred, valid = (
        "without end" if left is None else f"of {left:.0f} s"
        for left in (held.preferred, held.valid)
    )
    then = "" if held.valid is None else ", after which it is removed"
    yield (
        f"{held.address} {has} a preferred lifetime {preferred} and a valid lifetime {valid}{then}"
    )


def _is_refused(held: AddressHeld) -> bool:
    """Whether the kernel takes no packets for it (RFC 4862 section 5.4); for an optimistic one it
    does (RFC 4429 section 3.3)."""
    return "dadfailed" in held.flags or _is_tentative(held)


def _is_tentative(held: AddressHeld) -> bool:
    return "tentative" in held.flags and "optimistic" not in held.flags


def _unusable(held: AddressHeld) -> tuple[str, str] | None:
    """What its flags mean and what to do, None where the kernel uses it (RFC 4862 sections 5.4
    and 5.5.4)."""
    if "dadfailed" in held.flags:
        return (
            f"its InternalIP {held.address} on {held.device} failed duplicate address detection: "
            f"another host on the link has it, the kernel does not use it",
            "Find that host (ip -6 neigh on other nodes), and give one another address",
        )
    if _is_tentative(held):
        return (
            f"its InternalIP {held.address} on {held.device} is tentative: duplicate address "
            f"detection has not ended, and the kernel does not use it yet",
            f"See net.ipv6.conf.{held.device}.dad_transmits, and whether the link is up",
        )
    if "deprecated" in held.flags or held.preferred == 0:
        return (
            f"its InternalIP {held.address} on {held.device} is deprecated: the kernel begins no "
            f"new connections with it",
            "See why its preferred lifetime ran out (Router Advertisements, DHCPv6, who set it)",
        )
    return None


def _cause(
    node: str,
    address: IPAddress,
    what: str,
    remedy: str,
    when: str,
    confidence: Confidence,
) -> Cause:
    family = Family.of(address)

    def hits(wrong: Disagreement) -> bool:
        flow = wrong.observation.flow
        return carried_over(flow) is family and crosses(flow, node) and not came_back(wrong)

    return Cause(
        "node-address",
        f"node {node}",
        what,
        remedy,
        (family,),
        confidence,
        hits=hits,
        see=(Command.ip(family, "address", "show", on=node),),
        since=when,
        parts=(str(address),),
    )


RULES = (
    CauseRule(
        "node-address",
        "An InternalIP of a node is on none of its devices, tentative, duplicate or deprecated",
        "InternalIPs of the API, addresses of each node's devices with their flags and lifetimes",
        find,
        ("I24",),
        "RFC 4862 sections 5.4 and 5.5.4",
    ),
)
