"""Zones as places: a boundary between them is one sentence, and a large matrix is still weighed."""

from __future__ import annotations

import dataclasses

from sixproof.model import Disagreement, Endpoint, Family, Flow, Matrix, Outcome
from sixproof.reporting.diagnosis.bit_field import MOST_SIDES
from sixproof.reporting.diagnosis.places import diagnose
from sixproof.workloads.probe_pods.node_pairs import EveryNode, PlacedNode, planned
from sixproof.workloads.probe_pods.ports import TCP
from tests.unit.reporting.samples import Rule, all_open, pod, seen

ZONES = ("north", "south", "west")


def placed(count: int, zones: tuple[str, ...] = ZONES) -> tuple[Endpoint, ...]:
    """A pod on each of so many nodes, in turn in one of the zones."""
    return tuple(
        dataclasses.replace(pod("a", f"n{i}", i % 200 + 1), zone=zones[i % len(zones)])
        for i in range(count)
    )


def tried(ends: tuple[Endpoint, ...], rule: Rule) -> tuple[Matrix, tuple[Disagreement, ...]]:
    """Each with some others, over IPv6, as a plan of pairs says."""
    nodes = [PlacedNode(end.node, (("zone", end.zone),)) for end in ends]
    every = EveryNode(ends, (), planned(nodes, turn=1))
    matrix = Matrix.of(
        "every node",
        [seen(f, rule(f)) for f in every.flows(ends, ends, [Family.IPV6], [TCP])],
    )
    return matrix, matrix.disagreements(all_open(matrix))


def dead_from_north_to_south(flow: Flow) -> Outcome:
    boundary = (flow.source.zone, flow.destination.zone) == ("north", "south")
    return Outcome.DROPPED if boundary else Outcome.ALLOWED


def test_a_dead_boundary_between_zones_is_one_sentence() -> None:
    """In the direction that is dead."""
    matrix, wrong = tried(placed(30), dead_from_north_to_south)
    (found,) = diagnose(matrix, wrong)
    assert found.where == "from zone north to zone south"
    assert len(found.cells) == found.total == len(wrong) > 2


def test_a_zone_of_one_node_is_called_by_that_node() -> None:
    """A reader knows the node, and it is the smaller claim."""
    ends = placed(3)
    matrix, wrong = tried(
        ends, lambda f: Outcome.DROPPED if f.source.zone == "west" else Outcome.ALLOWED
    )
    (found,) = diagnose(matrix, wrong)
    assert "n2" in found.where
    assert "zone" not in found.where


def test_a_dead_zone_of_a_large_cluster_is_found_among_hundreds_of_ends() -> None:
    """Not every pair of their sides is weighed: that grows with the square of their number."""
    matrix, wrong = tried(
        placed(250), lambda f: Outcome.DROPPED if f.destination.zone == "south" else Outcome.ALLOWED
    )
    (found,) = diagnose(matrix, wrong)
    assert found.where == "to zone south"
    assert 2 * len({d.observation.flow.source.name for d in wrong}) > MOST_SIDES  # and their nodes
