"""What many cells of results.json have in common, written once: cells refer to it by number.

`endpoints` are sources and destinations, `targets` what of a destination was dialled, `answers`
what came of it beside what was expected, and `texts` addresses and pod names. A run of all suites
has 200 000 cells, and a few hundred of each of these.
"""

from __future__ import annotations

import dataclasses
import functools
import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from sixproof import records
from sixproof.errors import brief
from sixproof.model import (
    Edge,
    Endpoint,
    Expectation,
    Family,
    Flow,
    IcmpError,
    IPAddress,
    Observation,
    Outcome,
    Protocol,
    edge_of,
)
from sixproof.reporting.matrix.grid import state_of
from sixproof.reporting.results.matrices.first_version import icmp_read

NAMES = ("endpoints", "targets", "answers", "texts")
"""The members of results.json that hold them."""

T = TypeVar("T")
_SOURCE, _DESTINATION = "<source>", "<destination>"


class Target(NamedTuple):
    """What of a destination was dialled: the fields of a flow that follow its source."""

    destination: Endpoint
    address: IPAddress
    protocol: Protocol
    port: int | None = None
    question: str = ""
    about: Family | None = None

    @classmethod
    def of(cls, flow: Flow) -> Target:
        """The target of a flow."""
        return cls(
            flow.destination, flow.address, flow.protocol, flow.port, flow.question, flow.about
        )


@dataclasses.dataclass(frozen=True, slots=True)
class CellAnswer:
    """What came of a flow, and what was expected of it, without what differs from cell to cell.

    `reason` and `because` have ``<source>`` and ``<destination>`` for the names of the endpoints,
    unless that could not be undone (`verbatim`): then a thousand cells have one answer.
    """

    outcome: Outcome
    reason: str = ""
    attempts: int = 1
    arrived: bool | None = None
    untold: tuple[str, ...] = ()
    stalled: float = 0.0
    icmp: IcmpError | None = None
    outcomes: tuple[Outcome, ...] = ()
    because: str = ""
    by_policy: bool = False
    closed_by: str = ""
    verbatim: bool = False

    @classmethod
    def of(cls, seen: Observation, wanted: Expectation | None) -> CellAnswer:
        """The answer of a cell."""
        flow, because = seen.flow, wanted.because if wanted else ""
        reason, why = (_general(text, flow) for text in (seen.reason, because))
        known = _named(reason, flow) == seen.reason and _named(why, flow) == because
        return cls(
            seen.outcome,
            reason if known else seen.reason,
            seen.attempts,
            seen.arrived,
            seen.untold,
            round(seen.stalled, 3),
            seen.icmp,
            tuple(sorted(wanted.outcomes)) if wanted else (),
            why if known else because,
            wanted is not None and wanted.by_policy,
            wanted.closed_by if wanted else "",
            not known,
        )

    def reason_of(self, flow: Flow) -> str:
        """The reason, with the names of the endpoints."""
        return self.reason if self.verbatim else _named(self.reason, flow)

    def expected_of(self, flow: Flow) -> Expectation | None:
        """What was expected of the flow, None where nothing was."""
        if not self.outcomes:
            return None
        because = self.because if self.verbatim else _named(self.because, flow)
        return Expectation(frozenset(self.outcomes), because, self.by_policy, self.closed_by)


def _general(text: str, flow: Flow) -> str:
    """A sentence without the names of a flow's endpoints; the longer one first, since the other
    may be a part of it."""
    names = [(flow.source.name, _SOURCE), (flow.destination.name, _DESTINATION)]
    for name, place in sorted(names, key=lambda pair: -len(pair[0])):
        text = text.replace(name, place) if name else text
    return text


def _named(text: str, flow: Flow) -> str:
    """The sentence with them."""
    if "<" not in text:
        return text
    return text.replace(_SOURCE, flow.source.name).replace(_DESTINATION, flow.destination.name)


class TableWriter:
    """Numbers what cells refer to, in the order in which it is met."""

    def __init__(self) -> None:
        self._flows: dict[int, tuple[Flow, tuple[int, int]]] = {}  # with it, so that it stays
        self._endpoints: dict[Endpoint, int] = {}
        self._targets: dict[Target, int] = {}
        self._answers: dict[CellAnswer, int] = {}
        self._texts: dict[str, int] = {}

    def ends(self, flow: Flow) -> tuple[int, int]:
        """The numbers of a flow's source, and of what it dials. A flow that is the same object is
        known again without a look at its endpoints."""
        known = self._flows.get(id(flow))
        if known is None:
            source = self._endpoint(flow.source)
            self._endpoint(flow.destination)
            target = self._targets.setdefault(Target.of(flow), len(self._targets))
            known = self._flows[id(flow)] = flow, (source, target)
        return known[1]

    def _endpoint(self, endpoint: Endpoint) -> int:
        return self._endpoints.setdefault(endpoint, len(self._endpoints))

    def answer(self, seen: Observation, wanted: Expectation | None) -> int:
        """The number of what came of a flow."""
        return self._answers.setdefault(CellAnswer.of(seen, wanted), len(self._answers))

    def text(self, value: object) -> int | None:
        """The number of an address or a name, None for none."""
        return self._texts.setdefault(str(value), len(self._texts)) if value else None

    def endpoints(self) -> Iterator[Any]:
        """The table of endpoints. Each table is made when it is iterated over: after the matrices
        that refer to it."""
        yield from map(records.to_json, self._endpoints)

    def targets(self) -> Iterator[Any]:
        """The table of targets."""
        for target in self._targets:
            yield records.full(
                {
                    "destination": self._endpoints[target.destination],
                    "family": (target.about or Family.of(target.address)).value,
                    "protocol": target.protocol.value,
                    "address": str(target.address),
                    "port": target.port,
                    "question": target.question,
                    "about": target.about and target.about.value,
                }
            )

    def answers(self) -> Iterator[Any]:
        """The table of answers."""
        yield from map(_answer_written, self._answers)

    def texts(self) -> Iterator[str]:
        """The table of texts."""
        yield from self._texts

    def written(self) -> dict[str, Iterator[Any]]:
        """All tables by the names of their members."""
        return {name: getattr(self, name)() for name in NAMES}


