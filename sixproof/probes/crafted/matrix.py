"""Crafted packets as a matrix: which shapes arrive that must, and which that must not."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable

from sixproof.model import (
    Edge,
    Expectation,
    Family,
    Flow,
    Judged,
    Matrix,
    MatrixKind,
    Observation,
    Outcome,
    Protocol,
    edge_of,
)
from sixproof.probes.crafted.probe import CraftedResult, CraftedStatus

_OUTCOMES = {
    CraftedStatus.ARRIVED: Outcome.ALLOWED,
    CraftedStatus.ABSENT: Outcome.DROPPED,
    CraftedStatus.UNKNOWN: Outcome.UNKNOWN,
}


def matrix(
    title: str, results: Iterable[CraftedResult], wrong: Callable[[CraftedResult], str]
) -> Judged:
    """One cell per packet, by its shape.

    One that arrived or was dropped as it must and is `wrong` all the same is WRONG (an ICMP error
    about it quotes too much), or came through where it must not (a part of it reached the server's
    interface). One that did not arrive and is not `wrong` is TOO_BIG, as it may be: a router said
    so rightly.
    """
    cells: dict[tuple[Family, Edge], Observation] = {}
    wanted: dict[tuple[Family, Edge], Expectation] = {}
    for result in results:
        packet = result.crafted_packet
        due = Outcome.ALLOWED if packet.arrives else Outcome.DROPPED
        right = {due}
        outcome, said = _OUTCOMES[result.status], result.doubt
        if outcome.measured and (said := wrong(result)) and outcome is due:
            outcome = Outcome.WRONG if due.works else Outcome.ALLOWED
        elif outcome is Outcome.DROPPED and due.works and not said:
            outcome = Outcome.TOO_BIG
            right.add(outcome)
        flow = _flow(result)
        cells[flow.family, edge_of(flow)] = Observation(
            flow,
            outcome,
            said.partition("\n")[0],
            len(packet.packets),
            arrived=_arrived(result),
            stalled=result.stalled,
        )
        wanted[flow.family, edge_of(flow)] = Expectation(frozenset(right), packet.because)
    return Matrix(title, cells, MatrixKind.PACKETS), wanted


def _flow(result: CraftedResult) -> Flow:
    """The way of the packet. One server has several addresses: its own, a service's, a node's."""
    target = result.crafted_packet.target
    own = target.address in target.server.addresses
    at = "" if own else f" at {target.address}"
    server = dataclasses.replace(target.server, name=f"{target.server.name}{at}")
    return Flow(
        target.source,
        server,
        target.address,
        Protocol.UDP,
        target.port,
        result.crafted_packet.shape,
    )


def _arrived(result: CraftedResult) -> bool | None:
    return (
        None if result.status is CraftedStatus.UNKNOWN else result.status is CraftedStatus.ARRIVED
    )
