"""Asks the API server, Calico and every node's kernel about pods' addresses, and compares."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future

from sixproof.agent import protocol
from sixproof.calico import autodetection
from sixproof.calico import ipam as calico_ipam
from sixproof.calico import pools as calico_pools
from sixproof.calico.ipam import Ipam
from sixproof.calico.pools import Pool
from sixproof.calico.state import CalicoState
from sixproof.checks.calico import pod_addresses, routes
from sixproof.checks.calico.pod_addresses import PodRecord
from sixproof.checks.judged import judged, require, seen_and_wrong
from sixproof.checks.recorder import Recorder
from sixproof.errors import ApiError, NotAsked, Subject
from sixproof.kube.api import json_fields, resources, wait
from sixproof.kube.api.client import Cluster
from sixproof.kube.api.resources import Kind
from sixproof.model import (
    Endpoint,
    Family,
    Flow,
    IPAddress,
    MatrixKind,
    Observation,
    Protocol,
)
from sixproof.policy.calico.selector_text import parse_selector
from sixproof.probes.connect.probe import SLACK, AgentClient
from sixproof.reporting.allure import steps
from sixproof.reporting.diagnosis import evidence
from sixproof.workloads.probe_pods.topology import ProbeTopology

AGREE = "pod addresses by API server, Calico and IPAM"
SELECTED = "pools that select a pod's node"
ROUTED = "routes of every node to every pod"
SETTLE = 10.0
"""Seconds in which Calico frees the blocks of a pool that is removed, and of its last pods."""


class AddressChecks:
    """What one run asks about the addresses of its probe pods; everything is read once."""

    def __init__(
        self,
        cluster: Cluster,
        agents: AgentClient,
        topology: ProbeTopology,
        state: CalicoState,
        recorder: Recorder,
        settle: float = SETTLE,
    ) -> None:
        """`settle` are the seconds for which a block that does not fit is looked at again."""
        self._cluster = cluster
        self._agents = agents
        self._topology = topology
        self.state = state
        self._recorder = recorder
        self._settle = settle

    @functools.cached_property
    def records(self) -> tuple[PodRecord, ...]:
        """The probe pods as their objects are now."""
        namespaces = dict.fromkeys(pod.namespace for pod in self._topology.pods)
        listed = self._cluster.gather(
            [functools.partial(self._cluster.list, resources.POD, n) for n in namespaces]
        )
        manifests = {
            (json_fields.namespace(m), json_fields.name(m)): m for found in listed for m in found
        }
        return pod_addresses.records(self._topology.pods, manifests)

    @functools.cached_property
    def ipam(self) -> Ipam:
        """Calico's IPAM, read once.

        Raises:
            NotAsked: its blocks may not be read.
        """
        return self.read_ipam()

    @functools.cached_property
    def held(self) -> Mapping[str, list[tuple[str, str, int]]]:
        """The addresses of every node's devices: device, address, prefix length.

        Raises:
            InfrastructureError: an agent could not be asked.
        """
        asked = [(host.node, self._read(host)) for host in self._topology.hosts]
        return {
            node: [(a.device, a.address, a.prefix) for a in answer.result().addresses]
            for node, answer in asked
        }

    def must_agree(self, family: Family) -> None:
        """All that knows the address that a pod has of this family says the same.

        Raises:
            VerdictError: something does not; the first that disagrees is named, for each pod.
            NotAsked: neither Calico's annotations nor its IPAM have an address.
        """
        known = [(r, address) for r in self.records if (address := r.address(family))]
        if not self.ipam.blocks and all(r.noted is None for r, _ in known):
            raise NotAsked("Calico notes no pod's addresses", "a cluster with Calico's own IPAM")
        said = {
            self.question(r.pod, address, "address"): pod_addresses.disagreement(
                r, family, self.ipam
            )
            for r, address in known
        }
        self.require(MatrixKind.ADDRESSES, AGREE, *seen_and_wrong(said), family)

    def must_route(self, family: Family) -> None:
        """Every node's kernel sends packets for every pod the way that its pool means.

        Raises:
            VerdictError: one does not.
            InfrastructureError: an agent could not be asked.
        """
        pods = [(pod, a) for pod in self._topology.pods if (a := pod.address(family))]
        answers = [(host, self._ask(host, [a for _, a in pods])) for host in self._topology.hosts]
        said: dict[Flow, str] = {}
        for host, answer in answers:
            for (pod, address), route in zip(pods, answer.result().routes, strict=True):
                way = routes.wanted(self.state, host.node, pod, address)
                said[_flow(host, pod, address, "route")] = routes.misled(route, way)
        self.require(MatrixKind.ROUTES, ROUTED, *seen_and_wrong(said), family)

    def must_be_selected(self, family: Family) -> None:
        """Every pod's address is of a pool whose selectors match its node and its namespace.

        Raises:
            VerdictError: one is not.
            NotAsked: every pool of the family serves every pod, or a selector cannot be read.
        """
        if not any(map(chooses, self.state.pools_of(family))):
            raise NotAsked(
                f"every {family} pool serves every pod", "an IPPool with a nodeSelector of its own"
            )
        nodes, homes = self._labels(resources.NODE), self._labels(resources.NAMESPACE)
        said: dict[Flow, str] = {}
        for pod in self._topology.pods:
            address = pod.address(family)
            pool = self.state.pool_of(address) if address is not None else None
            if address is None or pool is None:
                continue
            why = passed_over(pool, pod, nodes, homes)
            said[self.question(pod, address, "pool")] = why and f"it has {address}; {why}"
        self.require(MatrixKind.ADDRESSES, SELECTED, *seen_and_wrong(said), family)

    def _labels(self, kind: Kind) -> dict[str, dict[str, str]]:
        return {json_fields.name(m): json_fields.labels(m) for m in self._cluster.list(kind)}

    def must_have_its_nodes_addresses(self, family: Family) -> None:
        """The address that Calico chose for a node is one that the node's kernel has, with the
        prefix length of its subnet.

        Raises:
            VerdictError: one is not.
            InfrastructureError: an agent could not be asked.
        """
        known = {node.name: node for node in self.state.nodes}
        said = {
            node: routes.unlike_the_node(known[node], family, held)
            for node, held in self.held.items()
            if node in known
        }
        evidence.require_none(
            {
                f"node {n}: {what}": Subject.of_node(n, str(chosen.ip) if chosen else "")
                for n, what in said.items()
                for chosen in (known[n].address(family),)
                if what
            },
            family,
        )

    def must_be_chosen_by_the_method(self, family: Family) -> None:
        """The address that Calico chose for a node is one that its autodetection method chooses.

        Raises:
            VerdictError: one is not.
            InfrastructureError: an agent could not be asked.
            NotAsked: the method, or what it chooses, is not known.
        """
        method = dict(self.state.autodetection).get(family)
        if method is None:
            raise NotAsked(f"how Calico chooses {family} addresses of nodes is not known")
        known = {node.name: node for node in self.state.nodes}
        said = {}
        for node, held in self.held.items():
            chosen = known[node].address(family) if node in known else None
            devices = [d for d, a, _ in held if chosen and json_fields.address(a) == chosen.ip]
            if chosen is not None:
                device = devices[0] if devices else ""
                said[node] = autodetection.disagreement(method, known[node], family, device)
        if not said:
            raise NotAsked(f"Calico chose no {family} address for a node", f"nodes with {family}")
        setting = f"{'IP6' if family is Family.IPV6 else 'IP'}_AUTODETECTION_METHOD"
        remedy = (
            f"restart calico-node there, or mend {setting} (of the Installation: "
            f"nodeAddressAutodetectionV{family.version})"
        )
        evidence.require_none(
            {f"node {n}: {what}; {remedy}": Subject.of_node(n) for n, what in said.items() if what},
            family,
        )

    def must_keep_its_blocks(self, nodes: Iterable[str]) -> None:
        """Every IPAM block is of its pool's size, and of a node that exists.

        Raises:
            VerdictError: one is not.
        """
        if not self.ipam.blocks:
            raise NotAsked("there is no IPAM block", "a cluster with Calico's own IPAM")
        lent = list(pod_addresses.borrowed(self.records, self.ipam))
        steps.attach_text("addresses from other nodes' blocks", "\n".join(lent) or "none")
        evidence.require_none(self._odd_blocks(tuple(nodes)))

    def require(
        self,
        kind: MatrixKind,
        title: str,
        seen: Sequence[Observation],
        wrong: Mapping[Flow, str],
        family: Family,
    ) -> None:
        """Note what was asked, and that nothing of it is wrong.

        Raises:
            VerdictError: something is.
        """
        require(self._recorder, judged(kind, title, seen, wrong), f"Then {title} over {family}")

    def question(self, pod: Endpoint, address: IPAddress, question: str) -> Flow:
        """The cell of what is asked about a pod's address: from its node to it."""
        hosts = {host.node: host for host in self._topology.hosts}
        return _flow(hosts.get(pod.node, pod), pod, address, question)

    def read_ipam(self) -> Ipam:
        """Calico's IPAM as it is now.

        Raises:
            NotAsked: its blocks may not be read.
        """
        try:
            return calico_ipam.read(self._cluster)
        except ApiError as error:
            raise NotAsked(
                f"Calico's IPAM cannot be read: {error}",
                "list on ipamblocks and blockaffinities of crd.projectcalico.org",
            ) from error

    def _odd_blocks(self, nodes: Sequence[str]) -> dict[str, Subject]:
        """Blocks that do not fit. Other processes make pools of their own and remove them: what
        does not fit is looked at again, by the pools of that moment."""
        odd = dict(pod_addresses.odd_blocks(self.ipam, self.state.pools, nodes))
        if not odd:
            return {}
        kind = Kind(self.state.api, "IPPool", "ippools", namespaced=False)

        def look() -> dict[str, Subject]:
            ipam = self.read_ipam()
            pools = calico_pools.pools(self._cluster.list(kind))
            return dict(pod_addresses.odd_blocks(ipam, pools, nodes))

        return wait.until(look, lambda odd: not odd, timeout=self._settle).value

    def _ask(self, host: Endpoint, addresses: Sequence[IPAddress]) -> Future[protocol.RoutesSeen]:
        request = protocol.RouteGet([str(a) for a in addresses])
        return self._agents.ask(host, request, protocol.RoutesSeen, SLACK)

    def _read(self, host: Endpoint) -> Future[protocol.NodeSeen]:
        return self._agents.ask(host, protocol.ReadNode([]), protocol.NodeSeen, SLACK)


