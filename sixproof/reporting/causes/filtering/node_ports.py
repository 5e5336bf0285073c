"""NodePorts: kube-proxy serves them on ranges that hold no address of a family."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sixproof import yaml_text
from sixproof.errors import TextError
from sixproof.kube.api import json_fields
from sixproof.model import Disagreement, Family, IPAddress, IPNetwork
from sixproof.reporting.conclusion.cause import Cause, CauseRule, Confidence
from sixproof.reporting.conclusion.reach import carried_over
from sixproof.reporting.conclusion.situation import Situation
from sixproof.reporting.diagnosis.merged import behind

SETTING = "nodePortAddresses"


def find(situation: Situation) -> Iterator[Cause]:
    """Each family that has ranges, none of which holds an address of a node."""
    ranges = _ranges(situation.examination.settings.get("kube-proxy", ""))
    for family in Family:
        mine = [r for r in ranges if Family.of(r) is family]
        held = [a for those in situation.node_addresses.values() for a in those]
        if not mine or any(address in r for address in held for r in mine):
            continue

        ranges_text = ", ".join(map(str, ranges))
        yield Cause(
            "node-port-addresses",
            "kube-proxy",
            f"{SETTING} ({ranges_text}) holds no {family} address of any node: NodePorts are not "
            f"served over {family}",
            f"Add the nodes' {family} range to {SETTING} in ConfigMap kube-system/kube-proxy, and "
            f"restart kube-proxy",
            (family,),
            Confidence.SHOWN,
            hits=_to_nodes(held, family),
        )


def _to_nodes(held: list[IPAddress], family: Family) -> Callable[[Disagreement], bool]:
    """Flows to services at addresses of nodes."""

    def hits(wrong: Disagreement) -> bool:
        flow = wrong.observation.flow
        return behind(flow.destination) and flow.address in held and carried_over(flow) is family

    return hits


def _ranges(text: str) -> tuple[IPNetwork, ...]:
    try:
        config = yaml_text.document(text)
    except TextError:
        return ()
    return json_fields.networks(json_fields.strings(config, SETTING))


RULES = (
    CauseRule(
        "node-port-addresses",
        "kube-proxy's nodePortAddresses has no range with an address of a family",
        "ConfigMap kube-system/kube-proxy, and the InternalIPs of nodes",
        find,
        ("R8",),
        "Kubernetes documentation, KubeProxyConfiguration: nodePortAddresses",
    ),
)
