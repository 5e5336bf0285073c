"""Tunnel entries that are missing: who writes them, by the device."""

from __future__ import annotations

import dataclasses

import pytest

from sixproof.agent.protocol import LinkSeen
from sixproof.model import Family
from tests.unit.reporting.conclusion.cluster import TUNNELS, across, concluded, examined, node
from tests.unit.reporting.samples import pods

SIX = Family.IPV6


@pytest.mark.parametrize(
    ("device", "writer"),
    [
        (TUNNELS[SIX], "calico-node"),
        ("flannel.1", "flannel"),
        ("flannel-v6.1", "flannel"),
        ("vxlan7", "the program that made vxlan7"),
    ],
)
def test_the_log_of_who_writes_the_entries_is_recommended(device: str, writer: str) -> None:
    """On Canal calico-node runs beside flannel, and its tunnel is flannel's."""
    sick = node("worker")
    far = {f"{p.address(SIX)}/128" for p in pods() if p.node == "worker2"}
    routes = [
        dataclasses.replace(r, device=device, gateway="fd00::3") if r.destination in far else r
        for r in sick.routes
    ]
    links = [*sick.links, LinkSeen(device, "vxlan", 1450, True, True, 1, 8472)]
    sick = dataclasses.replace(sick, routes=routes, links=links)
    (one,) = concluded(across(SIX, "worker", "worker2"), examined({"worker": sick})).every
    assert f"{device} has no neighbour entry for fd00::3" in one.first_screen
    assert f"See the log of {writer} there, which writes such entries" in one.first_screen
