"""The run's BGPPeers and BGPFilter: whom they select, and that they are gone with the tests."""

from __future__ import annotations

import contextlib
import ipaddress
from typing import cast

import pytest

from sixproof.calico.bgp.configuration import Bgp
from sixproof.calico.nodes import CalicoNode
from sixproof.errors import ApiError, NotAsked
from sixproof.kube.api.client import Cluster
from sixproof.kube.api.json_fields import Manifest
from sixproof.kube.api.resources import Kind
from sixproof.kube.runs import ownership
from sixproof.model import Endpoint, EndpointKind, Family
from sixproof.workloads.bgp.own_peer import OwnPeer, choose
from sixproof.workloads.probe_pods.identity import Run

FOUR, SIX = Family
PODS = tuple(
    Endpoint(
        f"a@n{n}",
        EndpointKind.POD,
        (ipaddress.ip_address(f"10.9.0.{n}"), ipaddress.ip_address(f"fd00:9::{n}")),
        node=f"n{n}",
    )
    for n in (1, 2)
)


def node(name: str, *addresses: str, label: str = "kubernetes.io/hostname") -> CalicoNode:
    """One with these addresses."""
    return CalicoNode(
        name, tuple(map(ipaddress.ip_interface, addresses)), labels=((label, f"{name}.example"),)
    )


NODES = [node(f"n{n}", f"192.0.2.{n}/24", f"2001:db8::{n}/64") for n in (1, 2, 3)]


def own(worker: str = "master") -> OwnPeer:
    """The peer of a process."""
    return choose(Run("c0ffee"), worker, PODS, NODES, Bgp(True), tuple(Family))


class Store:
    """A cluster that keeps what it is given, or refuses a kind."""

    def __init__(self, refused: str = "", status: int = 403) -> None:
        self.kept: dict[str, Manifest] = {}
        self.patched: list[object] = []
        self._refused, self._status = refused, status

    def create(self, manifest: Manifest) -> None:
        if manifest["kind"] == self._refused:
            raise ApiError("forbidden", status=self._status)
        self.kept[f"{manifest['kind']}/{manifest['metadata']['name']}"] = manifest

    def patch(self, _: Kind, name: str, body: Manifest) -> None:
        self.patched.append((name, body["spec"]["filters"]))

    def delete(self, kind: Kind, name: str) -> None:
        self.kept.pop(f"{kind.kind}/{name}", None)


@pytest.mark.parametrize(
    ("family", "address", "chosen"),
    [
        (FOUR, "10.9.0.1:1790", "kubernetes.io/hostname in { 'n1.example', 'n2.example' }"),
        (SIX, "[fd00:9::1]:1790", "kubernetes.io/hostname in { 'n2.example', 'n3.example' }"),
    ],
    ids=str,
)
def test_a_bgppeer_of_each_family_selects_all_nodes_but_one(
    family: Family, address: str, chosen: str
) -> None:
    """By their hostname labels, which need not be their names."""
    made = own().peer(family)
    spec = made["spec"]
    assert (spec["peerIP"], spec["nodeSelector"]) == (address, chosen)
    assert (spec["asNumber"], spec["keepOriginalNextHop"]) == (4_200_000_000, True)
    assert made["metadata"]["labels"][ownership.MANAGED_BY] == ownership.MANAGER


def test_processes_have_pods_ports_and_names_of_their_own() -> None:
    """They run side by side."""
    peers = [own("gw0"), own("gw1")]
    assert [peer.pod.node for peer in peers] == ["n1", "n2"]
    assert [peer.port for peer in peers] == [1790, 1791]
    assert len({peer.name(SIX) for peer in peers}) == 2


def test_what_stands_is_gone_afterwards() -> None:
    """A test that fails in between included."""
    store, peer = Store(), own()
    cluster = cast(Cluster, store)
    with contextlib.suppress(KeyError), peer.standing(cluster), peer.filtered(cluster, SIX):
        assert len(store.kept) == 3
        made = store.kept[f"BGPFilter/{peer.name(SIX)}"]
        assert made["spec"] == {"exportV6": [{"action": "Reject"}]}
        raise KeyError
    assert store.kept == {}
    assert store.patched == [(peer.name(SIX), [peer.name(SIX)]), (peer.name(SIX), [])]


@pytest.mark.parametrize("status", [403, 404])
def test_where_no_bgppeer_may_be_made_nothing_is_asked(status: int) -> None:
    """With the rights that would be needed."""
    store = Store("BGPPeer", status)
    with (
        pytest.raises(NotAsked, match="no BGPPeer may be made"),
        own().standing(cast(Cluster, store)),
    ):
        pass


def test_where_no_filter_may_be_made_the_peer_stays_as_it_is() -> None:
    store = Store("BGPFilter")
    with (
        pytest.raises(NotAsked, match="no BGPFilter may be made"),
        own().filtered(cast(Cluster, store), SIX),
    ):
        pass


def test_an_api_server_that_fails_is_no_reason_to_skip() -> None:
    for kind, enter in (("BGPPeer", OwnPeer.standing), ("BGPFilter", OwnPeer.filtered)):
        store = cast(Cluster, Store(kind, 500))
        arguments = (store,) if kind == "BGPPeer" else (store, SIX)
        with pytest.raises(ApiError), enter(own(), *arguments):
            pass


@pytest.mark.parametrize(
    "nodes",
    [NODES[:1], [NODES[0], node("n2")], [NODES[0], node("n2", "192.0.2.2/24", label="other")]],
)
def test_fewer_than_two_nodes_that_can_be_selected_are_not_enough(nodes: list[CalicoNode]) -> None:
    """One is left out, and one must be there."""
    with pytest.raises(NotAsked, match="fewer than two of the covered nodes"):
        choose(Run("c0ffee"), "master", PODS, nodes, Bgp(True), tuple(Family))
