"""A made-up cluster with Calico as a bundle sees it: everything is as it should be."""

from __future__ import annotations

import dataclasses
import datetime
import ipaddress
from typing import Any

from sixproof.calico.bgp.configuration import Bgp
from sixproof.calico.pools import Pool
from sixproof.calico.state import CalicoState
from sixproof.kube.facts import diagnostics
from sixproof.kube.facts.diagnostics import Part
from sixproof.model import ClusterFacts, Family, NodeFacts
from sixproof.probes.nodes.examination import NodeReading
from sixproof.reporting.bundle.check_list import check_list
from sixproof.reporting.bundle.evidence import RunEvidence
from sixproof.reporting.bundle.judged import Judged
from tests.unit.reporting.conclusion.cluster import node
from tests.unit.reporting.samples import NODES, pods

TAKEN = datetime.datetime(2026, 11, 23, 2, 0, tzinfo=datetime.UTC)
POOLS = (
    Pool("four", ipaddress.ip_network("192.168.0.0/16"), 26),
    Pool("six", ipaddress.ip_network("fd00:10:244::/56"), 122),
)
CALICO = CalicoState("projectcalico.org/v3", POOLS, bgp=Bgp(enabled=False), backend="vxlan")
FACTS = ClusterFacts(
    "https://api",
    "v1.34.1",
    tuple(
        NodeFacts(
            name,
            (ipaddress.ip_address(f"192.0.2.{i}"), ipaddress.ip_address(f"2001:db8::{i}")),
            kernel="6.1",
        )
        for i, name in enumerate(NODES, 1)
    ),
    service_families=tuple(Family),
    pod_families=tuple(Family),
    cni="Calico",
    cni_version="v3.31.0",
    kube_proxy_mode="iptables",
)


def component(label: str, where: str, ready: bool = True, **more: Any) -> dict[str, Any]:
    """A pod of the cluster's own."""
    return {
        "metadata": {
            "name": f"{label}-{where}",
            "namespace": "kube-system",
            "labels": {"k8s-app": label},
            **more,
        },
        "spec": {"nodeName": where},
        "status": {"conditions": [{"type": "Ready", "status": str(ready)}]},
    }


def affinity(where: str, cidr: str, state: str = "confirmed") -> dict[str, Any]:
    """A BlockAffinity."""
    spec = {"cidr": cidr, "node": where, "state": state, "deleted": "false"}
    return {"metadata": {"name": f"{where}-{cidr}"}, "spec": spec}


AFFINITIES = tuple(
    affinity(name, cidr)
    for i, name in enumerate(NODES)
    for cidr in (f"192.168.{i}.0/26", f"fd00:10:244:{i}::/122")
)
PARTS = (
    Part(
        diagnostics.PODS,
        "kubectl get pods",
        tuple(component(k, n) for k in ("calico-node", "kube-proxy", "kube-dns") for n in NODES),
    ),
    Part(diagnostics.AFFINITIES, "kubectl get blockaffinities", AFFINITIES),
)


def evidence(**changes: Any) -> RunEvidence:
    """What a run on such a cluster holds; `changes` replace fields."""
    healthy = RunEvidence(
        run_id="abc123",
        harness="0.1.0",
        taken=TAKEN,
        facts=FACTS,
        parts=PARTS,
        calico=CALICO,
        readings=tuple(NodeReading(name, node(name)) for name in NODES),
        pods=pods(),
    )
    return dataclasses.replace(healthy, **changes)


def with_part(name: str, *objects: dict[str, Any], **more: Any) -> tuple[Part, ...]:
    """The parts with this one in its place."""
    return (*(p for p in PARTS if p.name != name), Part(name, "", objects, **more))


def judged(code: str, **changes: Any) -> Judged:
    """An item by that evidence."""
    return {one.code: one for one in check_list(evidence(**changes))}[code]
