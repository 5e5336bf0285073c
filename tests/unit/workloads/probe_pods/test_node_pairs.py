"""Pairs of nodes: few, and yet every node, every boundary and, in time, every pair."""

from __future__ import annotations

import ipaddress
import itertools
import random

import pytest

from sixproof.model import Endpoint, EndpointKind, Family
from sixproof.workloads.probe_pods.node_pairs import (
    ALL,
    AREAS,
    CROSSINGS,
    EveryNode,
    NodePairs,
    PlacedNode,
    planned,
)
from sixproof.workloads.probe_pods.ports import TCP


def nodes(count: int, zones: int = 1) -> list[PlacedNode]:
    return [PlacedNode(f"n{i}", (("zone", f"z{i % zones}"),)) for i in range(count)]


def pairs_of(plan: NodePairs) -> set[frozenset[str]]:
    return {frozenset((node, other)) for node, row in plan.partners.items() for other in row}


@pytest.mark.parametrize("count", [0, 1, 2, ALL])
def test_of_few_nodes_every_pair_is_tried(count: int) -> None:
    """A plan would leave out none of them."""
    plan = planned(nodes(count), turn=3)
    assert pairs_of(plan) == {
        frozenset(pair) for pair in itertools.combinations((n.name for n in nodes(count)), 2)
    }


@pytest.mark.parametrize("count", [ALL + 1, 7, 10, 100, 1000, 5000])
@pytest.mark.parametrize("zones", [1, 3])
def test_every_node_has_partners_and_their_number_grows_with_the_nodes(
    count: int, zones: int
) -> None:
    """At least three, both ways, and no node with itself; not the square of the number."""
    plan = planned(nodes(count, zones), turn=738_000)
    assert set(plan.partners) == {f"n{i}" for i in range(count)}
    for node, row in plan.partners.items():
        assert len(row) >= 3
        assert node not in row
        assert all(node in plan.partners[other] for other in row)
    assert plan.count <= 2 * count + CROSSINGS * zones * zones


@pytest.mark.parametrize("count", [6, 7, 12, 33])
def test_half_as_many_turns_as_nodes_try_every_pair(count: int) -> None:
    """From whatever turn on."""
    begun = random.Random(count).randrange(10_000)
    seen: set[frozenset[str]] = set()
    for turn in range(begun, begun + count // 2):
        seen |= pairs_of(planned(nodes(count, zones=2), turn))
    assert len(seen) == count * (count - 1) // 2


@pytest.mark.parametrize("turn", [0, 1, 17])
@pytest.mark.parametrize("zones", [2, 5, AREAS])
def test_every_boundary_is_crossed_by_pairs_of_different_nodes(zones: int, turn: int) -> None:
    """Of every kind of area, in both directions."""
    placed = [
        PlacedNode(f"n{i}", (("zone", f"z{i % zones}"), ("IPv6 subnet", f"s{i % 3}")))
        for i in range(10 * zones)
    ]
    plan = planned(placed, turn)
    areas = {node.name: dict(node.areas) for node in placed}
    for kind in ("zone", "IPv6 subnet"):
        for one, other in itertools.permutations({a[kind] for a in areas.values()}, 2):
            crossing = [
                (node, far)
                for node, row in plan.partners.items()
                for far in row
                if (areas[node][kind], areas[far][kind]) == (one, other)
            ]
            assert len({node for node, _ in crossing}) >= CROSSINGS
            assert len({far for _, far in crossing}) >= CROSSINGS


def test_of_many_areas_each_has_boundaries_with_others() -> None:
    """A subnet per node is what some clouds have: their boundaries grow with the square."""
    placed = [PlacedNode(f"n{i}", (("IPv4 subnet", f"10.0.{i}.0/24"),)) for i in range(200)]
    plan = planned(placed, turn=5)
    assert plan.count <= 4 * len(placed)


def test_a_lone_node_of_an_area_is_its_boundary() -> None:
    """It has no second node for a second pair."""
    placed = [*nodes(8), PlacedNode("lone", (("zone", "far"),))]
    assert len(planned(placed, turn=0).partners["lone"]) >= 3


def test_the_same_turn_tries_the_same_pairs() -> None:
    """A run of the same day can be repeated; the order of the nodes does not matter."""
    mixed = nodes(50, 3)
    random.Random(1).shuffle(mixed)
    assert planned(mixed, 9) == planned(nodes(50, 3), 9)
    assert planned(mixed, 9) != planned(mixed, 10)


def endpoint(node: str, number: int) -> Endpoint:
    address = ipaddress.ip_address(f"fd00::{number:x}")
    return Endpoint(f"a@{node}", EndpointKind.POD, (address,), "six", f"a-{node}", node)


def test_flows_go_to_partners_and_where_asked_to_the_own_node() -> None:
    """Over families that both have."""
    pods = tuple(endpoint(f"n{i}", i + 1) for i in range(10))
    every = EveryNode(pods, (), planned(nodes(10), turn=0))
    flows = every.flows(pods, pods, Family, [TCP])
    assert len(flows) == 2 * every.pairs.count
    assert {flow.family for flow in flows} == {Family.IPV6}
    with_own = every.flows(pods, pods, Family, [TCP], own=True)
    assert len(with_own) == len(flows) + len(pods)
