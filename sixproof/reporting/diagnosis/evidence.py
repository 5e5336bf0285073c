"""Evidence: the message of a failing check, from the diagnosis down to single cells.

all IPv6 TCP flows from worker to worker2 and back are DROPPED (18 of 18 cells); IPv4 works
  client@worker -> echo@worker2 over IPv6 tcp/8080: DROPPED, expected ALLOWED (no policy ...)
    3 attempts in 3.2 s, no arrival at echo@worker2; same flow over IPv4: ALLOWED 0.4 ms
  ... 17 more cells, all of them in the attached CSV and in results.json
  class: IPv6-only failure
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from sixproof.errors import NotMeasured, Subject, VerdictError
from sixproof.model import (
    Disagreement,
    Edge,
    Family,
    Flow,
    Matrix,
    Observation,
    edge_of,
    host_literal,
)
from sixproof.reporting.diagnosis.category import Category, class_line
from sixproof.reporting.diagnosis.pattern import Pattern
from sixproof.reporting.diagnosis.places import diagnose
from sixproof.reporting.matrix.grid import Expected

Notes = Mapping[tuple[Family, Edge], str]
"""What else is known of a cell: ``last good hop: vxlan-v6.calico on worker``."""

CELLS = 12
"""Pairs of endpoints listed in one message."""
_DETAILED = 3
"""Pairs of one pattern shown with their evidence; the others look alike."""


def require(
    matrix: Matrix,
    expected: Expected,
    *,
    context: Sequence[str] = (),
    notes: Notes | None = None,
    family: Family | None = None,
) -> None:
    """Hold the matrix against what was expected of it.

    `context` comes before the class: ``converged after 1.2 s, 9 rounds``. With a `family`, cells
    of the other one are only compared with.

    Raises:
        VerdictError: a measured cell is not what was expected.
        NotMeasured: every wrong cell could not be measured.
        KeyError: measured and expected cells are not the same.
    """
    __tracebackhide__ = True  # pytest then shows the caller's line, which says more
    wrong = [
        d for d in matrix.disagreements(expected) if family in (None, d.observation.flow.family)
    ]
    if not wrong:
        return
    text, categories = _verdict(matrix, wrong, context=context, notes=notes)
    measured = [d.observation.flow.family for d in wrong if d.observation.outcome.measured]
    if measured:
        raise VerdictError(text, measured, categories)
    raise NotMeasured(text)


def require_none(wrong: Mapping[str, Subject], *families: Family) -> None:
    """Nothing is wrong: `wrong` has sentences, and what each is about. Of these families the wrong
    answers would be.

    Raises:
        VerdictError: something is; the message has one sentence per line.
    """
    __tracebackhide__ = True
    if wrong:
        raise VerdictError("\n".join(wrong), families, subjects=wrong.values())


def verdict(
    matrix: Matrix,
    disagreements: Sequence[Disagreement],
    *,
    context: Sequence[str] = (),
    notes: Notes | None = None,
    cells: int = CELLS,
) -> str:
    """The message of a failing matrix, without the matrix itself.

    A single wrong cell is reported by itself; of many the diagnosis leads.
    """
    return _verdict(matrix, disagreements, context=context, notes=notes, cells=cells)[0]


def _verdict(
    matrix: Matrix,
    disagreements: Sequence[Disagreement],
    *,
    context: Sequence[str] = (),
    notes: Notes | None = None,
    cells: int = CELLS,
) -> tuple[str, frozenset[Category]]:
    """The message, and the classes that its last line names."""
    patterns = diagnose(matrix, disagreements)
    if len(disagreements) == 1:
        lines = list(cell_evidence(disagreements[0], notes))
    else:
        lines = _lead(patterns)
        lines += (f"  {line}" for line in _cells(patterns, notes, cells))
    categories = frozenset(c for p in patterns for c in p.categories)
    lines += (f"  {line}" for line in context)
    return "\n".join([*lines, f"  {class_line(categories)}"]), categories


def cell_evidence(
    disagreement: Disagreement, notes: Notes | None = None, *, port_specs: Sequence[str] = ()
) -> tuple[str, str]:
    """One cell in two lines: what was seen and wanted, and what backs it.

    `port_specs` are named in place of the cell's own where several cells of a pair are alike.
    """
    seen = disagreement.observation
    flow = seen.flow
    edge = edge_of(flow)
    place = f"{edge[0]} -> {edge[1]} over {flow.family} {', '.join(port_specs or (flow.asked,))}"
    outcome = seen.outcome.value if seen.outcome.measured else "not measured"
    because = f" ({disagreement.expected.because})" if disagreement.expected.because else ""
    note = (notes or {}).get((flow.family, edge), "")
    facts = [*_facts(seen), *_compared(disagreement.counterpart), note]
    said = f"{place}: {outcome}, expected {disagreement.expected}{because}"
    return said, "    " + "; ".join(filter(None, facts))


def _facts(seen: Observation) -> Iterator[str]:
    """How the outcome came about, in the words of an engineer."""
    if not seen.outcome.measured:
        yield f"{seen.reason or 'no reason was given'}{_between(seen.flow)}"
        return
    yield f"to {host_literal(seen.flow.address, seen.flow.port)}{_between(seen.flow)}"
    if seen.outcome.works:
        by = f" by {seen.answered_by}" if seen.answered_by else ""
        source = f", which saw {seen.peer_saw}" if seen.peer_saw else ""
        yield f"answered{by}{_after(seen)}{source}"
    else:
        times = "1 attempt" if seen.attempts == 1 else f"{seen.attempts} attempts"
        arrival = {
            True: f", the request arrived at {seen.flow.destination.name}",
            False: f", no arrival at {seen.flow.destination.name}",
            None: "",
        }
        yield f"{times} in {seen.waited:.1f} s{arrival[seen.arrived]}"
    yield seen.reason


def _between(flow: Flow) -> str:
    """The nodes, where the names of pods do not show them."""
    ends = (flow.source, flow.destination)
    if all(end.node in end.name for end in ends):
        return ""
    return f" ({' -> '.join(end.node or 'outside' for end in ends)})"


def _compared(other: Observation | None) -> Iterator[str]:
    if other is not None and other.outcome.measured:
        why = f" ({other.reason})" if other.reason and not other.outcome.works else ""
        latency = f" {_milliseconds(other)}" if other.latency is not None else ""
        yield f"same flow over {other.flow.family}: {other.outcome}{latency}{why}"


def _after(seen: Observation) -> str:
    return "" if seen.latency is None else f" after {_milliseconds(seen)}"


def _milliseconds(seen: Observation) -> str:
    return f"{(seen.latency or 0.0) * 1000:.1f} ms"


def _lead(patterns: Sequence[Pattern]) -> list[str]:
    """The diagnosis, numbered where there is more than one."""
    if len(patterns) == 1:
        return [patterns[0].sentence]
    total = sum(len(p.cells) for p in patterns)
    lead = f"{total} cells are not as expected, in {len(patterns)} patterns:"
    return [lead, *(f"  {i}. {p.sentence}" for i, p in enumerate(patterns, 1))]


def _cells(patterns: Sequence[Pattern], notes: Notes | None, limit: int) -> Iterator[str]:
    """The first pairs of every pattern in turn, up to the limit, and how many cells are left."""
    left = sum(len(p.cells) for p in patterns)
    shown = 0
    for index, pattern in enumerate(patterns):
        groups = _alike(pattern.cells)
        share = max(1, (limit - shown) // (len(patterns) - index))
        because = ""
        for number, group in enumerate(groups[:share]):
            port_specs = [d.observation.flow.asked for d in group]
            first, second = cell_evidence(group[0], notes, port_specs=port_specs)
            shown += 1
            left -= len(group)
            if number < _DETAILED:
                yield first
                yield second[2:]
            else:  # a reason already shown above is not repeated
                yield first.removesuffix(f" ({because})")
            because = group[0].expected.because
    if left:
        yield f"... and {left} more cells, all of them in the attached CSV and in results.json"


def _alike(cells: Iterable[Disagreement]) -> list[list[Disagreement]]:
    """The cells, those of one pair and family that differ by their port only taken together."""
    groups: dict[tuple[object, ...], list[Disagreement]] = {}
    for cell in cells:
        flow = cell.observation.flow
        ends = (flow.source.name, flow.destination.name, flow.family)
        key = (*ends, cell.observation.outcome, cell.expected, cell.observation.reason)
        groups.setdefault(key, []).append(cell)
    return list(groups.values())


def wrong(
    text: str,
    families: Iterable[Family],
    *categories: Category,
    subjects: Iterable[Subject] = (),
) -> VerdictError:
    """The verdict of a check that has words of its own: ``wrong("answers differ ...", {IPv6},
    Category.DNS)``. Its last line is the one by which Allure files it."""
    said = f"{text}\n  {class_line(categories)}"
    return VerdictError(said, families, categories, subjects=subjects)


def not_measured(text: str) -> NotMeasured:
    """The same of a check whose wrong answers could not be measured."""
    return NotMeasured(f"{text}\n  {class_line([Category.NOT_MEASURED])}")
