"""CSV, HTML and SVG of a matrix: complete, escaped, and without anything that Allure drops."""

from __future__ import annotations

import csv
import dataclasses
import html
import io
import re
import xml.etree.ElementTree as ET

import pytest

from sixproof.model import Family, Matrix, Outcome
from sixproof.reporting.matrix.csv_table import COLUMNS, cells_csv, write_matrices
from sixproof.reporting.matrix.grid import CellState, Expected
from sixproof.reporting.matrix.html_table import matrix_page
from sixproof.reporting.matrix.palette import PAINTS
from sixproof.reporting.matrix.svg import matrix_svgs
from tests.unit.reporting.samples import all_open, pods, seen, topology, v6_tunnel_broken

BROKEN = topology(v6_tunnel_broken)
OPEN = all_open(BROKEN)


def written(*matrices: tuple[Matrix, Expected | None]) -> str:
    """These as one CSV."""
    stream = io.StringIO()
    write_matrices(stream, matrices)
    return stream.getvalue()


def test_csv_has_a_line_a_cell() -> None:
    rows = list(csv.DictReader(io.StringIO(written((BROKEN, OPEN)))))
    assert len(rows) == len(BROKEN.cells)
    assert tuple(rows[0]) == COLUMNS
    lost = [row for row in rows if row["state"] == "must be allowed"]
    assert len(lost) == 54
    assert {row["parity"] for row in lost} == {"IPv6 broken"}
    assert lost[0]["arrived"] == "false"
    assert lost[0]["latency_ms"] == ""


def test_csv_without_expectation_leaves_it_empty() -> None:
    rows = list(csv.DictReader(io.StringIO(written((BROKEN, None)))))
    assert {row["expected"] for row in rows} == {""}


def test_several_matrices_share_one_head() -> None:
    text = written((BROKEN, OPEN), (BROKEN, None))
    assert text.count("matrix,kind,family,") == 1
    assert len(text.splitlines()) == 2 * len(BROKEN.cells) + 1


def test_the_narrow_csv_starts_with_what_is_wrong() -> None:
    rows = list(csv.reader(io.StringIO(cells_csv(BROKEN, OPEN))))
    assert rows[1] == [
        "IPv6",
        "a@worker",
        "a@worker2",
        "tcp/8080",
        "DROPPED",
        "ALLOWED",
        "3 tries in 3.2 s",
    ]
    assert [row[4] for row in rows[1:55]] == ["DROPPED"] * 54


def test_html_has_nothing_that_allure_drops() -> None:
    text = matrix_page(BROKEN, OPEN)
    for dropped in ("<script", "<style", "<link", " class=", "http:", "https:", "javascript:"):
        assert dropped not in text
    assert "54 fail but must be allowed" in text
    assert 'scope="row"' in text


def test_html_names_what_is_wrong_for_a_resting_pointer() -> None:
    text = matrix_page(BROKEN, OPEN)
    assert 'title="a@worker -&gt; a@worker2: tcp/8080 DROPPED, must be allowed;' in text


def hostile() -> Matrix:
    """A matrix whose names are markup."""
    place = dataclasses.replace(pods("a")[0], name='<b>&"x', node="<i>")
    flow = next(iter(BROKEN.cells.values())).flow
    return Matrix.of("<u>", [seen(dataclasses.replace(flow, source=place), Outcome.DROPPED)])


def test_names_are_text_and_never_markup() -> None:
    matrix = hostile()
    page = matrix_page(matrix)
    assert "<b>&" not in page
    assert '<b>&"x' in html.unescape(page)
    for _, picture in matrix_svgs(matrix):
        ET.fromstring(picture)  # noqa: S314 - our own text


def test_svg_is_a_picture_a_family_the_worst_first() -> None:
    (first, picture), (second, _) = matrix_svgs(BROKEN, OPEN)
    assert first == "Pod to pod, IPv6: 270 of 324 cells as expected, 54 fail but must be allowed"
    assert second == "Pod to pod, IPv4: 324 of 324 cells as expected"
    root = ET.fromstring(picture)  # noqa: S314 - our own text
    texts = [t.text for t in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts.count("X") == 54 + 1  # and the legend's
    assert "worker2" in texts


def test_svg_draws_within_its_frame() -> None:
    for matrix in (BROKEN, topology(endpoints=pods("a", ["n" * 60, "m"]), itself=False)):
        for _, picture in matrix_svgs(matrix):
            width, height = (float(v) for v in re.findall(r'(?:width|height)="(\d+)"', picture)[:2])
            xs = [float(x) for x in re.findall(r' x="([\d.]+)"', picture)]
            ys = [float(y) for y in re.findall(r' y="([\d.]+)"', picture)]
            assert max(xs) < width
            assert max(ys) < height


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("state", list(CellState), ids=str)
def test_letters_stand_out_from_their_cell(state: CellState) -> None:
    """WCAG 2.2, success criterion 1.4.3: contrast of at least 4.5 to 1."""
    paint = PAINTS[state]
    low, high = sorted((_luminance(paint.fill), _luminance(paint.text)))
    assert (high + 0.05) / (low + 0.05) >= 4.5


def test_right_and_wrong_differ_in_grey() -> None:
    """Printed without colour, or seen without red and green, wrong cells are the dark ones."""
    pale = min(_luminance(PAINTS[s].fill) for s in (CellState.WORKS, CellState.DENIED))
    dark = max(_luminance(PAINTS[s].fill) for s in (CellState.BLOCKED, CellState.LEAK))
    assert pale > 0.7
    assert dark < 0.15


def test_families_alike_share_one_table() -> None:
    matrix = topology(endpoints=pods("a"), families=list(Family))
    assert matrix_page(matrix, all_open(matrix)).count("<table") == 1
    assert matrix_page(BROKEN, OPEN).count("<table") == 2
