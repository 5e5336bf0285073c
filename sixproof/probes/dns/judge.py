"""What answers must be, and what to say where they are not. Pure.

A verdict leads with what all wrong answers share and what works beside them, then lists each kind
of wrong answer once: question, server, transport, family, expected, seen, and the contrast.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from sixproof.model import Family, Parity
from sixproof.probes.dns.message import DnsQuestion
from sixproof.probes.dns.verdict import LOST, DnsObservation, DnsOutcome

SAMPLES = 8
"""Pairs of a wrong and a right answer that it takes to blame a family where several replicas may
have answered: with one replica of two at fault, chance alone makes them look so once in 256."""
KINDS = 4
"""Kinds of wrong answers listed in one message."""
NAMES = 4
"""Records or sources shown of a list."""


class Answered(Protocol):
    """What a server or a resolver answered: a class, and what the records say."""

    @property
    def outcome(self) -> DnsOutcome: ...

    @property
    def data(self) -> frozenset[str]: ...


@dataclasses.dataclass(frozen=True, slots=True)
class DnsExpectation:
    """What an answer must be: one of `outcomes`, and its data exactly `data` (None: whatever), or
    `at_least` that. `because` says where the truth comes from."""

    outcomes: frozenset[DnsOutcome]
    data: frozenset[str] | None
    because: str
    at_least: bool = False

    @classmethod
    def records(
        cls, data: Iterable[str], because: str, *, at_least: bool = False
    ) -> DnsExpectation:
        """Exactly these records; none of them means that the name exists without (NODATA)."""
        wanted = frozenset(data)
        outcome = DnsOutcome.NOERROR if wanted else DnsOutcome.NODATA
        return cls(frozenset({outcome}), wanted, because, at_least)

    @classmethod
    def only(cls, outcome: DnsOutcome, because: str) -> DnsExpectation:
        """This outcome, whatever comes with it."""
        return cls(frozenset({outcome}), None, because)

    def accepts(self, seen: Answered) -> bool:
        """Whether an answer is as expected."""
        if seen.outcome not in self.outcomes:
            return False
        if self.data is None:
            return True
        if seen.outcome is DnsOutcome.TRUNCATED:  # part of the truth is all that fits
            return seen.data <= self.data
        return self.data <= seen.data if self.at_least else self.data == seen.data

    def __str__(self) -> str:
        if self.data:
            return f"{'at least ' if self.at_least else ''}{shown(self.data)}"
        return " or ".join(sorted(self.outcomes))


Expected = Mapping[DnsQuestion, DnsExpectation]


@dataclasses.dataclass(frozen=True, slots=True)
class DnsDisagreement:
    """An answer that is not what was expected."""

    seen: DnsObservation
    expected: DnsExpectation


def disagreements(
    seen: Iterable[DnsObservation], expected: Expected
) -> tuple[DnsDisagreement, ...]:
    """The answers that are not as expected; UNKNOWN is never expected.

    Raises:
        KeyError: an observation's question has no expectation.
    """
    return tuple(
        DnsDisagreement(o, expected[o.query.question])
        for o in seen
        if not expected[o.query.question].accepts(o)
    )


def parity(seen: Sequence[DnsObservation], wrong: Sequence[DnsDisagreement]) -> Parity:
    """How the families compare: by the records that were asked for, else by the way to the server.

    A family is broken where every measured wrong answer is of it and the same server, asked in the
    same way, was right about the other. Behind a Service another replica may answer every question,
    so there it takes `SAMPLES` such pairs and no right answer of the family, or replicas asked by
    themselves whose every wrong answer has its pair.
    """
    measured = [o for o in seen if o.outcome.measured]
    bad = [d.seen for d in wrong if d.seen.outcome.measured]
    if not bad:
        return Parity.NOT_COMPARED
    right = [o for o in measured if o not in bad]
    for compared in (_BY_RECORD, _BY_WAY):
        family = compared.only_family(bad, right)
        if family is not None:
            return Parity.IPV6_BROKEN if family is Family.IPV6 else Parity.IPV4_BROKEN
    both = any({f(o) for o in bad} >= set(Family) for f in (_record_family, _server_family))
    return Parity.BOTH_BROKEN if both else Parity.NOT_COMPARED


def families(seen: Sequence[DnsObservation], wrong: Sequence[DnsDisagreement]) -> set[Family]:
    """The families that wrong answers are of, by the records asked for, else by the way; none
    where all are of one family of two and the comparison does not prove that it is the family."""
    bad = [d.seen for d in wrong if d.seen.outcome.measured]
    compared = parity(seen, wrong)
    one = {Parity.IPV6_BROKEN: {Family.IPV6}, Parity.IPV4_BROKEN: {Family.IPV4}}
    if compared in one:
        return one[compared]
    found = {_record_family(o) or o.query.server.family for o in bad}
    asked = {_record_family(o) or o.query.server.family for o in seen if o.outcome.measured}
    return found if len(found) != 1 or found == asked else set()


def verdict(title: str, seen: Sequence[DnsObservation], wrong: Sequence[DnsDisagreement]) -> str:
    """The message of a failing check."""
    lines = [f"{title}: {_lead(seen, wrong)}"]
    kinds = _kinds(wrong)
    for group in kinds[:KINDS]:
        lines += _group_lines(group, seen)
    if left := sum(len(group) for group in kinds[KINDS:]):
        lines.append(f"  ... and {left} more wrong answers, all of them in the attachment")
    return "\n".join(lines)


def shown(data: Iterable[str]) -> str:
    """Records as text: ``{fd00::1, fd00::2, ... 118 more}``."""
    known = sorted(data)
    more = [f"... {len(known) - NAMES} more"] if len(known) > NAMES else []
    return "{" + ", ".join([*known[:NAMES], *more]) + "}"


_TRAITS: tuple[tuple[str, Callable[[DnsObservation], str]], ...] = (
    ("over {}", lambda o: o.query.server.family.value),
    ("over {}", lambda o: o.query.transport.value),
    ("to questions for {}", lambda o: o.query.question.type.value),
    ("of {}", lambda o: o.query.server.name),
    ("asked from {}", lambda o: o.query.source.node),
)


def _lead(seen: Sequence[DnsObservation], wrong: Sequence[DnsDisagreement]) -> str:
    """How many are wrong, what they share that others do not, and what works beside them."""
    bad = [d.seen for d in wrong]
    outcomes = ", ".join(sorted({o.came for o in bad}))
    sharing = [
        (text, trait)
        for text, trait in _TRAITS
        if len({trait(o) for o in bad}) == 1 and len({trait(o) for o in seen}) > 1
    ]
    alike = sum(all(trait(o) == trait(bad[0]) for _, trait in sharing) for o in seen)
    amount = "all" if len(bad) == alike else f"{len(bad)} of {alike}"
    places = ", ".join(text.format(trait(bad[0])) for text, trait in sharing[:3])
    lead = f"{amount} answers {places}".rstrip() + f" are wrong ({outcomes})"
    right = f"{len(seen) - len(bad)} of {len(seen)} answers are right"
    if not sharing:
        return f"{lead}; {right}"
    _, first = sharing[0]
    others = sorted({first(o) for o in seen} - {first(bad[0])})
    beside = f"{' and '.join(others)} work{'s' if len(others) == 1 else ''}"
    return f"{lead}; {beside}; {right}"


def _kinds(wrong: Iterable[DnsDisagreement]) -> list[list[DnsDisagreement]]:
    """Wrong answers that look alike taken together: they differ in client, server and transport."""
    groups: dict[tuple[object, ...], list[DnsDisagreement]] = {}
    for one in wrong:
        o = one.seen
        key = (o.query.question, o.outcome, o.data, one.expected)
        groups.setdefault(key, []).append(one)
    return list(groups.values())


def _group_lines(group: Sequence[DnsDisagreement], seen: Sequence[DnsObservation]) -> list[str]:
    first = group[0].seen
    expected = group[0].expected
    servers = listed(d.seen.query.server.name for d in group)
    ways = listed(d.seen.query.way for d in group)
    came = shown(first.data) if first.data else first.came
    if not first.outcome.measured:
        came = "not measured"
    lines = [
        f"  {first.query.question} at {servers} over {ways}: {came}, "
        f"expected {expected} ({expected.because})",
        f"    asked by {listed(d.seen.query.source.name for d in group)}"
        + "".join(f"; {fact}" for fact in _facts(first, expected)),
    ]
    if contrast := _contrast(first, {d.seen.query.way for d in group}, seen):
        lines.append(f"    {contrast}")
    return lines


def _facts(seen: DnsObservation, expected: DnsExpectation) -> Iterable[str]:
    wanted = expected.data or frozenset()
    if seen.data and (missing := wanted - seen.data):
        yield f"missing {shown(missing)}"
    if wanted and not expected.at_least and (unexpected := seen.data - wanted):
        yield f"not expected {shown(unexpected)}"
    if seen.answer:
        others = seen.answer.others(seen.query.question.type)
        yield f"the server said {seen.answer}" + (f": {shown(others)}" if others else "")
    if seen.reason:
        yield seen.reason


def _contrast(first: DnsObservation, ways: set[str], seen: Iterable[DnsObservation]) -> str:
    """The same name asked in other ways by the same source: another transport, family or type."""
    own: dict[str, str] = {}
    others: dict[str, str] = {}
    for other in seen:
        mine, theirs = first.query, other.query
        if theirs.source.name != mine.source.name or theirs.question.name != mine.question.name:
            continue
        if theirs.question != mine.question:
            others.setdefault(f"{theirs.question.type} over {theirs.way}", _brief(other))
        elif theirs.way not in ways:
            own.setdefault(f"over {theirs.way}", _brief(other))
    contrasts = [*list(own.items())[:3], *list(others.items())[: 1 if own else 2]]
    if not contrasts:
        return ""
    return "the same name, " + "; ".join(f"{way}: {what}" for way, what in contrasts)


def _brief(seen: DnsObservation) -> str:
    latency = f" in {seen.latency * 1000:.1f} ms" if seen.latency is not None else ""
    data = f" {shown(seen.data)}" if seen.data else ""
    return f"{seen.outcome}{data}{latency}"


def listed(names: Iterable[str]) -> str:
    """Names as text, each once: ``a@worker, b@worker and 3 more``."""
    known = list(dict.fromkeys(names))
    more = f" and {len(known) - NAMES} more" if len(known) > NAMES else ""
    return ", ".join(known[:NAMES]) + more


def _record_family(seen: DnsObservation) -> Family | None:
    return seen.query.question.type.family


def _server_family(seen: DnsObservation) -> Family | None:
    return seen.query.server.family


@dataclasses.dataclass(frozen=True, slots=True)
class _Comparison:
    """Which answers differ by their family alone: those for which `alike` is the same."""

    family_of: Callable[[DnsObservation], Family | None]
    alike: Callable[[DnsObservation], tuple[object, ...]]

    def only_family(
        self, bad: Sequence[DnsObservation], right: Sequence[DnsObservation]
    ) -> Family | None:
        """The one family of all wrong answers, where right ones of the other prove it."""
        families = {self.family_of(o) for o in bad}
        family = families.pop()
        if families or family is None:
            return None
        others = {self.alike(o) for o in right if self.family_of(o) is family.other}
        pairs = sum(self.alike(o) in others for o in bad)
        direct = [o for o in bad if o.query.server.replicas == 1]
        proven = sum(self.alike(o) in others for o in direct)
        if direct and (proven == len(direct) or len(direct) == len(bad)):
            return family if proven else None
        alike = _asked_of if all(o.outcome in LOST for o in bad) else _server_of
        hit = {alike(o) for o in bad}
        chance = any(self.family_of(o) is family and alike(o) in hit for o in right)
        return family if pairs >= SAMPLES and not chance else None


def _server_of(seen: DnsObservation) -> tuple[object, ...]:
    """The server that is asked: its answer does not depend on the client."""
    return seen.query.server.name, seen.query.transport


def _asked_of(seen: DnsObservation) -> tuple[object, ...]:
    """Client and server: whether an answer comes depends on both."""
    return seen.query.source.name, seen.query.server.name, seen.query.transport


_BY_RECORD = _Comparison(
    _record_family,
    lambda o: (*_asked_of(o), o.query.server.address, o.query.question.name),
)
_BY_WAY = _Comparison(_server_family, lambda o: (*_asked_of(o), o.query.question))