def _flow(source: Endpoint, pod: Endpoint, address: IPAddress, question: str) -> Flow:
    return Flow(source, pod, address, Protocol.ICMP, question=question)


Labelled = Mapping[str, Mapping[str, str]]
"""Labels of objects, by their names."""
_ALL = ("", "all()")


def chooses(pool: Pool) -> bool:
    """Whether there may be pods that it does not serve."""
    selectors = (pool.node_selector, pool.namespace_selector)
    return pool.manual or any(s.strip() not in _ALL for s in selectors)


def passed_over(pool: Pool, pod: Endpoint, nodes: Labelled, namespaces: Labelled) -> str:
    """Why a pod that names no pool cannot have got an address of this one, "" where it can.

    A node or namespace whose labels are not known counts as selected.

    Raises:
        NotAsked: a selector cannot be read.
    """
    if pool.manual:
        return f"IPPool {pool.name} is Manual: it serves pods that name it, and this one names none"
    for what, selector, name, known in (
        ("nodeSelector", pool.node_selector, pod.node, nodes),
        ("namespaceSelector", pool.namespace_selector, pod.namespace, namespaces),
    ):
        if name in known and not matches(selector, known[name]):
            return f"the {what} of IPPool {pool.name} ({selector}) does not select {name}"
    return ""


def matches(selector: str, labels: Mapping[str, str]) -> bool:
    """Whether a pool's selector matches labels.

    Raises:
        NotAsked: it cannot be read.
    """
    try:
        return parse_selector(selector).matches(labels)
    except ValueError as error:
        raise NotAsked(f"the selector {selector!r} of an IPPool cannot be read: {error}") from error
