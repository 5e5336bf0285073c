"""A BGP peer of the run: a pod's agent that listens, and BGPPeers by which nodes connect to it.

The peer announces nothing, so no route changes. Each family has a BGPPeer of its own, which selects
all covered nodes but one: that this one stays away is a question as well.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Collection, Iterator, Mapping, Sequence

from sixproof.calico.bgp.configuration import Bgp
from sixproof.calico.nodes import CalicoNode
from sixproof.errors import ApiError, NotAsked
from sixproof.kube.api.client import Cluster
from sixproof.kube.api.json_fields import Manifest
from sixproof.kube.api.resources import Kind
from sixproof.kube.facts.discovery import CALICO_API
from sixproof.kube.runs import ownership
from sixproof.model import Endpoint, Family, Flow, IPAddress, Protocol, host_literal
from sixproof.workloads.probe_pods.identity import Run

BGP_PEER = Kind(CALICO_API, "BGPPeer", "bgppeers", namespaced=False)
BGP_FILTER = Kind(CALICO_API, "BGPFilter", "bgpfilters", namespaced=False)
RULES = "the RBAC rules that --six-plan prints: create, patch and delete on bgppeers and bgpfilters"
HOSTNAME = "kubernetes.io/hostname"
FIRST_PORT = 1790
"""The TCP port of the first process's peer; no privilege is needed for it."""
FIRST_AS = 4_200_000_000
"""The first private AS number of four octets (RFC 6996)."""
IDENTIFIER = "192.0.2.179"
"""The BGP Identifier, an address for documentation (RFC 5737) that no node has."""
HOLD_SECONDS = 9
"""The hold time that it offers: a KEEPALIVE comes every 3 s then, and a test need not wait long."""


@dataclasses.dataclass(frozen=True, slots=True)
class OwnPeer:
    """The peer of one process of a run. `pod` is the endpoint whose agent listens; `selected` are
    the nodes that each family's BGPPeer selects, by the values of their hostname labels."""

    run: Run
    worker: str
    pod: Endpoint
    as_number: int
    port: int
    selected: Mapping[Family, Mapping[str, str]]

    def name(self, family: Family) -> str:
        """The name of a family's BGPPeer, and of its BGPFilter."""
        return f"six-{self.run.id}-{self.worker}-{family.lower()}"

    def address(self, family: Family) -> IPAddress:
        """The address at which it listens over a family that it has."""
        found = self.pod.address(family)
        assert found is not None
        return found

    @property
    def families(self) -> tuple[Family, ...]:
        """The families over which nodes connect to it."""
        return tuple(self.selected)

    def flow(self, host: Endpoint, family: Family, question: str = "") -> Flow:
        """What a node sends to it."""
        address = self.address(family)
        return Flow(host, self.pod, address, Protocol.TCP, self.port, question)

    def peer(self, family: Family, filters: Sequence[str] = ()) -> Manifest:
        """The BGPPeer of a family."""
        chosen = ", ".join(f"'{label}'" for label in self.selected[family].values())
        manifest: Manifest = {
            "apiVersion": CALICO_API,
            "kind": BGP_PEER.kind,
            "metadata": {"name": self.name(family)},
            "spec": {
                "peerIP": host_literal(self.address(family), self.port),
                "asNumber": self.as_number,
                "nodeSelector": f"{HOSTNAME} in {{ {chosen} }}",
                "keepOriginalNextHop": True,
                "filters": list(filters),
            },
        }
        return ownership.owned(manifest, self.run.id)

    def filter(self, family: Family) -> Manifest:
        """A BGPFilter that keeps every route of a family from the peer."""
        manifest: Manifest = {
            "apiVersion": CALICO_API,
            "kind": BGP_FILTER.kind,
            "metadata": {"name": self.name(family)},
            "spec": {f"exportV{family.version}": [{"action": "Reject"}]},
        }
        return ownership.owned(manifest, self.run.id)

    @contextlib.contextmanager
    def standing(self, cluster: Cluster) -> Iterator[None]:
        """Have nodes connect; they stop at the end, however it ends.

        Raises:
            NotAsked: this account may not create such objects, or the API server has no such kind.
            ApiError: the API server failed.
        """
        try:
            try:
                for family in self.families:
                    cluster.create(self.peer(family))
            except ApiError as error:
                if error.status not in (403, 404):
                    raise
                raise NotAsked(f"no BGPPeer may be made: {error}", RULES) from error
            yield
        finally:
            for family in self.families:
                cluster.delete(BGP_PEER, self.name(family))

    @contextlib.contextmanager
    def filtered(self, cluster: Cluster, family: Family) -> Iterator[None]:
        """Keep every route of a family from the peer, and no longer at the end.

        Raises:
            NotAsked: this account may not create a BGPFilter.
            ApiError: the API server failed.
        """
        name = self.name(family)
        try:
            try:
                cluster.create(self.filter(family))
            except ApiError as error:
                if error.status not in (403, 404):
                    raise
                raise NotAsked(f"no BGPFilter may be made: {error}", RULES) from error
            cluster.patch(BGP_PEER, name, {"spec": {"filters": [name]}})
            yield
        finally:
            cluster.patch(BGP_PEER, name, {"spec": {"filters": []}})
            cluster.delete(BGP_FILTER, name)


def choose(
    run: Run,
    worker: str,
    pods: Sequence[Endpoint],
    nodes: Sequence[CalicoNode],
    bgp: Bgp,
    families: Collection[Family],
) -> OwnPeer:
    """The peer of a process (``master``, ``gw0``): each has another pod and another port. The nodes
    are those that are covered and that Calico has an address of.

    Raises:
        NotAsked: fewer than two nodes have addresses of a family that the pod has.
    """
    number = int(worker.removeprefix("gw")) if worker.startswith("gw") else 0
    pod = pods[number % len(pods)]
    selected: dict[Family, dict[str, str]] = {}
    for family in families:
        able = [node for node in nodes if node.address(family) and dict(node.labels).get(HOSTNAME)]
        if pod.address(family) is not None and len(able) > 1:
            left_out = able[-1] if family is Family.IPV4 else able[0]
            selected[family] = {
                node.name: dict(node.labels)[HOSTNAME] for node in able if node != left_out
            }
    if not selected:
        raise NotAsked("fewer than two of the covered nodes speak BGP", "--six-nodes 2")
    used = {bgp.as_number, *(p.as_number for p in bgp.peers), *(n.as_number for n in nodes)}
    as_number = next(n for n in range(FIRST_AS, FIRST_AS + 1000) if n not in used)
    return OwnPeer(run, worker, pod, as_number, FIRST_PORT + number, selected)
