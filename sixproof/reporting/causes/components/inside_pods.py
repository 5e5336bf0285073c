"""Inside a pod: its own interface has lost IPv6, or has another MTU than other pods'."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from sixproof.agent.protocol import NodeSeen
from sixproof.model import Disagreement, Endpoint, Family, Flow, IPAddress
from sixproof.probes.nodes import reader
from sixproof.probes.nodes.examination import NodeReading
from sixproof.probes.pmtu.interfaces import IPV6_MINIMUM, POD_INTERFACE, usual
from sixproof.reporting.conclusion.cause import Cause, CauseRule, Confidence, Trait
from sixproof.reporting.conclusion.reach import carried_over, sized
from sixproof.reporting.conclusion.situation import Situation

ANEW = "address and routes do not come back by themselves"
UNUSABLE = {"tentative", "dadfailed"}
"""Flags of an address that the kernel does not use (RFC 4862 section 5.4)."""


def find(situation: Situation) -> Iterator[Cause]:
    """Addresses of the API that no interface of the pod has, with the reason as far as it shows,
    and interfaces with another MTU than other pods have."""
    most = _usual_mtu(situation)
    for reading in situation.examination.inside:
        for link in reading.seen.links if reading.seen else ():
            if link.name == POD_INTERFACE and most and link.mtu != most:
                yield _odd_mtu(reading, link.mtu, most)
    ends = {reader.name(end): end for end in situation.endpoints if end.pod}
    for reading in situation.examination.inside:
        end = ends.get(reading.node)
        if end is None or reading.seen is None:
            continue
        held = {a.address: a for a in reading.seen.addresses}
        for family in Family:
            address = end.address(family)
            if address is None:
                continue
            entry = held.get(str(address))
            if entry is None:
                yield _missing(end, family, address, reading.seen)
            elif UNUSABLE & set(entry.flags):
                flags = " and ".join(entry.flags)
                what = f"its address {address} is {flags}: the kernel does not use it"
                remedy = "See who else has that address (Calico: calicoctl ipam check)"
                yield _cause(end, family, what, remedy)


def _usual_mtu(situation: Situation) -> int:
    """The MTU that most pods have, by the nodes' ends of their links: network plugins give both
    ends the same, and the node's another name. 0 where no node has such a link."""
    return usual(
        link.mtu
        for seen in situation.nodes.values()
        for link in seen.links
        if link.kind == "veth" and link.name != POD_INTERFACE
    )


def _odd_mtu(reading: NodeReading, mtu: int, most: int) -> Cause:
    name = reading.called

    def its_own(flow: Flow) -> bool:
        return name in (flow.source.called, flow.destination.called)

    return Cause(
        "pod-mtu",
        name,
        f"its {POD_INTERFACE} has MTU {mtu} bytes, pods' links have {most} bytes",
        "Recreate the pod; if it has that MTU again, see the settings of its CNI plugin",
        tuple(Family),
        Confidence.FITS,
        hits=lambda wrong: sized(wrong) and its_own(wrong.observation.flow),
        evidence=(f"in the cluster it is pod {reading.node}",),
        parts=(POD_INTERFACE,),
    )


def _missing(end: Endpoint, family: Family, address: IPAddress, seen: NodeSeen) -> Cause:
    what = f"no interface has its {family} address {address}"
    for link in seen.links if family is Family.IPV6 else ():
        setting = f"net.ipv6.conf.{link.name}.disable_ipv6"
        if link.name != "lo" and seen.sysctls.get(setting.replace(".", "/")) == "1":
            remedy = f"Find who sets it in the pod, and recreate the pod: {ANEW}"
            cause = _cause(end, family, f"{what}: {setting} is 1", remedy)
            return dataclasses.replace(cause, traits=frozenset({Trait.IPV6_OFF_IN_POD}))
        if link.kind == "veth" and link.mtu < IPV6_MINIMUM:
            why = f"{link.name} has MTU {link.mtu} bytes, IPv6 needs {IPV6_MINIMUM} bytes"
            remedy = f"Give it the MTU of other pods, and recreate the pod: {ANEW}"
            return _cause(end, family, f"{what}: {why}", remedy, narrow=True)
    remedy = "See the log of the CNI plugins on its node, and recreate the pod"
    return _cause(end, family, what, remedy)


def _cause(end: Endpoint, family: Family, what: str, remedy: str, *, narrow: bool = False) -> Cause:
    """`narrow` is a link too narrow for large packets of the other family too."""

    def its_own(flow: Flow) -> bool:
        return end.name in (flow.source.name, flow.destination.name)

    def concerns(flow: Flow) -> bool:
        return carried_over(flow) is family and its_own(flow)

    def hits(wrong: Disagreement) -> bool:
        flow = wrong.observation.flow
        return concerns(flow) or (narrow and sized(wrong) and its_own(flow))

    return Cause(
        "pod-address",
        end.called,
        what,
        remedy,
        (family,),
        Confidence.SHOWN,
        hits=hits,
        must=concerns,
    )


RULES = (
    CauseRule(
        "pod-address",
        "A pod does not have the address that the API server shows, or cannot use it",
        "addresses, devices and settings inside the pods that most failures have in common",
        find,
        ("I13", "I4"),
        "RFC 4862 section 5.4, RFC 8200 section 5",
    ),
    CauseRule(
        "pod-mtu",
        "A pod's interface has another MTU than pods have",
        "devices inside the pods that failures have in common, and the nodes' ends of pods' links",
        find,
        ("I3",),
    ),
)
