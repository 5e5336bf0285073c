"""CalicoNodeStatus: what a node's BIRD reports about its BGP sessions, through the API server.

calico-node writes it for objects that request it (Calico API reference, CalicoNodeStatus), so that
no command needs to run inside its pod.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from sixproof.kube.api import json_fields
from sixproof.kube.api.json_fields import Manifest
from sixproof.model import Family, IPAddress

ESTABLISHED = "Established"
KIND = "CalicoNodeStatus"
CLASSES = ("Agent", "BGP")
_DAEMONS = {Family.IPV4: "birdV4", Family.IPV6: "birdV6"}
PEERS = {Family.IPV4: "peersV4", Family.IPV6: "peersV6"}
"""The field with the sessions of a family."""


@dataclasses.dataclass(frozen=True, slots=True)
class SeenSession:
    """A session as BIRD shows it: the peer's address, `state` in the words of RFC 4271 section
    8.2.2 (``Established``, ``Connect``), and since when, in BIRD's words."""

    peer: IPAddress
    state: str
    since: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class NodeStatus:
    """What one node reports. `updated` is false until the first report; `daemons` is the state of
    BIRD by family (``Ready``), for the families in the report."""

    node: str
    updated: bool = False
    daemons: tuple[tuple[Family, str], ...] = ()
    sessions: tuple[SeenSession, ...] = ()

    def session(self, peer: IPAddress) -> SeenSession | None:
        """The session with a peer, None where BIRD has none."""
        return next((s for s in self.sessions if s.peer == peer), None)

    def daemon(self, family: Family) -> str:
        """The state of a family's BIRD, "" if not reported."""
        return dict(self.daemons).get(family, "")


def request(api: str, name: str, node: str, period: int) -> Manifest:
    """The object that requests a report on a node's sessions, every `period` seconds."""
    return {
        "apiVersion": api,
        "kind": KIND,
        "metadata": {"name": name},
        "spec": {"node": node, "classes": list(CLASSES), "updatePeriodSeconds": period},
    }


def node_status(manifest: Manifest) -> NodeStatus:
    """The content of a CalicoNodeStatus object, without sessions whose peer is no address."""
    status = json_fields.mapping(manifest, "status")
    states = ((f, json_fields.text(status, "agent", key, "state")) for f, key in _DAEMONS.items())
    return NodeStatus(
        node=json_fields.text(manifest, "spec", "node"),
        updated=bool(json_fields.text(status, "lastUpdated")),
        daemons=tuple((family, state) for family, state in states if state),
        sessions=tuple(
            session
            for key in PEERS.values()
            for session in _sessions(json_fields.entries(status, "bgp", key))
        ),
    )


def _sessions(entries: Iterable[Manifest]) -> Iterable[SeenSession]:
    for entry in entries:
        peer = json_fields.address(json_fields.text(entry, "peerIP"))
        if peer is not None:
            state = json_fields.text(entry, "state")
            yield SeenSession(peer, state, json_fields.text(entry, "since"))
