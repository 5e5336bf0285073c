"""Tunnel devices that are not what their node needs, as causes."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sixproof.model import Family
from sixproof.reporting.causes.kernel import devices
from sixproof.reporting.conclusion.cause import Cause
from sixproof.reporting.conclusion.situation import Situation
from tests.unit.reporting.conclusion.cluster import (
    FACTS,
    TUNNELS,
    across,
    conclude,
    examined,
    node,
    run,
)

SIX = Family.IPV6


def found(local: str, **changes: Any) -> list[Cause]:
    """What is found where worker's IPv6 tunnel sends from this address."""
    sick = node("worker")
    links = [
        dataclasses.replace(link, local=local) if link.name == TUNNELS[SIX] else link
        for link in sick.links
    ]
    read = examined({"worker": dataclasses.replace(sick, links=links, **changes)})
    results = dataclasses.replace(run(across(SIX, "worker"), read), facts=FACTS)
    causes = list(devices.find(Situation(results)))
    if causes:
        (one,) = conclude(results).every
        assert one.causes[:1]
        assert one.causes[0].sentence == causes[0].sentence
    return causes


@pytest.mark.parametrize(
    ("local", "whose"),
    [
        ("2001:db8::dead", "which none of the node's devices has"),
        ("2001:db8::3", "an address of worker2"),
    ],
)
def test_a_tunnel_that_sends_from_a_foreign_address(local: str, whose: str) -> None:
    """No answer finds its way back to it, if it sends at all."""
    (cause,) = found(local)
    assert cause.sentence == (
        f"node worker: vxlan-v6.calico has local address {local}, {whose}: pods of other nodes "
        f"are not reached, over IPv6 (new since the run began)"
    )
    assert "restart calico-node" in cause.remedy


def test_a_tunnel_that_sends_from_an_address_of_its_node() -> None:
    """Written in whichever way; or from any address."""
    assert not found("2001:db8:0::2")
    assert not found("")


def test_an_address_that_may_not_have_been_read_is_not_called_foreign() -> None:
    """An InternalIP that is on no device is a cause of its own; a list may be cut."""
    gone = [held for held in node("worker").addresses if ":" not in held.address]
    assert not found("2001:db8::2", addresses=gone)
    assert not found("2001:db8::dead", cut=["addresses"])
    assert not found("2001:db8::dead", unread=["addresses: EPERM"])
