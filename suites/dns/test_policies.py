"""DNS under network policies: DNS allowed alone, and DNS denied in one family only."""

from __future__ import annotations

import pytest

from sixproof.checks.connect.connectivity import Connectivity
from sixproof.checks.dns.confined_pods import Confine, Denied, nothing_but_dns
from sixproof.checks.dns.names import Named
from sixproof.checks.dns.resolution import BOTH, Resolution
from sixproof.model import Family
from sixproof.probes.dns import records
from sixproof.probes.dns.records import Answers
from sixproof.probes.dns.servers import ClusterDns
from sixproof.probes.dns.verdict import DnsServer
from sixproof.workloads.dns import services as workload
from sixproof.workloads.probe_pods.ports import TCP
from sixproof.workloads.probe_pods.topology import ProbeTopology, flows

pytestmark = [pytest.mark.feature("DNS"), pytest.mark.covers("D1", "N1")]


@pytest.mark.story("policies")
def test_a_pod_that_may_only_ask_the_dns_can_ask_it(
    ip_family: Family,
    topology: ProbeTopology,
    named: Named,
    cluster_dns: ClusterDns,
    dns_service: tuple[DnsServer, ...],
    kubernetes_ports: Answers,
    confine: Confine,
    denied: Denied,
    connectivity: Connectivity,
    resolution: Resolution,
) -> None:
    """A pod whose egress is restricted to port 53 of the DNS pods reaches nothing else, and
    resolves names over UDP and TCP.

    Why: every default-deny set-up starts with this rule; without its IPv6 or TCP half, name
    resolution fails intermittently.
    """
    wanted = flows(named.backends, topology.in_namespace("b"), [ip_family], (TCP,))
    others = connectivity.carried_before("everything but the DNS", wanted)
    confine(workload.only_dns(named.names, cluster_dns.namespace, dict(cluster_dns.selector)))
    connectivity.check(denied("everything but the DNS", others), nothing_but_dns)
    resolution.must_answer(
        "the DNS",
        kubernetes_ports,
        servers=dns_service,
        transports=BOTH,
        sources=named.backends,
        every_way=True,
    )


@pytest.mark.story("policies")
def test_a_pod_confined_to_one_family_resolves_over_it_alone(
    ip_family: Family,
    named: Named,
    cluster_dns: ClusterDns,
    dns_service: tuple[DnsServer, ...],
    kubernetes_ports: Answers,
    confine: Confine,
    resolution: Resolution,
) -> None:
    """A pod whose egress is restricted to one family gets every DNS answer over this family, and
    none over the other.

    Why: a policy with blocks of one family silently denies the other.
    """
    silence = records.silent(kubernetes_ports, f"the policy allows {ip_family} only")

    def confined() -> Answers:
        confine(workload.only_family(named.names, ip_family))
        return silence

    others = cluster_dns.of(ip_family.other)
    resolution.must_answer_before(
        f"the DNS over {ip_family.other}",
        kubernetes_ports,
        servers=others,
        sources=named.backends,
    )
    resolution.must_follow(
        f"DNS denied over {ip_family.other}",
        confined,
        ip_family.other,
        servers=others,
        sources=named.backends,
    )
    resolution.must_answer(
        "the family that is allowed", kubernetes_ports, servers=dns_service, sources=named.backends
    )
