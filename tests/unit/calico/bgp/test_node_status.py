"""CalicoNodeStatus: what a node reported, and what it did not."""

from __future__ import annotations

import ipaddress
from typing import Any

from sixproof.calico.bgp.node_status import SeenSession, node_status, request
from sixproof.model import Family

PEER = "fd5e::5"


def manifest(**status: Any) -> dict[str, Any]:
    asked = request("projectcalico.org/v3", "six-1-gw0-0", "worker", 1)
    return {**asked, "status": status}


def test_sessions_and_daemons_by_family() -> None:
    found = node_status(
        manifest(
            lastUpdated="2026-11-29T03:17:05Z",
            agent={"birdV6": {"state": "Ready"}, "birdV4": {"state": "NotReady"}},
            bgp={
                "peersV4": [{"peerIP": "no address", "state": "Idle"}],
                "peersV6": [{"peerIP": PEER, "state": "Established", "since": "03:17:05"}],
            },
        )
    )
    assert (found.node, found.updated) == ("worker", True)
    assert (found.daemon(Family.IPV6), found.daemon(Family.IPV4)) == ("Ready", "NotReady")
    assert found.sessions == (SeenSession(ipaddress.ip_address(PEER), "Established", "03:17:05"),)
    assert found.session(ipaddress.ip_address(PEER)) is not None
    assert found.session(ipaddress.ip_address("fd5e::6")) is None


def test_what_was_not_reported_yet_is_not_updated() -> None:
    for silent in (manifest(), manifest(lastUpdated=None, bgp={"numberEstablishedV4": 0})):
        found = node_status(silent)
        assert not found.updated
        assert found.sessions == ()
        assert found.daemon(Family.IPV6) == ""


def test_what_a_stranger_wrote_does_no_harm() -> None:
    odd = manifest(lastUpdated=7, agent=[], bgp={"peersV6": [3, {"peerIP": {}}]})
    assert node_status(odd).sessions == ()
    assert node_status({"spec": []}).node == ""
