"""Matrices as ``sixproof/results/v1`` had them: each with its endpoints, and an object per cell."""

from __future__ import annotations

import functools
import ipaddress
import sys
from collections.abc import Mapping
from typing import Any

from sixproof import records
from sixproof.model import (
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
from sixproof.reporting.results.matrices.measured import Measured

SCHEMA = "sixproof/results/v1"


def read(value: Mapping[str, Any]) -> Measured:
    """The matrix of an object of that version.

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
        icmp=icmp_read(flow.family, cell["icmp"]) if cell.get("icmp") else None,
    )


def icmp_read(family: Family, value: Mapping[str, Any]) -> IcmpError:
    """The ICMP error of an object, which both versions write alike but for the family.

    Raises:
        KeyError, TypeError, ValueError: it is not of that form.
    """
    return IcmpError(family, int(value["type"]), int(value["code"]), value["sender"], value["mtu"])
