"""Every node of a large cluster is reached, and reaches others, over each family.

Why: the other suites cover some nodes, and try each with each. A node beyond them can lack a route,
a tunnel's entry or kube-proxy's rules as well; here each node is tried with some others, which
change by the day (docs/every-node.md).
"""

from __future__ import annotations

import pytest

from sixproof.checks.connect.connectivity import Connectivity
from sixproof.checks.dns.resolution import Resolution
from sixproof.checks.services.service_checks import ServiceChecks
from sixproof.model import Family
from sixproof.probes.connect.payload import largest_udp_payload
from sixproof.probes.connect.probe import ProbeOptions
from sixproof.probes.dns.records import Answers
from sixproof.probes.dns.verdict import DnsServer
from sixproof.workloads.probe_pods.node_pairs import EveryNode
from sixproof.workloads.probe_pods.ports import HOST_AGENT_PORTS, ICMP, TCP, UDP, PortSpec
from sixproof.workloads.services.routing import ServiceTarget

pytestmark = pytest.mark.feature("Every node")


@pytest.mark.story("pods")
def test_pods_of_every_node_reach_pods_of_others(
    every_node: EveryNode,
    ip_family: Family,
    echo_ports: tuple[PortSpec, ...],
    connectivity: Connectivity,
) -> None:
    """A pod on every node reaches pods on at least three other nodes, and is reached by them."""
    pods, ports = every_node.pods, (TCP, UDP, *echo_ports)
    pairs = every_node.flows(pods, pods, [ip_family], ports)
    connectivity.must_work("pods of every node", pairs, headline=True)


@pytest.mark.story("nodes")
def test_every_node_reaches_its_pod_and_pods_of_others(
    every_node: EveryNode, ip_family: Family, connectivity: Connectivity
) -> None:
    """From the host network of every node, its own pod answers, and pods on other nodes.

    Why: the kubelet probes pods of its node; webhooks and node agents call pods of others.
    """
    hosts, pods = every_node.hosts, every_node.pods
    pairs = every_node.flows(hosts, pods, [ip_family], [TCP], own=True)
    connectivity.must_work("every node to pods", pairs)


@pytest.mark.story("nodes")
def test_every_node_reaches_others(
    every_node: EveryNode, ip_family: Family, connectivity: Connectivity
) -> None:
    """From the host network of every node, other nodes answer at their InternalIPs."""
    hosts, ports = every_node.hosts, (*HOST_AGENT_PORTS, ICMP)
    pairs = every_node.flows(hosts, hosts, [ip_family], ports)
    connectivity.must_work("every node to nodes", pairs)


@pytest.mark.story("services")
def test_a_service_answers_on_every_node(
    every_node: EveryNode, web: ServiceTarget, service_checks: ServiceChecks
) -> None:
    """On every node a service answers at its clusterIP of each family, from a pod and from the host
    network.

    Why: each node has rules of its own for services; one that stopped following is alone with it.
    """
    clients = (*every_node.pods, *every_node.hosts)
    service_checks.must_answer("clusterIP on every node", clients, [web])


@pytest.mark.story("DNS")
def test_the_dns_service_answers_on_every_node(
    every_node: EveryNode,
    dns_service: tuple[DnsServer, ...],
    kubernetes_ports: Answers,
    resolution: Resolution,
) -> None:
    """From a pod on every node, the DNS service answers at its address of the family, over UDP and
    TCP."""
    title = "pods of every node to the DNS service"
    resolution.must_carry(title, kubernetes_ports, dns_service, every_node.pods)


@pytest.mark.story("path MTU")
@pytest.mark.covers("F2/M3")
def test_the_largest_datagram_passes_between_nodes(
    every_node: EveryNode, ip_family: Family, pod_mtu: int, connectivity: Connectivity
) -> None:
    """The largest datagram that the pods' MTU leaves passes from a pod on every node to pods on
    others, at the first try, with fragmentation forbidden.

    Why: one link that is too narrow is passed by every small packet.
    """
    size = largest_udp_payload(pod_mtu, ip_family)
    pods = every_node.pods
    options = ProbeOptions(timeout=connectivity.patience, upload=size, dont_fragment=True)
    pairs = every_node.flows(pods, pods, [ip_family], [UDP])
    connectivity.must_work(f"UDP, {size} bytes, pods of every node", pairs, options)
