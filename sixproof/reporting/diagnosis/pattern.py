"""Patterns: wrong cells that share a place, and the sentence that says so."""

from __future__ import annotations

import dataclasses
import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence

from sixproof.errors import brief
from sixproof.model import Disagreement, Family, MatrixKind, Outcome
from sixproof.reporting.diagnosis.category import Category, broken_family, one_family
from sixproof.reporting.diagnosis.scope import Scope
from sixproof.reporting.matrix.grid import CellState, port_name, state_of

_MUST = {CellState.BLOCKED: "that must be allowed", CellState.LEAK: "that must be denied"}
_QUESTIONS = 3
"""Questions that a sentence names."""
_WAY = re.compile(r" over IPv[46]$")
_USER_PORTS = 1024
"""The first port that is no system port (RFC 6335 section 6)."""
_SENDERS = 3
"""Senders of an ICMP error that a sentence names."""
_ALONE = {CellState.UNKNOWN: Category.NOT_MEASURED, CellState.OTHER: Category.OTHER_DENIAL}
_NAMED = {
    Outcome.DNS_FAILED: Category.DNS,
    Outcome.TOO_BIG: Category.MTU,
    Outcome.REJECTED: Category.OVER_BLOCK,
}


@dataclasses.dataclass(frozen=True)
class _Room:
    """What a sentence has room for: ports, questions and senders that it names, and characters of
    what was seen, None for all of it. A `short` one leaves out which agents they were."""

    ports: int = 1000
    questions: int = _QUESTIONS
    senders: int = _SENDERS
    reason: int | None = None
    short: bool = False

    def cut(self, reason: str) -> str:
        """As much of a reason as there is room for."""
        return reason if self.reason is None else brief(reason, max(self.reason, 1))

    def holds(self, reason: str) -> bool:
        """Whether there is room for all of it."""
        return self.reason is None or len(reason) <= self.reason


_SOME = _Room(ports=2, questions=1, senders=1, short=True)
_LEAST = 40
"""Characters of a reason below which it says nothing."""
_MANY = re.compile(r"^(\d+ agents): .*")
_QUOTED = 5
"""Characters that stand around a reason."""


