"""One measured matrix of a run, with what was expected of it, and its form in results.json."""

from __future__ import annotations

import dataclasses
import functools
import ipaddress
import sys
from collections import Counter
from collections.abc import Mapping
from typing import Any

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
from sixproof.reporting.matrix.grid import Expected, Standing, standing_of
from sixproof.reporting.results.test_record import full


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

    def standings(self, family: Family) -> Counter[Standing]:
        """How many cells of a family stand how."""
        expected = self.expected or {}
        return Counter(
            standing_of(seen.outcome, expected.get(key))
            for key, seen in self.matrix.cells.items()
            if key[0] is family
        )

    def to_json(self) -> dict[str, Any]:
        """One object of results.json: endpoints once, then a cell an observation."""
        flows = [o.flow for o in self.matrix.cells.values()]
        ends = {e.name: e for flow in flows for e in (flow.source, flow.destination)}
        return full(
            title=self.matrix.title,
            kind=self.matrix.kind.value,
            test=self.test,
            headline=self.headline,
            judged=self.expected is not None,
            endpoints=[e.to_json() for e in ends.values()],
            cells=[self._cell(key, seen) for key, seen in self.matrix.cells.items()],
        )

    def _cell(self, key: tuple[Family, Edge], seen: Observation) -> dict[str, Any]:
        wanted = None if self.expected is None else self.expected.get(key)
        expected = [] if wanted is None else sorted(o.value for o in wanted.outcomes)
        because = "" if wanted is None else wanted.because
        return full(
            **seen.to_json(),
            peerPort=seen.peer_port,
            expected=expected,
            because=because,
            byPolicy=wanted is not None and wanted.by_policy,
            closedBy="" if wanted is None else wanted.closed_by,
            standing=standing_of(seen.outcome, wanted).value,
        )

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Measured:
        """The matrix that `to_json` wrote.

        Raises:
            KeyError, TypeError, ValueError: the object is not of that shape.
        """
        ends = {e["name"]: Endpoint.from_json(e) for e in value.get("endpoints", ())}
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
        return cls(
            matrix=Matrix.of(value["title"], seen, MatrixKind(value["kind"])),
            expected=expected if value["judged"] else None,
            test=value.get("test", ""),
            headline=bool(value.get("headline")),
        )


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
        stalled=bool(cell.get("stalled")),
        icmp=IcmpError.from_json(flow.family, cell["icmp"]) if cell.get("icmp") else None,
    )
