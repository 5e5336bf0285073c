"""How fast the policy oracle judges: 10 000 flows under 50 policies, pure Python, one core.

Run with ``python -m benchmarks.bench_oracle`` from the checkout. The target is under one second.
"""

from __future__ import annotations

import ipaddress
import itertools
import time

from sixproof.model import Endpoint, EndpointKind, Family, Flow, Protocol
from sixproof.policy import ClusterSnapshot, Oracle, Verdict

FLOWS = 10_000
TARGET = 1.0

Manifest = dict[str, object]


def pods(namespaces: int = 10, each: int = 10) -> list[Endpoint]:
    """Dual-stack pods, as many in every namespace, on three nodes."""
    made = []
    for space, i in itertools.product(range(namespaces), range(each)):
        n = space * each + i + 1
        addresses = ipaddress.ip_address(f"10.244.0.{n}"), ipaddress.ip_address(f"fd00:244::{n:x}")
        made.append(
            Endpoint(
                name=f"pod-{space}-{i}",
                kind=EndpointKind.POD,
                addresses=addresses,
                namespace=f"space-{space}",
                node=f"worker-{n % 3}",
                labels=(("app", f"app-{i % 5}"), ("tier", "front" if i % 2 else "back")),
                service_account="default",
            )
        )
    return made


def flows(endpoints: list[Endpoint], ports: tuple[int, ...] = (80, 443, 5432, 8080)) -> list[Flow]:
    """Flows between all pods, over both families, changing ports and protocols."""
    made = []
    pairs = itertools.cycle(itertools.product(endpoints, repeat=2))
    for i, (source, destination) in enumerate(itertools.islice(pairs, FLOWS)):
        address = destination.address(Family.IPV6 if i % 2 else Family.IPV4)
        assert address is not None
        protocol = Protocol.UDP if i % 7 == 0 else Protocol.TCP
        made.append(Flow(source, destination, address, protocol, ports[i % len(ports)]))
    return made


def mixed() -> list[Manifest]:
    """50 policies as a cluster has them: most of Kubernetes, some of Calico, two of admins."""
    return [
        *(_network_policy(i) for i in range(30)),
        *(_calico(i, f"space-{i}") for i in range(10)),
        *(_calico(i, "") for i in range(8)),
        *(_admin(i) for i in range(2)),
    ]


def worst() -> list[Manifest]:
    """50 global policies that all select every pod, ten rules in each direction, few matching."""
    return [_calico(i, "", rules=10) for i in range(50)]


def _network_policy(i: int) -> Manifest:
    peers: list[Manifest] = [
        {"podSelector": {"matchLabels": {"app": f"app-{i % 5}"}}},
        {"namespaceSelector": {"matchLabels": {"team": f"team-{i % 3}"}}},
        {"ipBlock": {"cidr": "10.244.0.0/16", "except": [f"10.244.0.{4 * i}/30"]}},
        {"ipBlock": {"cidr": "fd00:244::/64"}},
    ]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": f"policy-{i}", "namespace": f"space-{i % 10}"},
        "spec": {
            "podSelector": {"matchLabels": {"app": f"app-{i % 4}"}},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": peers, "ports": [{"port": 80}, {"port": 8000, "endPort": 9000}]}],
            "egress": [{"to": peers}, {"ports": [{"port": 53, "protocol": "UDP"}]}],
        },
    }


def _calico(i: int, namespace: str, rules: int = 3) -> Manifest:
    listed = [
        {
            "action": "Deny" if n % 2 else "Allow",
            "protocol": "TCP",
            "source": {
                "selector": f"app == 'app-{n + i}' && tier in {{'front', 'other'}}",
                "namespaceSelector": f"team == 'team-{n}'",
            },
            "destination": {"nets": [f"fd00:244::{16 * n:x}/124"], "ports": [443, "8000:9000"]},
        }
        for n in range(rules)
    ]
    meta = {"name": f"calico-{i}", **({"namespace": namespace} if namespace else {})}
    return {
        "apiVersion": "projectcalico.org/v3",
        "kind": "NetworkPolicy" if namespace else "GlobalNetworkPolicy",
        "metadata": meta,
        "spec": {
            "order": 100 + i,
            "selector": "has(app)",
            "types": ["Ingress", "Egress"],
            "ingress": listed,
            "egress": listed,
        },
    }


def _admin(i: int) -> Manifest:
    peers: list[Manifest] = [{"namespaces": {"matchLabels": {"team": f"team-{i}"}}}]
    return {
        "apiVersion": "policy.networking.k8s.io/v1alpha1",
        "kind": "AdminNetworkPolicy",
        "metadata": {"name": f"admin-{i}"},
        "spec": {
            "priority": i,
            "subject": {"namespaces": {}},
            "ingress": [{"action": "Pass", "from": peers}],
        },
    }


def measure(name: str, manifests: list[Manifest]) -> float:
    """Print how long compiling and judging take; return the CPU seconds of judging."""
    endpoints = pods()
    snapshot = ClusterSnapshot.of({f"space-{i}": {"team": f"team-{i % 4}"} for i in range(10)})
    asked = flows(endpoints)
    started = time.process_time()
    oracle = Oracle.of(manifests, snapshot)
    compiled = time.process_time()
    verdicts = [oracle.judge(flow).verdict for flow in asked]
    judged = time.process_time()
    allowed = verdicts.count(Verdict.ALLOWED)
    print(
        f"{name}: {len(manifests)} policies compiled in {1e3 * (compiled - started):.0f} ms, "
        f"{len(asked)} flows judged in {judged - compiled:.2f} s "
        f"({1e6 * (judged - compiled) / len(asked):.0f} us each, {allowed} allowed)"
    )
    return judged - compiled


def main() -> None:
    """Measure both sets, in CPU time: the machine may be busy with something else."""
    seconds = measure("as in a cluster", mixed())
    measure("worst case", worst())
    print(f"target {TARGET:.0f} s: {'met' if seconds < TARGET else 'MISSED'}")


if __name__ == "__main__":
    main()