@dataclasses.dataclass(frozen=True)
class Pattern:
    """Wrong cells of one kind in one place.

    `where` says the place in words and `port_specs` the ports as reports call them (empty for all
    of them). `total` counts the cells of the place that such a fault could have hit, `spared` those
    that it could not (they were expected to fail). `scope` and `edge_ports` are what was
    grouped by, None and empty where the cells have no common place. `kind` says what the cells are,
    `contrasts` what works nearby.
    """

    families: tuple[Family, ...]
    state: CellState
    where: str
    port_specs: tuple[str, ...]
    cells: tuple[Disagreement, ...]
    total: int
    spared: int = 0
    scope: Scope | None = None
    edge_ports: tuple[str, ...] = ()
    kind: MatrixKind = MatrixKind.FLOWS
    contrasts: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """The diagnosis: what fails, where, how much of it, and what works beside it."""
        return "; ".join((self.fact, *self.contrasts))

    @property
    def scattered(self) -> bool:
        """Whether measured cells have no common place."""
        return self.scope is None and self.state is not CellState.UNKNOWN

    @property
    def weak(self) -> bool:
        """Whether the description says more than the cells show; several of them are chance."""
        return self.scope is not None and len(self.cells) <= self.scope.cost

    @property
    def outcomes(self) -> Counter[Outcome]:
        """How often each outcome was seen."""
        return Counter(d.observation.outcome for d in self.cells)

    @property
    def categories(self) -> tuple[Category, ...]:
        """The classes of failure that the cells belong to. No policy is to blame for what is
        dropped where flows that none decides are dropped in the same place."""
        dropped = (d for d in self.cells if d.observation.outcome is Outcome.DROPPED)
        blame = all(d.expected.by_policy for d in dropped)
        found = {c for d in self.cells for c in categories_of(d, blame_policies=blame)}
        if Category.IPV6_ONLY in found and Category.IPV4_ONLY in found:
            found -= {Category.IPV6_ONLY, Category.IPV4_ONLY}
            found.add(Category.BOTH)
        return tuple(c for c in Category if c in found)

    @property
    def fact(self) -> str:
        """The sentence without what works beside it."""
        return self._fact(_Room())

    def said(self, at_most: int) -> str:
        """The same in at most so many characters, as far as it can be cut: of many ports,
        questions and senders the first ones, and then of a reason its ends, or nothing."""
        for room in (_Room(), _SOME):
            if len(said := self._fact(room)) <= at_most:
                return said
        bare = self._fact(dataclasses.replace(_SOME, reason=0))
        least = _LEAST if self.state is CellState.UNKNOWN else -_QUOTED
        spare = at_most - len(bare) + least
        said = self._fact(dataclasses.replace(_SOME, reason=spare)) if spare >= _LEAST else bare
        return said if len(said) <= at_most else bare

    def _fact(self, room: _Room) -> str:
        if self.state is CellState.UNKNOWN:
            seen = self.cells[0].observation
            reason = seen.reason or "no reason was given"
            for end in (seen.flow.source, seen.flow.destination):  # who it is was said before
                reason = reason.removeprefix(f"{end.name}: ")
            worst = " at worst" if len({c.observation.reason for c in self.cells}) > 1 else ""
            lead = f"{len(self.cells)} {said_families(self.families)} {self._cells}"
            where = _MANY.sub(r"\1", self.where) if room.short else self.where
            width = len(reason) if room.reason is None else max(room.reason, _LEAST)
            reason = textwrap.shorten(reason, width, placeholder=" ...")
            return (
                f"{lead} could not be measured, {where}: {reason}{worst} "
                f"(this says nothing about the network)"
            )
        if self.scope is None:
            return (
                f"{len(self.cells)} of {self.total} {said_families(self.families)} {self.kind} "
                f"{self._must(always=True)}{self._verb(room)} in no common place ({self.where})"
            )
        whole = len(self.cells) == self.total
        many = "all" if whole else "nearly all"
        said = [many, said_families(self.families), *self._asked(room), self.where]
        because = "" if room.reason is not None else self._because()
        counted = f"{len(self.cells)} of {self.total}{self._counted}{because}"
        return f"{' '.join(filter(None, said))} {self._must()}{self._verb(room)} ({counted})"

    @property
    def _cells(self) -> str:
        return "cells" if self.kind is MatrixKind.FLOWS else self.kind.value

    @property
    def _counted(self) -> str:
        return " cells" if self.kind is MatrixKind.FLOWS else ""

    def _asked(self, room: _Room) -> tuple[str, ...]:
        """What the cells are, by their ports or by what they ask."""
        if self.kind is MatrixKind.FLOWS:
            return said_some(self.port_specs, room.ports), self.kind.value
        named = said_some(
            said_questions(d.observation.flow.question for d in self.cells), room.questions
        )
        return self.kind.value, f"({named})" if named else ""

    def _must(self, *, always: bool = False) -> str:
        words = _MUST.get(self.state, "")
        needed = always or self.spared or self.state is CellState.LEAK
        return f"{words} " if words and needed else ""

    def _because(self) -> str:
        """What decided, where one reason of a policy holds for all cells."""
        reasons = {d.expected.because for d in self.cells}
        free = self.state is CellState.BLOCKED and not self.cells[0].expected.by_policy
        if len(reasons) > 1 or free:
            return ""
        return f"; {reasons.pop()}"

    def _why(self, room: _Room) -> str:
        """The one reason of all cells, else the ICMP errors among them."""
        reasons = {d.observation.reason for d in self.cells}
        if len(reasons) == 1:
            return f' ("{room.cut(min(reasons))}")' if reasons != {""} and room.reason != 0 else ""
        sent = _met(self.cells, room.senders)
        whole = sent and len(self.outcomes) == 1 and room.holds(sent)
        return f" ({sent})" if whole else ""

    def _found(self, outcome: Outcome, room: _Room) -> str:
        """Why cells of one outcome of several came to it, where an error says more than silence."""
        if room.reason == 0:
            return ""
        cells = [d for d in self.cells if d.observation.outcome is outcome]
        if sent := _met(cells, room.senders):
            return f" ({sent})"
        reasons = {d.observation.reason for d in cells}
        silent = outcome in (Outcome.DROPPED, Outcome.REPLY_LOST)
        return "" if silent or len(reasons) > 1 or reasons == {""} else f" ({min(reasons)})"

    def _verb(self, room: _Room) -> str:
        seen = self.outcomes
        why = self._why(room)
        if len(seen) > 1:
            parts = ", ".join(
                f"{n} {o}{'' if why else self._found(o, room)}" for o, n in seen.most_common()
            )
            return f"fail: {parts}{why}"
        (outcome,) = seen
        if outcome is Outcome.DNS_FAILED:
            return f"are wrong{why}"
        wanted = {str(d.expected) for d in self.cells}
        if self.state is CellState.OTHER and len(wanted) == 1:
            return f"are {outcome}, expected {wanted.pop()}{why}"
        return f"are {outcome}{why}"


def said_scattered(cells: Iterable[Disagreement]) -> str:
    """How many ends cells in no common place have."""
    flows = [d.observation.flow for d in cells]
    sources, destinations = {f.source.name for f in flows}, {f.destination.name for f in flows}
    return f"from {len(sources)} sources to {len(destinations)} destinations"


