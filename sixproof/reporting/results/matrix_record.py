"""One measured matrix of a run, with what was expected of it, and its form in results.json."""

from __future__ import annotations

import dataclasses
import functools
import ipaddress
import sys
from collections import Counter
from collections.abc import Mapping
from typing import Any

from sixproof import records
from sixproof.model import (
    Disagreement,
    Edge,
    Endpoint,
    Expectation,
    Family,
    Flow,
    IcmpError,
    Matrix,
    MatrixKind,
    Observation,
    Outcome,
    Protocol,
    edge_of,
)
from sixproof.reporting.matrix.grid import CellState, Expected, state_of


@dataclasses.dataclass(frozen=True)
class Measured:
    """A matrix that a test measured.

    `headline` marks what the run is about (pod to pod, services): such matrices are shown even
    where nothing is wrong with them.
    """

    matrix: Matrix
    expected: Expected | None = None
    test: str = ""
    headline: bool = False

    def disagreements(self) -> tuple[Disagreement, ...]:
        """The wrong cells, none where nothing was expected."""
        if self.expected is None:
            return ()
        return self.matrix.disagreements(self.expected)

    def states(self, family: Family) -> Counter[CellState]:
        """How many cells of a family are in each state."""
        expected = self.expected or {}
        return Counter(
            state_of(seen.outcome, expected.get(key))
            for key, seen in self.matrix.cells.items()
            if key[0] is family
        )


def _written(measured: Measured) -> dict[str, Any]:
    """One object of results.json: endpoints once, then a cell an observation."""
    flows = [o.flow for o in measured.matrix.cells.values()]
    ends = {e.name: e for flow in flows for e in (flow.source, flow.destination)}
    expected = measured.expected or {}
    return records.full(
        {
            "title": measured.matrix.title,
            "kind": measured.matrix.kind.value,
            "test": measured.test,
            "headline": measured.headline,
            "judged": measured.expected is not None,
            "endpoints": list(map(records.to_json, ends.values())),
            "cells": [
                _cell(seen, expected.get(key)) for key, seen in measured.matrix.cells.items()
            ],
        }
    )


def _cell(seen: Observation, wanted: Expectation | None) -> dict[str, Any]:
    flow = seen.flow
    return records.full(
        {
            "source": flow.source.name,
            "sourceNode": flow.source.node,
            "destination": flow.destination.name,
            "destinationNode": flow.destination.node,
            "family": flow.family.value,
            "protocol": flow.protocol.value,
            "address": str(flow.address),
            "port": flow.port,
            "question": flow.question,
            "about": flow.about,
            "outcome": seen.outcome.value,
            "reason": seen.reason,
            "attempts": seen.attempts,
            "waitedSeconds": round(seen.waited, 6),
            "latencySeconds": None if seen.latency is None else round(seen.latency, 6),
            "peerSaw": None if seen.peer_saw is None else str(seen.peer_saw),
            "answeredBy": seen.answered_by,
            "arrived": seen.arrived,
            "nonce": seen.nonce,
            "untold": list(seen.untold),
            "stalledSeconds": round(seen.stalled, 3) or None,
            "nextHop": None if seen.next_hop is None else str(seen.next_hop),
            "icmp": None if seen.icmp is None else _icmp_written(seen.icmp),
            "peerPort": seen.peer_port,
            "expected": [] if wanted is None else sorted(o.value for o in wanted.outcomes),
            "because": "" if wanted is None else wanted.because,
            "byPolicy": wanted is not None and wanted.by_policy,
            "closedBy": "" if wanted is None else wanted.closed_by,
            "state": state_of(seen.outcome, wanted).value,
        }
    )


def _icmp_written(error: IcmpError) -> dict[str, Any]:
    return {"type": error.kind, "code": error.code, "sender": error.sender, "mtu": error.mtu}


def _read(value: Mapping[str, Any]) -> Measured:
    """The matrix that `_written` made an object of.

    Raises:
        RecordError, KeyError, TypeError, ValueError: it is not of that form.
    """
    ends = {e["name"]: records.from_json(Endpoint, e) for e in value.get("endpoints", ())}
    expected: dict[tuple[Family, Edge], Expectation] = {}
    seen: list[Observation] = []
    for cell in value.get("cells", ()):
        observation = _observation(cell, ends)
        seen.append(observation)
        if cell.get("expected"):
            key = (observation.flow.family, edge_of(observation.flow))
            expected[key] = _expectation(
                tuple(cell["expected"]),
                cell.get("because", ""),
                bool(cell.get("byPolicy")),
                cell.get("closedBy", ""),
            )
    return Measured(
        matrix=Matrix.of(value["title"], seen, MatrixKind(value["kind"])),
        expected=expected if value["judged"] else None,
        test=value.get("test", ""),
        headline=bool(value.get("headline")),
    )


records.own_form(Measured, _written, _read)  # cells are most of a file of 100 MB


@functools.lru_cache(maxsize=20_000)
def _expectation(
    outcomes: tuple[str, ...], because: str, by_policy: bool, closed_by: str
) -> Expectation:
    """One object for the thousands of cells of which the same is expected."""
    return Expectation(frozenset(Outcome(o) for o in outcomes), because, by_policy, closed_by)


_address = functools.lru_cache(maxsize=20_000)(ipaddress.ip_address)


def _observation(cell: Mapping[str, Any], ends: Mapping[str, Endpoint]) -> Observation:
    flow = Flow(
        source=ends[cell["source"]],
        destination=ends[cell["destination"]],
        address=_address(cell["address"]),
        protocol=Protocol(cell["protocol"]),
        port=cell.get("port"),
        question=cell.get("question", ""),
        about=Family(cell["about"]) if cell.get("about") else None,
    )
    return Observation(
        flow=flow,
        outcome=Outcome(cell["outcome"]),
        reason=sys.intern(cell.get("reason", "")),
        attempts=cell.get("attempts", 1),
        waited=cell.get("waitedSeconds", 0.0),
        latency=cell.get("latencySeconds"),
        peer_saw=_address(cell["peerSaw"]) if cell.get("peerSaw") else None,
        peer_port=cell.get("peerPort"),
        answered_by=sys.intern(cell.get("answeredBy", "")),
        arrived=cell.get("arrived"),
        nonce=cell.get("nonce", ""),
        untold=tuple(cell.get("untold", ())),
        stalled=float(cell.get("stalledSeconds") or 0.0),
        next_hop=_address(cell["nextHop"]) if cell.get("nextHop") else None,
        icmp=_icmp_read(flow.family, cell["icmp"]) if cell.get("icmp") else None,
    )


def _icmp_read(family: Family, value: Mapping[str, Any]) -> IcmpError:
    return IcmpError(family, int(value["type"]), int(value["code"]), value["sender"], value["mtu"])
