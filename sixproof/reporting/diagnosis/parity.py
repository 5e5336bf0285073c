"""Parity over a whole matrix: how the two families of its edges compare (design contract 4)."""

from __future__ import annotations

from collections import Counter

from sixproof.model import Edge, Family, Matrix, Parity
from sixproof.reporting.matrix.grid import Expected
from sixproof.reporting.pages.styled_text import Text, Tone

_AS_EXPECTED = {
    Parity.BOTH_WORK: Parity.BOTH_WORK.value,
    Parity.BOTH_BROKEN: "both denied as expected",
}
_CALM = {
    Parity.BOTH_WORK.value: Tone.GOOD,
    "both denied as expected": Tone.QUIET,
    "differ as expected": Tone.QUIET,
    Parity.NOT_COMPARED.value: Tone.UNSURE,
}


def parity_counts(matrix: Matrix, expected: Expected | None = None) -> Counter[str]:
    """How many edges compare how between the families.

    Where something was expected, both families of an edge are compared with that: a flow that is
    denied in both, as expected, is no fault, and a leak in one family is a fault of that family.
    """
    return Counter(
        parity.value if expected is None else _judged(matrix, expected, edge, parity)
        for edge, parity in matrix.parities().items()
    )


def _judged(matrix: Matrix, expected: Expected, edge: Edge, parity: Parity) -> str:
    cells = [(matrix.cell(f, edge), expected.get((f, edge))) for f in Family]
    if parity is Parity.NOT_COMPARED or any(wanted is None for _, wanted in cells):
        return Parity.NOT_COMPARED.value
    right = [bool(seen and wanted and seen.outcome in wanted.outcomes) for seen, wanted in cells]
    if all(right):
        return _AS_EXPECTED.get(parity, "differ as expected")
    if not any(right):
        return "both wrong"
    return f"only {Family.IPV6 if right[0] else Family.IPV4} wrong"


def parity_line(matrix: Matrix, expected: Expected | None = None) -> Text:
    """The parity of all edges in one line, the good news first."""
    counts = parity_counts(matrix, expected)
    order = sorted(counts, key=lambda words: (words not in _CALM, -counts[words]))
    parts = [Text(f"{counts[said]} {said}", _CALM.get(said, Tone.BAD)) for said in order]
    return Text(f"Parity of {counts.total()} edges: ") + Text(", ").join(parts)
