"""NodePorts: kube-proxy serves them on ranges that hold no address of a family."""

from __future__ import annotations

from collections.abc import Iterator

from sixproof import yaml_text
from sixproof.errors import TextError
from sixproof.kube.api import json_fields
from sixproof.model import EndpointKind, Family, Flow, IPNetwork
from sixproof.reporting.conclusion.cause import Cause, Confidence, Rule
from sixproof.reporting.conclusion.reach import carried_over
from sixproof.reporting.conclusion.situation import Situation

SETTING = "nodePortAddresses"


def find(situation: Situation) -> Iterator[Cause]:
    """Each family that has ranges, none of which holds an address of a node."""
    ranges = _ranges(situation.examination.settings.get("kube-proxy", ""))
    for family in Family:
        mine = [r for r in ranges if Family.of(r) is family]
        held = [a for those in situation.node_addresses.values() for a in those]
        if not mine or any(address in r for address in held for r in mine):
            continue

        def to_node_ports(flow: Flow, family: Family = family) -> bool:
            return flow.destination.kind is EndpointKind.NODE and carried_over(flow) is family

        told = ", ".join(map(str, ranges))
        yield Cause(
            "node-port-addresses",
            "kube-proxy",
            f"{SETTING} ({told}) holds no {family} address of any node: NodePorts are not served "
            f"over {family}",
            f"Add the nodes' {family} range to {SETTING} in ConfigMap kube-system/kube-proxy, and "
            f"restart kube-proxy",
            (family,),
            Confidence.SHOWN,
            hits=lambda wrong, test=to_node_ports: test(wrong.observation.flow),  # type: ignore[misc]
            must=to_node_ports,
            like="kubernetes/kubernetes 122899",
        )


def _ranges(text: str) -> tuple[IPNetwork, ...]:
    try:
        config = yaml_text.document(text)
    except TextError:
        return ()
    return json_fields.networks(json_fields.strings(config, SETTING))


RULES = (
    Rule(
        "node-port-addresses",
        "kube-proxy's nodePortAddresses has no range with an address of a family",
        "ConfigMap kube-system/kube-proxy, and the InternalIPs of nodes",
        find,
        ("R8",),
        "kubernetes/kubernetes 122899",
    ),
)
