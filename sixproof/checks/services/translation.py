"""What translates addresses on a cluster: read from Calico's settings, from nodes without it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import ip_address

from sixproof.calico.state import CalicoState
from sixproof.kube.api import json_fields
from sixproof.kube.api.client import Cluster
from sixproof.kube.api.resources import Kind
from sixproof.model import ClusterFacts, Endpoint, IPAddress
from sixproof.probes.connect.probe import AgentClient
from sixproof.probes.nodes import reader
from sixproof.workloads.services.kube_proxy import KubeProxy
from sixproof.workloads.services.source import Outgoing, Translation, gateways, own_addresses


def read(
    cluster: Cluster,
    facts: ClusterFacts,
    proxy: KubeProxy,
    calico: CalicoState | None,
    agents: AgentClient,
    hosts: Sequence[Endpoint],
) -> Translation:
    """What translates addresses; `hosts` are asked for their nodes' addresses where there is no
    Calico."""
    if facts.dataplane == "eBPF":  # handles services itself, whatever kube-proxy is set to
        proxy = KubeProxy()
    nodes = {n.name: n for n in facts.nodes}
    if calico is None:
        own = own_addresses(facts.nodes, gateways(facts.nodes, _held(agents, hosts)))
        return Translation(proxy, Outgoing(), nodes, own)
    outgoing = Outgoing(
        pools=tuple(p.cidr for p in calico.pools),
        masqueraded=tuple(p.cidr for p in calico.pools if p.nat_outgoing),
        hosts_too=_nodes_are_outside(cluster, calico.api),
    )
    tunnels = [(n.name, t.address) for n in calico.nodes for t in n.tunnels]
    return Translation(proxy, outgoing, nodes, own_addresses(facts.nodes, tunnels))


def _held(agents: AgentClient, hosts: Sequence[Endpoint]) -> Iterator[tuple[str, IPAddress]]:
    """The addresses of nodes' devices, with the names of their nodes."""
    for reading in reader.read(agents, hosts):
        for held in reading.seen.addresses if reading.seen else ():
            yield reading.node, ip_address(held.address)


def _nodes_are_outside(cluster: Cluster, api: str) -> bool:
    """Felix natOutgoingExclusions: by default only pools are inside."""
    kind = Kind(api, "FelixConfiguration", "felixconfigurations", namespaced=False)
    found = cluster.find(kind, "default")
    return json_fields.text(found, "spec", "natOutgoingExclusions") != "IPPoolsAndHostIPs"