def scattered_together(patterns: Sequence[Pattern]) -> Pattern:
    """Patterns in no common place as one."""
    cells = tuple(cell for pattern in patterns for cell in pattern.cells)
    total = sum(pattern.total for pattern in patterns)
    return dataclasses.replace(
        patterns[0], where=said_scattered(cells), cells=cells, total=total, contrasts=()
    )


def _met(cells: Sequence[Disagreement], senders: int) -> str:
    """The errors that clients of cells of one outcome met, "" where none came by ICMP: of refusals
    by protocol, since TCP is refused by a reset, too; of others how many met one, if not all. Of
    many `senders` so many are named."""
    told = [c for c in cells if c.observation.icmp is not None]
    if not told or len(told) == len(cells):
        return _sent(told, senders)
    if any(c.observation.outcome is not Outcome.REFUSED for c in cells):
        return f"{len(told)} of them: {_sent(told, senders)}"
    said: dict[str, None] = {}
    for cell in sorted(cells, key=lambda c: c.observation.flow.protocol.value):
        protocol = cell.observation.flow.protocol
        mine = [c for c in told if c.observation.flow.protocol is protocol]
        met = _sent(mine, senders) if cell.observation.icmp is not None else "connection refused"
        said.setdefault(f"{protocol.value}: {met}")
    return "; ".join(said)


def _sent(cells: Iterable[Disagreement], most: int) -> str:
    """The ICMP errors that clients received, each with its senders."""
    senders: dict[str, dict[str, None]] = {}
    for error in (c.observation.icmp for c in cells):
        if error is not None:
            senders.setdefault(error.name, {})[error.sender or "an unknown sender"] = None
    return "; ".join(
        f"{name}, from {', '.join(list(those)[:most])}"
        + (f" and {len(those) - most} more" if len(those) > most else "")
        for name, those in senders.items()
    )


def categories_of(disagreement: Disagreement, *, blame_policies: bool = True) -> set[Category]:
    """The classes of failure that one cell belongs to; its place decides whether a policy can have
    dropped it."""
    seen, expected = disagreement.observation.outcome, disagreement.expected
    state = state_of(seen, expected)
    if state in _ALONE:
        return {_ALONE[state]}
    found = {Category.LEAK} if state is CellState.LEAK else set()
    if seen in _NAMED:
        found.add(_NAMED[seen])
    if seen is Outcome.DROPPED and expected.by_policy and blame_policies:
        found.add(Category.OVER_BLOCK)
    family = broken_family(disagreement.parity, leak=state is CellState.LEAK)
    if family and (only := one_family([family])):
        found.add(only)
    return found or {Category.BOTH}


def said_families(families: Iterable[Family]) -> str:
    """``IPv6``, or ``IPv4 and IPv6``."""
    return said_list(tuple(f.value for f in families))


def said_list(words: Sequence[str]) -> str:
    """The words with commas and an "and" before the last."""
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def said_count(number: int, what: str) -> str:
    """``1 packet``, ``2 packets``."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def said_questions(questions: Iterable[str]) -> tuple[str, ...]:
    """Questions in order, those for a name once: not again for each way on which it was asked."""
    return tuple(dict.fromkeys(_WAY.sub("", question) for question in questions if question))


def said_some(words: Sequence[str], limit: int) -> str:
    """The first of many words, and how many there are besides."""
    more = [f"{len(words) - limit} more"] if len(words) > limit else []
    return said_list([*words[:limit], *more])


def _of_a_service(port_spec: str) -> bool:
    """Whether a port is a service's by RFC 6335: a system port."""
    number = port_spec.rpartition("/")[2]
    return number.isdigit() and int(number) < _USER_PORTS


def said_ports(
    port_specs: Sequence[str], every: Sequence[str], families: Sequence[Family]
) -> tuple[str, ...]:
    """Ports as briefly as is true: none for all of several, ``TCP`` for all TCP ports. A service's
    own port (``tcp/53``) is named: it represents no other, as the ports of probe pods do."""

    def protocols(names: Iterable[str]) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name in names:
            found.setdefault(name.partition("/")[0], []).append(name)
        return found

    known = protocols(every)
    if any(map(_of_a_service, every)):
        return tuple(port_specs)
    if set(port_specs) == set(every) and len(known) > 1:
        return ()
    words: list[str] = []
    for protocol, part in protocols(port_specs).items():
        if protocol == "icmp":
            names = dict.fromkeys(port_name("icmp", f).replace("icmp", "ICMP") for f in families)
            words.append("/".join(names))
        elif set(part) == set(known[protocol]) and len(every) > 1:
            words.append(protocol.upper())
        else:
            words += part
    return tuple(words)
