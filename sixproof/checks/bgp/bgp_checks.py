"""Asks every node for its BGP sessions, by way of CalicoNodeStatus, and compares."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from sixproof.calico.bgp import node_status
from sixproof.calico.bgp.node_status import NodeStatus
from sixproof.calico.bgp.sessions import WantedSession, wanted
from sixproof.calico.state import CalicoState
from sixproof.checks.judged import expecting_all, require
from sixproof.checks.recorder import Recorder
from sixproof.errors import ApiError, NotAsked
from sixproof.kube.api import json_fields, wait
from sixproof.kube.api.client import Cluster
from sixproof.kube.api.json_fields import Manifest
from sixproof.kube.runs import ownership
from sixproof.model import (
    Endpoint,
    EndpointKind,
    Family,
    Flow,
    Matrix,
    MatrixKind,
    Observation,
    Outcome,
    Protocol,
)
from sixproof.workloads.probe_pods.identity import Run
from sixproof.workloads.probe_pods.topology import ProbeTopology

PERIOD = 1
"""Seconds between two reports of a node; it reports only as long as the object is there."""
SESSIONS = "BGP sessions of every node"
QUESTION = "BGP session"


def requests(api: str, run: Run, nodes: Sequence[str], worker: str) -> tuple[Manifest, ...]:
    """The objects of a run by which nodes are asked, those of one process."""
    return tuple(
        ownership.owned(
            node_status.request(api, f"six-{run.id}-{worker}-{number}", node, PERIOD), run.id
        )
        for number, node in enumerate(nodes)
    )


class NodeStatuses:
    """What nodes say of their sessions, as long as they are asked."""

    def __init__(self, cluster: Cluster, asked: Sequence[Manifest]) -> None:
        self._cluster = cluster
        self._asked = asked
        self._kind, _, _ = cluster.catalog.place(asked[0])

    def now(self) -> Mapping[str, NodeStatus]:
        """By node; a node that has said nothing yet is there, not updated."""
        names = {json_fields.name(manifest) for manifest in self._asked}
        listed = self._cluster.list(self._kind)
        statuses = map(node_status.node_status, (m for m in listed if json_fields.name(m) in names))
        return {status.node: status for status in statuses}

    @classmethod
    @contextmanager
    def of(cls, cluster: Cluster, asked: Sequence[Manifest]) -> Iterator[NodeStatuses]:
        """Ask nodes, and stop asking at the end.

        Raises:
            NotAsked: this cluster does not serve such objects, or this user may not make them.
        """
        try:
            for manifest in asked:
                cluster.apply(manifest)
        except ApiError as error:
            if error.status not in (403, 404):
                raise
            raise NotAsked(
                f"nodes cannot be asked for their BGP sessions: {error}",
                "get, list, create, patch and delete on caliconodestatuses of projectcalico.org",
            ) from error
        statuses = cls(cluster, asked)
        try:
            yield statuses
        finally:
            for manifest in asked:
                cluster.delete(statuses._kind, json_fields.name(manifest))


class BgpChecks:
    """What one run asks about BGP. `settle` is how many seconds sessions may take to be there."""

    def __init__(
        self,
        statuses: NodeStatuses,
        topology: ProbeTopology,
        state: CalicoState,
        recorder: Recorder,
        settle: float,
    ) -> None:
        self._statuses = statuses
        self._hosts = {host.node: host for host in topology.hosts}
        self._state = state
        self._recorder = recorder
        self._settle = settle

    @functools.cached_property
    def wanted(self) -> tuple[WantedSession, ...]:
        """The sessions of the nodes that are covered."""
        return tuple(s for s in wanted(self._state.bgp, self._state.nodes) if s.node in self._hosts)

    def must_be_established(self, family: Family) -> None:
        """Every node has every session of a family that BGPConfiguration and BGPPeers ask for.

        Raises:
            VerdictError: one is not Established; reports BIRD's state of it, and since when.
            NotAsked: Calico asks for no session of this family.
        """
        mine = [session for session in self.wanted if session.family is family]
        if not mine:
            raise NotAsked(f"Calico asks for no BGP session over {family}", "BGPPeers, or the mesh")
        seen = wait.until(
            lambda: self._look(mine),
            lambda observations: all(o.outcome.works for o in observations),
            timeout=self._settle,
        ).value
        matrix = Matrix.of(SESSIONS, seen, MatrixKind.SESSIONS)
        asked = expecting_all(matrix, "BGPConfiguration and BGPPeers ask for it")
        step = f"Then {SESSIONS} over {family} are {node_status.ESTABLISHED}"
        require(self._recorder, asked, step)

    def _look(self, sessions: Sequence[WantedSession]) -> list[Observation]:
        statuses = self._statuses.now()
        return [self._seen(session, statuses) for session in sessions]

    def _seen(self, session: WantedSession, statuses: Mapping[str, NodeStatus]) -> Observation:
        peer = self._hosts.get(session.peer_node) or Endpoint(
            session.peer_node or f"BGP peer {session.peer}",
            EndpointKind.HOST if session.peer_node else EndpointKind.OUTSIDE,
            (session.peer,),
            node=session.peer_node,
        )
        flow = Flow(self._hosts[session.node], peer, session.peer, Protocol.TCP, question=QUESTION)
        status = statuses.get(session.node)
        if status is None or not status.updated:
            return Observation(flow, Outcome.UNKNOWN, reason="calico-node reported no BGP state")
        found = status.session(session.peer)
        if found is not None and found.state == node_status.ESTABLISHED:
            return Observation(flow, Outcome.ALLOWED)
        return Observation(flow, Outcome.WRONG, reason=_amiss(session, status))


def _amiss(session: WantedSession, status: NodeStatus) -> str:
    found = status.session(session.peer)
    if found is not None:
        since = f" since {found.since}" if found.since else ""
        return f"the session is {found.state or 'in no state'}{since} ({session.why})"
    daemon = status.daemon(session.family)
    if daemon != "Ready":
        return f"BIRD of {session.family} is {daemon or 'not there'} ({session.why})"
    return f"BIRD has no such session ({session.why})"
