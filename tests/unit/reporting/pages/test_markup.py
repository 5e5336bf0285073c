"""Pages and drawings: whatever a text looks like, it stays text."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import jinja2
import pytest

from sixproof.model import Matrix
from sixproof.reporting.matrix.html_table import matrix_page
from sixproof.reporting.matrix.path_svg import paths_svg
from sixproof.reporting.matrix.svg import matrix_svgs
from sixproof.reporting.pages import markup
from sixproof.reporting.pages.overview import overview
from sixproof.reporting.results.matrices.measured import Measured
from sixproof.reporting.results.results_json import Results
from sixproof.reporting.results.test_record import Case, CaseOutcome
from tests.unit.probes.pmtu.samples import narrowed, path_result
from tests.unit.reporting.samples import broken, measured, v6_tunnel_broken

HOSTILE = """<td class="x"><script>alert('1')</script>&amp;"""
TAMED = str.maketrans("<>\"'&", "[]``+")
"""What stands for characters that mean something in markup."""


def spiked(value: Any, spike: str) -> Any:
    """The value with a text before every text in it, empty ones left out."""
    if type(value) is str:
        return value and spike + value
    if isinstance(value, tuple):
        return tuple(spiked(one, spike) for one in value)
    if isinstance(value, Matrix):
        return Matrix.of(spike + value.title, spiked(value.observations(), spike), value.kind)
    if isinstance(value, Measured):
        matrix = spiked(value.matrix, spike)
        wanted = spiked(tuple((value.expected or {}).values()), spike)
        expected = dict(zip(matrix.cells, wanted, strict=True))
        return Measured(matrix, expected, spike + value.test, value.headline)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        return type(value)(**{name: spiked(one, spike) for name, one in fields.items()})
    return value


class Reader(HTMLParser):
    """What a browser makes of a document, characters of markup in its texts tamed."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.feed(document)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element and its attributes."""
        self.seen += [tag, *(f"{name}={(said or '').translate(TAMED)}" for name, said in attrs)]

    def handle_data(self, data: str) -> None:
        """A text."""
        self.seen.append(data.translate(TAMED))


def results(spike: str) -> Results:
    """A run that fills every section, with the spike in every text."""
    run = broken()
    more = (
        Case("t.py::test_limit", CaseOutcome.XFAILED, reason="known"),
        Case("t.py::test_closed", CaseOutcome.NOT_PROVEN, reason="closed", covers=("D1/D1",)),
    )
    found: Results = spiked(dataclasses.replace(run, cases=(*run.cases, *more)), spike)
    return found


def table(spike: str) -> str:
    """A matrix with the spike in its names."""
    drawn: Measured = spiked(measured(v6_tunnel_broken), spike)
    return matrix_page(drawn.matrix, drawn.expected)


def picture(spike: str) -> str:
    """The same as a picture."""
    drawn: Measured = spiked(measured(v6_tunnel_broken), spike)
    return matrix_svgs(drawn.matrix, drawn.expected)[0][1]


def paths(spike: str) -> str:
    """A path with the spike in all that is said of it."""
    return paths_svg(spike, [spiked(path_result(hops=narrowed()), spike)], [f"{spike} counted"])


@pytest.mark.parametrize(
    "drawn",
    [lambda spike: overview(results(spike)), table, picture, paths],
    ids=["overview", "table", "picture", "paths"],
)
def test_no_text_becomes_markup(drawn: Callable[[str], str]) -> None:
    """A reader sees the same elements whatever stands in the texts, and every text as it is."""
    tame = HOSTILE.translate(TAMED)
    seen = Reader(drawn(HOSTILE)).seen
    assert seen == Reader(drawn(tame)).seen
    assert sum(tame in one for one in seen) > 5


def test_every_section_of_the_overview_is_among_them() -> None:
    """What is not drawn proves nothing about its texts."""
    page = overview(results("x"))
    assert page.count("<section") == page.count("<a href=") == 11


def test_a_value_that_is_not_given_is_an_error() -> None:
    """It is no empty place on a page."""
    with pytest.raises(jinja2.UndefinedError, match="title"):
        markup.filled("matrix.html.j2")
