"""The DNS is reachable over UDP and TCP, over each family, from pods and from nodes.

Why: an answer over one path hides that another is dead, until an answer is truncated (RFC 7766) or
the working family fails (RFC 3901).
"""

from __future__ import annotations

import pytest

from fixtures.options import Settings
from sixproof.checks.dns.resolution import Resolution
from sixproof.errors import Subject
from sixproof.probes.dns.records import Answers
from sixproof.probes.dns.servers import ClusterDns
from sixproof.probes.dns.verdict import DnsServer
from sixproof.reporting.diagnosis.evidence import require_none
from sixproof.workloads.probe_pods.topology import ProbeTopology

pytestmark = [pytest.mark.feature("DNS"), pytest.mark.covers("D1")]


@pytest.mark.quick
@pytest.mark.story("families")
def test_the_dns_service_has_each_required_family(
    settings: Settings, cluster_dns: ClusterDns
) -> None:
    """The DNS service has a clusterIP of every family that the cluster must have.

    Why: without one, every lookup of every pod depends on the other family, and a pod with this
    family only resolves nothing. kubeadm makes the service single-stack, even in dual-stack
    clusters.
    """
    missing = [f for f in settings.require_families if not cluster_dns.of(f)]
    have = ", ".join(str(s.address) for s in cluster_dns.addresses)
    wrong = {
        f"Service {cluster_dns.service} has no {family} clusterIP, only {have} "
        "(kubectl patch it with ipFamilyPolicy: PreferDualStack)": (
            Subject("Service", cluster_dns.service)
        )
        for family in missing
    }
    require_none(wrong, *missing)


@pytest.mark.quick
@pytest.mark.story("transports")
def test_pods_reach_the_dns_service(
    topology: ProbeTopology,
    dns_service: tuple[DnsServer, ...],
    kubernetes_ports: Answers,
    resolution: Resolution,
) -> None:
    """From every pod, the DNS service answers at its address of the family, over UDP and TCP."""
    resolution.must_carry("pods to the DNS service", kubernetes_ports, dns_service, topology.pods)


@pytest.mark.story("transports")
def test_nodes_reach_the_dns_service(
    topology: ProbeTopology,
    dns_service: tuple[DnsServer, ...],
    kubernetes_ports: Answers,
    resolution: Resolution,
) -> None:
    """From the host network of every node, the DNS service answers over UDP and TCP."""
    resolution.must_carry("nodes to the DNS service", kubernetes_ports, dns_service, topology.hosts)


@pytest.mark.story("transports")
def test_pods_reach_every_dns_pod(
    topology: ProbeTopology,
    dns_pods: tuple[DnsServer, ...],
    kubernetes_ports: Answers,
    resolution: Resolution,
) -> None:
    """From a pod on every node, each DNS pod answers at its own address, over UDP and TCP.

    Why: behind the service, one dead path out of many shows as an occasional failure.
    """
    sources = (*topology.in_namespace("a"), *topology.hosts)
    resolution.must_carry("every DNS pod by itself", kubernetes_ports, dns_pods, sources)


@pytest.mark.story("transports")
def test_families_and_transports_agree(
    topology: ProbeTopology,
    kubernetes_ports: Answers,
    cluster_dns: ClusterDns,
    resolution: Resolution,
) -> None:
    """Every path to the DNS that works over one family or transport works over the other."""
    servers = (*cluster_dns.addresses, *cluster_dns.pods)
    resolution.must_carry(
        "every way to the DNS", kubernetes_ports, servers, topology.in_namespace("a")
    )
