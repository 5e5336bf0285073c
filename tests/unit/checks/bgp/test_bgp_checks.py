"""BGP sessions: what is Established is silent; what is not is named with BIRD's state of it."""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Mapping
from typing import cast

import pytest

from sixproof.calico.bgp.configuration import Bgp, BgpPeer
from sixproof.calico.bgp.node_status import NodeStatus, SeenSession
from sixproof.calico.state import CalicoState
from sixproof.checks.bgp.bgp_checks import BgpChecks, NodeStatuses, requests
from sixproof.checks.recorder import Recorder
from sixproof.errors import ApiError, NotAsked, NotMeasured, VerdictError
from sixproof.kube.api.client import Cluster
from sixproof.kube.api.json_fields import Manifest
from sixproof.kube.api.resources import Kind
from sixproof.model import Family, Judged, MatrixKind, Outcome
from sixproof.workloads.probe_pods.identity import Run
from sixproof.workloads.probe_pods.topology import ProbeTopology
from tests.unit.checks.calico.test_addresses import HOSTS, NODES, Topology

SIX = Family.IPV6
ROUTER = ipaddress.ip_address("2001:db8::99")
STATE = CalicoState(
    "projectcalico.org/v3",
    bgp=Bgp(enabled=True, peers=(BgpPeer("router", str(ROUTER)),)),
    nodes=NODES,
)
OTHER = {"worker": "2001:db8::2", "worker2": "2001:db8::1"}


def status_of(node: str, *, router: str = "Established", mesh: str = "Established") -> NodeStatus:
    seen = {ROUTER: router, ipaddress.ip_address(OTHER[node]): mesh}
    sessions = tuple(SeenSession(peer, state, "03:17:05") for peer, state in seen.items() if state)
    return NodeStatus(node, True, ((SIX, "Ready"),), sessions)


class Statuses:
    """What nodes say."""

    def __init__(self, *statuses: NodeStatus) -> None:
        self._statuses = statuses

    def now(self) -> Mapping[str, NodeStatus]:
        return {status.node: status for status in self._statuses}


class Kept:
    """The recorder."""

    def __init__(self) -> None:
        self.judged: list[Judged] = []

    def matrix(self, *judged: object, **_: object) -> None:
        self.judged.append(cast(Judged, judged))


def checks(*statuses: NodeStatus, state: CalicoState = STATE) -> tuple[BgpChecks, Kept]:
    kept = Kept()
    made = BgpChecks(
        cast(NodeStatuses, Statuses(*statuses)),
        cast(ProbeTopology, Topology()),
        state,
        cast(Recorder, kept),
        0.0,
    )
    return made, kept


def test_sessions_that_stand_are_silent_and_kept_as_a_matrix() -> None:
    made, kept = checks(status_of("worker"), status_of("worker2"))
    made.must_be_established(SIX)
    ((matrix, _),) = kept.judged
    assert matrix.kind is MatrixKind.SESSIONS
    assert len(matrix.cells) == 4, "the mesh and the router, of both nodes"


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (
            status_of("worker", router="Connect"),
            "the session is Connect since 03:17:05 (BGPPeer router)",
        ),
        (status_of("worker", router=""), "BIRD has no such session (BGPPeer router)"),
        (
            dataclasses.replace(status_of("worker", router=""), daemons=((SIX, "NotReady"),)),
            "BIRD of IPv6 is NotReady (BGPPeer router)",
        ),
        (NodeStatus("worker", True), "BIRD of IPv6 is not there"),
    ],
)
def test_a_session_that_does_not_stand_is_named_with_birds_state(
    status: NodeStatus, said: str
) -> None:
    made, kept = checks(status, status_of("worker2"))
    with pytest.raises(VerdictError, match="BGP session") as caught:
        made.must_be_established(SIX)
    assert said in str(caught.value)
    ((matrix, _),) = kept.judged
    wrong = [o for o in matrix.observations() if o.outcome is Outcome.WRONG]
    assert {o.flow.source.node for o in wrong} == {"worker"}


@pytest.mark.parametrize(
    "statuses", [(status_of("worker"),), (status_of("worker"), NodeStatus("worker2"))]
)
def test_a_node_that_said_nothing_is_not_measured(statuses: tuple[NodeStatus, ...]) -> None:
    """It never passes, and accuses nobody."""
    made, _ = checks(*statuses)
    with pytest.raises(NotMeasured, match="calico-node reported no BGP state"):
        made.must_be_established(SIX)


def test_a_family_without_sessions_is_not_asked() -> None:
    made, _ = checks(status_of("worker"), status_of("worker2"))
    with pytest.raises(NotAsked, match="no BGP session over IPv4"):
        made.must_be_established(Family.IPV4)


class Store:
    """A cluster that keeps what it is given, or refuses it."""

    def __init__(self, status: int = 0) -> None:
        self.kept: list[str] = []
        self._status = status
        self.catalog = self

    def place(self, *_: object) -> tuple[Kind, str, str]:
        return Kind("projectcalico.org/v3", "CalicoNodeStatus", "caliconodestatuses"), "", ""

    def apply(self, manifest: Manifest) -> None:
        if self._status:
            raise ApiError("forbidden", status=self._status)
        self.kept.append(manifest["metadata"]["name"])

    def delete(self, _: Kind, name: str) -> None:
        self.kept.remove(name)

    def list(self, *_: object) -> tuple[Manifest, ...]:
        names = ["not-ours-9", *self.kept]
        return tuple({"metadata": {"name": n}, "spec": {"node": n[-1]}} for n in names)


ASKED = requests("projectcalico.org/v3", Run("abc123", "k"), [h.node for h in HOSTS], "gw0")


def test_nodes_are_asked_no_longer_than_needed() -> None:
    store = Store()
    with NodeStatuses.of(cast(Cluster, store), ASKED) as statuses:
        assert store.kept == ["six-abc123-gw0-0", "six-abc123-gw0-1"]
        assert statuses.now().keys() == {"0", "1"}, "objects of others are left alone"
    assert store.kept == []
    assert all(m["metadata"]["labels"]["sixproof.dev/run"] == "abc123" for m in ASKED)


@pytest.mark.parametrize("status", [403, 404])
def test_without_permission_the_missing_rights_are_reported(status: int) -> None:
    with (
        pytest.raises(NotAsked) as caught,
        NodeStatuses.of(cast(Cluster, Store(status)), ASKED),
    ):
        pass
    assert "caliconodestatuses" in caught.value.enable


def test_an_api_server_that_fails_is_no_matter_of_rights() -> None:
    with pytest.raises(ApiError), NodeStatuses.of(cast(Cluster, Store(500)), ASKED):
        pass
