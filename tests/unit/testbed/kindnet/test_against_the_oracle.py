"""The plugin's rules and the harness's oracle answer alike, case by case of the catalogue.

Neither knows the other. The rules are interpreted here: nothing of a kernel is asked.
"""

from __future__ import annotations

import ipaddress
import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from sixproof.model import Endpoint, Family, Flow, IPAddress, Protocol
from sixproof.policy import KUBERNETES, Oracle, Verdict
from sixproof.workloads.policy import cases as policy_cases
from sixproof.workloads.policy.cases import PolicyCase
from sixproof.workloads.probe_pods.ports import POD_PORTS, PortSpec
from testbed.kindnet import rules
from testbed.kindnet.rules import ClusterView
from tests.unit.workloads.policy.policy_snapshot_sample import FACTS, HOSTS, PODS, SCENE, WORLD

MANIFESTS = Path(__file__).parents[4] / "manifests" / "policy"
VALUES = policy_cases.values(SCENE, FACTS)
RANGES = ["10.244.0.0/16", "fd00:10:244::/56"]
API = "networking.k8s.io/v1"


def of_kubernetes() -> Iterator[PolicyCase]:
    """The cases that NetworkPolicies alone make."""
    for case in policy_cases.read(MANIFESTS):
        if not case.lacks(VALUES):
            made = case.manifests(SCENE, VALUES)
            if {(m["kind"], m["apiVersion"]) for m in made} == {("NetworkPolicy", API)}:
                yield case


CASES = list(of_kubernetes())


def pod(endpoint: Endpoint) -> dict[str, Any]:
    """A pod of the scene as the API server has it."""
    named = SCENE.named_ports()[endpoint.namespace, endpoint.pod]
    ports = [
        {"name": p.name, "protocol": p.protocol.value, "containerPort": p.number} for p in named
    ]
    return {
        "metadata": {
            "namespace": endpoint.namespace,
            "name": endpoint.pod,
            "labels": dict(endpoint.labels),
        },
        "spec": {"nodeName": endpoint.node, "containers": [{"ports": ports}]},
        "status": {
            "phase": "Running",
            "podIPs": [{"ip": str(address)} for address in endpoint.addresses],
        },
    }


class Node:
    """What a node does with packets that it forwards, by the text of its rules."""

    def __init__(self, text: str) -> None:
        found = re.findall(r"^  chain (\S+) {\n((?:    .*\n)*)  }$", text, re.M)
        self.chains: dict[str, list[str]] = {
            name: [line.strip() for line in lines.splitlines()] for name, lines in found
        }

    def forwards(
        self, source: IPAddress, destination: IPAddress, protocol: Protocol, port: int
    ) -> bool:
        """Whether a first packet passes."""
        sides = {"saddr": source, "daddr": destination}
        for rule in self.chains["forward"]:
            asked = re.fullmatch(r"(ip6?) (saddr|daddr) vmap { (.*) }", rule)
            if not asked or asked[1] != ("ip6" if source.version == 6 else "ip"):
                continue
            chains = dict(entry.split(" : jump ") for entry in asked[3].split(", "))
            name = chains.get(str(sides[asked[2]]))
            if name and not self.returns(name, sides, protocol, port):
                return False
        return True

    def returns(
        self, chain: str, sides: dict[str, IPAddress], protocol: Protocol, port: int
    ) -> bool:
        for rule in self.chains[chain]:
            if rule.startswith("comment"):
                continue
            match, _, verdict = rule.rpartition(" ")
            if holds(match, sides, protocol.value.lower(), port):
                return verdict == "return"
        raise AssertionError(f"{chain} has no end")


def holds(match: str, sides: dict[str, IPAddress], protocol: str, port: int) -> bool:
    """Whether a packet is what the words of a match say."""
    rest = match
    while rest:
        if part := re.match(r"(ip6?) (saddr|daddr) { ([^}]*) } ?", rest):
            address = sides[part[2]]
            networks = map(ipaddress.ip_network, part[3].split(", "))
            fits = (part[1] == "ip6") == (address.version == 6) and any(
                address in network for network in networks
            )
        elif part := re.match(r"(tcp|udp|sctp) dport { ([^}]*) } ?", rest):
            ends = [[*map(int, one.split("-"))] for one in part[2].split(", ")]
            fits = part[1] == protocol and any(e[0] <= port <= e[-1] for e in ends)
        else:
            part = re.match(r"meta l4proto (tcp|udp|sctp) ?", rest)
            assert part, rest
            fits = part[1] == protocol
        if not fits:
            return False
        rest = rest[part.end() :]
    return True


def nodes(manifests: Sequence[dict[str, Any]]) -> dict[str, Node]:
    labels = SCENE.namespace_labels()
    spaces = [
        {"metadata": {"name": name, "labels": {**given, "kubernetes.io/metadata.name": name}}}
        for name, given in labels.items()
    ]
    cluster = ClusterView.of(map(pod, PODS), spaces, manifests)
    return {h.node: Node(rules.ruleset(cluster, h.node, RANGES)) for h in HOSTS}


def flows() -> Iterator[tuple[Flow, PortSpec]]:
    """Pods to pods, and nodes to pods of others: what a node forwards."""
    for source, destination in itertools.product((*PODS, *HOSTS), PODS):
        if source == destination or (source in HOSTS and source.node == destination.node):
            continue
        for family, spec in itertools.product(Family, POD_PORTS):
            address = destination.address(family)
            assert address is not None
            yield Flow(source, destination, address, spec.protocol, spec.port), spec


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_the_rules_let_pass_is_what_the_api_allows(case: PolicyCase) -> None:
    manifests = case.manifests(SCENE, VALUES)
    oracle, at = Oracle.of(manifests, WORLD, KUBERNETES), nodes(manifests)
    wrong, judged = [], 0
    for flow, spec in flows():
        verdict = oracle.judge(flow).verdict
        if verdict is Verdict.UNDEFINED:
            continue
        judged += 1
        source = flow.source.address(flow.family)
        assert source is not None
        assert spec.port is not None
        # A node's own packets are not forwarded by it.
        way = {flow.destination.node} | ({flow.source.node} if flow.source in PODS else set())
        passes = all(
            at[name].forwards(source, flow.address, spec.protocol, spec.port) for name in way
        )
        if passes is not (verdict is Verdict.ALLOWED):
            wrong.append(f"{flow.source.name} -> {flow.destination.name} {flow.port_spec}")
    assert judged > 100
    assert wrong == []


def test_most_cases_of_the_api_are_tried() -> None:
    assert len(CASES) >= 45
