"""Calico's BGP: the manifest with BIRD, and the objects that define the nodes' peers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from testbed.record import Machine
from testbed.variants.keys import Bgp, Family, Peering
from testbed.variants.variant import Variant

MANIFEST = "calico.yaml"
API = "crd.projectcalico.org/v1"
REFLECTOR = "route-reflector == 'true'"
REFLECTOR_LABEL = "route-reflector=true"
CLUSTER_ID = "projectcalico.org/RouteReflectorClusterID=244.0.0.1"


def probes(pod: dict[str, Any], families: tuple[Family, ...]) -> None:
    """Make calico-node Ready when BIRD of each of these families is, not only of IPv4."""
    wanted = [f"-bird{'6' if f is Family.IPV6 else ''}" for f in families]
    container = pod["containers"][0]
    for probe, suffix in (("readinessProbe", "-ready"), ("livenessProbe", "-live")):
        words = container[probe]["exec"]["command"]
        kept = [word for word in words if not word.startswith("-bird")]
        container[probe]["exec"]["command"] = [*kept, *(f"{word}{suffix}" for word in wanted)]


def objects(variant: Variant, bgp: Bgp, router: Machine) -> Iterator[dict[str, Any]]:
    """BGPConfiguration and BGPPeers: the router for every node, the reflector for all others.

    Routes of pods have a community that is named in `communities`, and a large one. Nodes announce
    the ranges of ClusterIPs, load balancer addresses and external IPs; for a service with
    externalTrafficPolicy Local, nodes with a backend announce its addresses one by one.
    """
    mesh = bgp.peering is Peering.MESH
    announced = {
        "serviceLoadBalancerIPs": [s.load_balancer for s in variant.stacks if s.load_balancer],
        "serviceExternalIPs": [s.external for s in variant.stacks if s.external],
    }
    yield _object(
        "BGPConfiguration",
        "default",
        asNumber=bgp.as_number,
        nodeToNodeMeshEnabled=mesh,
        serviceClusterIPs=[{"cidr": cidr} for cidr in variant.service_subnets],
        communities=[{"name": "pods", "value": f"{bgp.as_number}:100"}],
        prefixAdvertisements=[
            {
                "cidr": str(stack.pods),
                "communities": ["pods", f"{bgp.as_number}:100:{stack.family.version}"],
            }
            for stack in variant.stacks
        ],
        **{key: [{"cidr": str(r)} for r in ranges] for key, ranges in announced.items() if ranges},
    )
    for family in variant.families:
        address = router.ipv6 if family is Family.IPV6 else router.ipv4
        yield _object(
            "BGPPeer",
            f"router-{family.lower()}",
            peerIP=address,
            asNumber=bgp.router_as_number,
            keepOriginalNextHop=True,
        )
    if not mesh:
        yield _object("BGPPeer", "route-reflectors", nodeSelector="all()", peerSelector=REFLECTOR)


def _object(kind: str, name: str, **spec: object) -> dict[str, Any]:
    return {"apiVersion": API, "kind": kind, "metadata": {"name": name}, "spec": spec}