def _answer_written(answer: CellAnswer) -> dict[str, Any]:
    wanted = Expectation(frozenset(answer.outcomes), "", closed_by=answer.closed_by)
    return records.full(
        {
            "outcome": answer.outcome.value,
            "reason": answer.reason,
            "attempts": answer.attempts,
            "arrived": answer.arrived,
            "untold": list(answer.untold),
            "stalledSeconds": answer.stalled or None,
            "icmp": answer.icmp and _icmp_written(answer.icmp),
            "expected": [outcome.value for outcome in answer.outcomes],
            "because": answer.because,
            "byPolicy": answer.by_policy,
            "closedBy": answer.closed_by,
            "state": state_of(answer.outcome, wanted if answer.outcomes else None).value,
            "verbatim": answer.verbatim or None,
        }
    )


def _icmp_written(error: IcmpError) -> dict[str, Any]:
    return {
        "family": error.family.value,
        "type": error.kind,
        "code": error.code,
        "sender": error.sender,
        "mtu": error.mtu,
    }


class Tables:
    """The tables of a file, read."""

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        targets: Sequence[Target],
        answers: Sequence[CellAnswer],
        texts: Sequence[str],
    ) -> None:
        self._endpoints, self._targets = endpoints, targets
        self._answers, self._texts = answers, texts
        self._flows: dict[tuple[int, int], tuple[Flow, tuple[Family, Edge]]] = {}
        self._addresses: dict[int, IPAddress] = {}
        self._words: dict[tuple[int, int, int], tuple[str, Expectation | None]] = {}

    @classmethod
    def read(cls, value: Mapping[str, Any]) -> Tables:
        """The tables that are members of this object; those that it lacks are empty.

        Raises:
            RecordError, KeyError, TypeError, ValueError: they are not of their form.
        """
        ends = [records.from_json(Endpoint, e) for e in value.get("endpoints", ())]
        return cls(
            ends,
            [_target_read(t, ends) for t in value.get("targets", ())],
            [records.from_json(CellAnswer, a) for a in value.get("answers", ())],
            [_text(t) for t in value.get("texts", ())],
        )

    def flow(self, source: int, target: int) -> tuple[Flow, tuple[Family, Edge]]:
        """A flow by the numbers of its source and target, and its key in a matrix; of equal flows
        they are the same objects."""
        known = self._flows.get((source, target))
        if known is None:
            made = _flow(_entry(self._endpoints, source), _entry(self._targets, target))
            known = self._flows[source, target] = made
        return known

    def answer(self, number: int) -> CellAnswer:
        """An answer by its number."""
        return _entry(self._answers, number)

    def words(self, source: int, target: int, answer: int) -> tuple[str, Expectation | None]:
        """The reason of an answer to a flow, and what was expected of that."""
        key = source, target, answer
        known = self._words.get(key)
        if known is None:
            (flow, _), said = self.flow(source, target), self.answer(answer)
            known = said.reason_of(flow), said.expected_of(flow)
            self._words[key] = known
        return known

    def text(self, number: int | None) -> str:
        """A text by its number, "" for none."""
        return "" if number is None else _entry(self._texts, number)

    def address(self, number: int | None) -> IPAddress | None:
        """An address by its number, None for none."""
        if number is None:
            return None
        known = self._addresses.get(number)
        if known is None:
            known = self._addresses[number] = ipaddress.ip_address(self.text(number))
        return known


@functools.lru_cache(maxsize=50_000)
def _flow(source: Endpoint, target: Target) -> tuple[Flow, tuple[Family, Edge]]:
    """One object for the flows of all matrices that are equal: a run asks the same again."""
    flow = Flow(source, *target)
    return flow, (flow.family, edge_of(flow))


def _entry(table: Sequence[T], number: object) -> T:
    """The entry of a table.

    Raises:
        ValueError: there is none of that number.
    """
    if type(number) is not int or not 0 <= number < len(table):
        raise ValueError(f"there is no entry {brief(repr(number))} in a table of {len(table)}")
    return table[number]


def _target_read(value: Mapping[str, Any], ends: Sequence[Endpoint]) -> Target:
    return Target(
        _entry(ends, value["destination"]),
        ipaddress.ip_address(_text(value["address"])),
        Protocol(value["protocol"]),
        value.get("port"),
        _text(value.get("question", "")),
        Family(value["about"]) if value.get("about") else None,
    )


def _answer_read(value: Mapping[str, Any]) -> CellAnswer:
    error = value.get("icmp")
    return CellAnswer(
        Outcome(value["outcome"]),
        _text(value.get("reason", "")),
        value.get("attempts", 1),
        value.get("arrived"),
        tuple(map(_text, value.get("untold", ()))),
        float(value.get("stalledSeconds") or 0.0),
        icmp_read(Family(error["family"]), error) if error else None,
        tuple(map(Outcome, value.get("expected", ()))),
        _text(value.get("because", "")),
        bool(value.get("byPolicy")),
        _text(value.get("closedBy", "")),
        bool(value.get("verbatim")),
    )


def _text(value: object) -> str:
    return records.from_json(str, value)


records.own_reader(CellAnswer, _answer_read)
records.own_reader(Tables, Tables.read)
