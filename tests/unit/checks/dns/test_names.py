"""Names to ask for: what is made so that there are some, and what is said where that fails."""

from __future__ import annotations

import ipaddress
import itertools
from typing import Any, cast

import pytest

from sixproof.checks.dns.names import Named, await_endpoints, make_services, unused
from sixproof.errors import ApiError, NotAsked, NotReady
from sixproof.kube.api.client import Cluster
from sixproof.model import Endpoint, EndpointKind, Family
from sixproof.probes.dns.servers import ClusterDns, ResolvConf
from sixproof.probes.dns.verdict import DnsServer
from sixproof.workloads.dns.services import NameSet
from sixproof.workloads.probe_pods.identity import Run
from sixproof.workloads.probe_pods.topology import ProbeTopology
from tests.unit.workloads.memory import Manifest, MemoryCluster

RUN = Run.new()
NAMES = NameSet(RUN, RUN.namespace("a"), (Family.IPV4, Family.IPV6))
V4, V6 = ipaddress.ip_address("10.96.0.10"), ipaddress.ip_address("fd00:10:96::a")
POD = Endpoint(
    "a@n1", EndpointKind.POD, tuple(map(ipaddress.ip_address, ("10.244.1.5", "fd00::5"))),
    RUN.namespace("a"), "a-n1", "n1",
)  # fmt: skip


class Refusing(MemoryCluster):
    """A cluster in which EndpointSlices are refused with a status."""

    def __init__(self, status: int) -> None:
        super().__init__()
        self.status = status

    def apply(self, manifest: Manifest) -> Manifest:
        """Refuse what is no service."""
        if manifest["kind"] == "EndpointSlice":
            raise ApiError(f"refused with {self.status}", status=self.status)
        return super().apply(manifest)


def named(cluster: MemoryCluster) -> Named:
    """The services of a set, and a pod behind them."""
    make_services(cast(Cluster, cluster), NAMES, "cluster.local")
    return Named(NAMES, (POD,), itertools.count(1))


def of_kind(cluster: MemoryCluster, kind: str) -> set[str]:
    return {name for found, _, name in cluster.objects if found == kind}


def test_every_family_policy_has_its_names_and_hand_made_slices_theirs() -> None:
    """An alias leads to the first of them."""
    cluster = MemoryCluster()
    named(cluster)
    names = of_kind(cluster, "Service")
    assert names >= {NAMES.name(f"clusterip-{s}") for s in ("v46", "v64", "v4", "v6")}
    assert of_kind(cluster, "EndpointSlice") == {
        f"{NAMES.name(part)}-{family}"
        for part in ("hosts", "big", "moving")
        for family in ("ipv4", "ipv6")
    }
    alias = cluster.objects["Service", NAMES.namespace, NAMES.name("alias")]
    target = f"{NAMES.name('clusterip-v46')}.{NAMES.namespace}.svc.cluster.local"
    assert alias["spec"]["externalName"] == target


def test_where_slices_may_not_be_made_nothing_is_asked() -> None:
    """The permission is named; any other refusal is the API's own."""
    with pytest.raises(NotAsked, match="no permission to create EndpointSlices") as caught:
        named(Refusing(403))
    assert "endpointslices.discovery.k8s.io" in caught.value.enable
    with pytest.raises(ApiError, match="refused with 500"):
        named(Refusing(500))


def test_endpoints_that_do_not_come_are_reported_by_service() -> None:
    """With how many there are and how many pods there should be."""
    cluster = MemoryCluster()
    made = named(cluster)
    with pytest.raises(NotReady) as caught:
        await_endpoints(cast(Cluster, cluster), made, timeout=0.02)
    text = str(caught.value)
    assert text.startswith(f"EndpointSlices of services in {NAMES.namespace} after 0 s:")
    assert f"'{NAMES.name('headless-v46')}': 0" in text
    assert text.endswith("of 1 pods")


def test_endpoints_that_have_come_are_waited_for_no_longer() -> None:
    """One of each family for every pod, also of the one that is published unready."""
    cluster = MemoryCluster()
    made = named(cluster)
    for service, families in {
        **{NAMES.name(f"headless-{stack}"): fs for stack, fs in NAMES.stacks().items()},
        NAMES.name("published"): NAMES.families,
    }.items():
        for family in families:
            cluster.apply(listing(service, family))
    await_endpoints(cast(Cluster, cluster), made, timeout=0.02)


def listing(service: str, family: Family) -> dict[str, Any]:
    """A slice with the pod's address."""
    labels = {**NAMES.labels(), "kubernetes.io/service-name": service}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{service}-{family.lower()}-1",
            "namespace": NAMES.namespace,
            "labels": labels,
        },
        "addressType": family.value,
        "endpoints": [{"addresses": [str(POD.address(family))]}],
    }


@pytest.mark.parametrize(
    ("nameservers", "left"), [((V4,), [V6]), ((V6,), [V4]), ((V4, V6), [])], ids=str
)
def test_what_resolvers_do_not_use_is_left_for_other_pods(
    nameservers: tuple[Any, ...], left: list[Any]
) -> None:
    """The DNS service's addresses of families that pods have."""
    dns = ClusterDns(
        "cluster.local", "kube-system/kube-dns", (DnsServer("dns", V4), DnsServer("dns", V6)), ()
    )
    assert unused(dns, ResolvConf(nameservers), ProbeTopology(RUN, (POD,), ())) == left
    only_four = ProbeTopology(RUN, (Endpoint("b", EndpointKind.POD, POD.addresses[:1]),), ())
    assert V6 not in unused(dns, ResolvConf(nameservers), only_four)
