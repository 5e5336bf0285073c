"""Whether a bed is whole: what `up` waits for and what `status` shows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from testbed.cluster import kindnet, metallb
from testbed.cluster.calico import POOLS
from testbed.cluster.kube import Kubectl
from testbed.host.engine import Engine
from testbed.network import firewall, outside, router
from testbed.variants import calico
from testbed.variants.keys import NetworkPlugin
from testbed.variants.variant import Variant

WORKLOADS = (
    ("kube-system", "daemonset", "kube-proxy"),
    ("kube-system", "deployment", "coredns"),
)
METALLB = (
    (metallb.NAMESPACE, "deployment", "controller"),
    (metallb.NAMESPACE, "daemonset", "speaker"),
)
PLUGINS = {
    NetworkPlugin.CALICO: (
        ("kube-system", "daemonset", "calico-node"),
        ("kube-system", "deployment", "calico-kube-controllers"),
        ("calico-apiserver", "deployment", "calico-apiserver"),
    ),
    NetworkPlugin.KINDNET: (("kube-system", "daemonset", kindnet.NAME),),
}


@dataclass(frozen=True, slots=True)
class Check:
    """A condition that must hold, and what was seen."""

    name: str
    ok: bool
    seen: str


def containers(engine: Engine, variant: Variant) -> Iterator[Check]:
    wanted = [*variant.nodes, variant.outside]
    wanted += router.containers(variant) if variant.bgp else ()
    listed = engine.attempt("ps", "--format", "{{.Names}}", timeout=20).out.split()
    for name in wanted:
        yield Check(f"container {name}", name in listed, "runs" if name in listed else "absent")


def fence(variant: Variant) -> Check:
    stands = firewall.standing(variant.bridge)
    return Check(
        "fence", stands, f"nft table {firewall.table(variant.bridge)}" if stands else "absent"
    )


def node_check(node: dict[str, Any]) -> Check:
    conditions = {c["type"]: c["status"] for c in node["status"].get("conditions", [])}
    cidrs = node["spec"].get("podCIDRs", [])
    ready = conditions.get("Ready") == "True"
    text = "Ready" if ready else "not Ready"
    return Check(f"node {node['metadata']['name']}", ready, f"{text}, {len(cidrs)} pod CIDRs")


def workload_check(item: dict[str, Any]) -> Check:
    """A DaemonSet or Deployment whose every pod is updated and ready."""
    status, name = item.get("status", {}), item["metadata"]["name"]
    if item["kind"] == "DaemonSet":
        wanted = status.get("desiredNumberScheduled", 0)
        ready, updated = status.get("numberReady", 0), status.get("updatedNumberScheduled", 0)
    else:
        wanted = item["spec"].get("replicas", 1)
        ready, updated = status.get("readyReplicas", 0), status.get("updatedReplicas", 0)
    current = status.get("observedGeneration") == item["metadata"].get("generation")
    ok = bool(wanted) and current and ready == wanted == updated
    return Check(name, ok, f"{ready} of {wanted} ready")


def api_check(service: dict[str, Any]) -> Check:
    conditions = service.get("status", {}).get("conditions", [])
    ok = any(c["type"] == "Available" and c["status"] == "True" for c in conditions)
    return Check("projectcalico.org/v3", ok, "served" if ok else "not served")


def cluster(kubectl: Kubectl, variant: Variant) -> Iterator[Check]:
    """What the API server reports about nodes, workloads and, where Calico runs, its API."""
    listed = kubectl.attempt(
        *("get", "nodes,daemonsets,deployments,apiservices", "--all-namespaces"),
        "--output=json",
        timeout=20,
    )
    if not listed.ok:
        yield Check("API server", False, listed.tail())
        return
    yield Check("API server", True, "answers")
    items = json.loads(listed.out)["items"]
    yield from (node_check(item) for item in items if item["kind"] == "Node")
    workloads = (*WORKLOADS, *PLUGINS[variant.network_plugin])
    workloads += METALLB if variant.metallb else ()
    for namespace, kind, name in workloads:
        found = [
            item
            for item in items
            if (item["kind"].lower(), item["metadata"]["name"]) == (kind, name)
            and item["metadata"]["namespace"] == namespace
        ]
        yield workload_check(found[0]) if found else Check(name, False, "absent")
    if variant.calico:
        served = [item for item in items if item["metadata"]["name"] == "v3.projectcalico.org"]
        yield api_check(served[0]) if served else Check("projectcalico.org/v3", False, "absent")


def across(engine: Engine, kubectl: Kubectl, variant: Variant) -> Iterator[Check]:
    """One packet of each family from every node to DNS pods on others, or to its own where no other
    has any."""
    pods = kubectl.get("pods", "--namespace=kube-system", "--selector=k8s-app=kube-dns")["items"]
    for node in variant.nodes:
        others = [pod for pod in pods if pod["spec"].get("nodeName") != node]
        targets = [
            entry["ip"] for pod in others or pods for entry in pod["status"].get("podIPs", [])
        ]
        for target in targets:
            done = engine.attempt("exec", node, "ping", "-c1", "-W1", target, timeout=10)
            family = "IPv6" if ":" in target else "IPv4"
            seen = "answers" if done.ok else "no answer"
            yield Check(f"{node} to pod {target} over {family}", done.ok, seen)


def beyond(engine: Engine, variant: Variant) -> Iterator[Check]:
    """One packet from every node to the global address outside."""
    for node, answers in outside.reached(engine, variant):
        name = f"{node} to the global address outside"
        yield Check(name, answers, "answers" if answers else "no answer")


def peerings(engine: Engine, variant: Variant) -> Iterator[Check]:
    """The router's BGP session to each node over each family, where the variant has BGP."""
    if variant.bgp:
        for node, family, state in router.sessions(engine, variant):
            name = f"BGP session of {variant.router} to {node} over {family}"
            yield Check(name, state == "Established", state)


def balancing(kubectl: Kubectl, variant: Variant) -> Iterator[Check]:
    """The pool of load balancer addresses of each family that has such a range, and MetalLB's."""
    if variant.metallb:
        listed = kubectl.attempt(
            "get", metallb.POOLS, "--all-namespaces", "--output=name", timeout=20
        )
        found = bool(listed.out.split())
        yield Check("MetalLB's addresses", found, "there" if found else "absent")
    wanted = [s.family for s in variant.stacks if s.load_balancer]
    if not wanted:
        return
    listed = kubectl.attempt("get", POOLS, "--output=name", timeout=20)
    there = {line.rpartition("/")[2] for line in listed.out.split()}
    for family in wanted:
        name = calico.load_balancer_pool(family)
        seen = "there" if name in there else "absent"
        yield Check(f"IPPool {name}", name in there, seen if listed.ok else listed.tail())


def everything(engine: Engine, variant: Variant) -> list[Check]:
    checks = [*containers(engine, variant), fence(variant)]
    if all(check.ok for check in checks if check.name.startswith("container ")):
        checks += beyond(engine, variant)
        checks += peerings(engine, variant)
    if all(check.ok for check in checks if check.name.endswith("control-plane")):
        kubectl = Kubectl(engine, variant.control_plane)
        checks += [*cluster(kubectl, variant), *balancing(kubectl, variant)]
    return checks
