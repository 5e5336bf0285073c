"""Allure: steps, attachments, labels and the files of a results directory.

The only importer of Allure. Everything here does nothing where no Allure results are being
collected, or where nothing is open that could take it, so callers never ask. A volatile value (an
address, a pod's name, the run id) must not reach a parameter's value: it would change the history
id of the test; `parameter` keeps it out.
"""

from __future__ import annotations

import contextlib
import inspect
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import allure
from allure_commons import plugin_manager
from allure_commons.model2 import GlobalError, Globals
from allure_commons.types import AttachmentType, LabelType

from sixproof.model import Matrix
from sixproof.reporting.diagnosis.category import rules_json
from sixproof.reporting.matrix.csv_table import cells_csv
from sixproof.reporting.matrix.grid import Expected
from sixproof.reporting.matrix.html_table import matrix_page
from sixproof.reporting.matrix.svg import matrix_svgs
from sixproof.reporting.matrix.text import matrix_lines
from sixproof.reporting.pages.styled_text import plain
from sixproof.reporting.results.environment import Pairs, properties

EPIC = "IPv6 & dual-stack connectivity"
LIMIT = 256 * 1024
"""Bytes of one attachment; a single-file report holds them all. Longer ones are cut, and say so."""

_CUTTABLE = (AttachmentType.TEXT, AttachmentType.CSV, AttachmentType.YAML)


def active() -> bool:
    """Whether Allure results are being collected."""
    return bool(plugin_manager.hook.attach_data.get_hookimpls())


@contextlib.contextmanager
def step(title: str) -> Iterator[None]:
    """A step of the running test or fixture: ``with step("When the policy is applied"): ...``.

    A step that fails keeps the error's message; the test has the line where it arose.
    """
    if not active():
        yield
        return
    running: Any = allure.step(title)
    running.__enter__()
    try:
        yield
    except BaseException as error:
        running.__exit__(type(error), error, None)
        raise
    running.__exit__(None, None, None)


def label(
    *,
    epic: str = EPIC,
    feature: str = "",
    story: str = "",
    severity: str = "",
    title: str = "",
    description: str = "",
    tags: Sequence[str] = (),
) -> None:
    """File the running test under epic, feature and story, and say what it asks.

    Labels may be given from the start of set-up on; title and description only in the call phase,
    since Allure sets both again after set-up. A label given twice is kept twice. `severity` is
    blocker, critical, normal, minor or trivial. `description` is Markdown, such as a docstring: its
    indentation, which would make it code, is taken off.
    """
    given = {
        LabelType.EPIC: epic,
        LabelType.FEATURE: feature,
        LabelType.STORY: story,
        LabelType.SEVERITY: severity,
    }
    for kind, value in given.items():
        if value:
            _deliver(allure.dynamic.label, kind, value)
    for tag in tags:
        _deliver(allure.dynamic.label, LabelType.TAG, tag)
    if title:
        _deliver(allure.dynamic.title, title)
    if description:
        _deliver(allure.dynamic.description, inspect.cleandoc(description))


def parameter(name: str, value: object) -> None:
    """Show a value of this run (an address, a pod's name) that is not part of a test's identity."""
    _deliver(allure.dynamic.parameter, name, str(value), excluded=True)


def attach_text(name: str, text: str) -> None:
    """Attach plain text to the running step, test or fixture."""
    _attach(name, text, AttachmentType.TEXT)


def attach_json(name: str, value: object) -> None:
    """Attach a JSON-able value."""
    _attach(name, json.dumps(value, indent=2, default=str), AttachmentType.JSON)


def attach_yaml(name: str, text: str) -> None:
    """Attach YAML, such as a policy as it was applied."""
    _attach(name, text, AttachmentType.YAML)


def attach_csv(name: str, text: str) -> None:
    """Attach CSV; Allure shows it as a table."""
    _attach(name, text, AttachmentType.CSV)


def attach_html(name: str, text: str) -> None:
    """Attach static HTML: inline styles are kept, scripts and style sheets are dropped."""
    _attach(name, text, AttachmentType.HTML)


def attach_svg(name: str, text: str) -> None:
    """Attach an SVG picture."""
    _attach(name, text, AttachmentType.SVG)


def attach_matrix(matrix: Matrix, expected: Expected | None = None, *, brief: bool = False) -> None:
    """Attach a matrix: one picture per family, the worst first, then text, HTML and CSV.

    With `brief` a matrix in which nothing is wrong is attached as text only: it takes 1 % of the
    space, and results.json has its cells.

    In a test, attach it in the step that judges it: of a failing test Allure opens that one.
    """
    if not active():
        return
    title = matrix.title
    text = plain(matrix_lines(matrix, expected, width=120))
    if brief and expected is not None and not matrix.disagreements(expected):
        attach_text(f"{title}, as text", text)
        return
    for name, picture in matrix_svgs(matrix, expected):
        attach_svg(name, picture)
    attach_text(f"{title}, as text", text)
    attach_html(f"{title}, as HTML", matrix_page(matrix, expected))
    attach_csv(f"{title}, every cell", cells_csv(matrix, expected))


def attach_to_run(name: str, text: str, kind: str) -> None:
    """Attach to the whole run, also from the controller at session finish.

    `kind` is one of text, csv, json, html, svg, yaml. Prefer svg for a matrix: see `svg`.
    """
    _deliver(allure.global_attach, text, name, AttachmentType[kind.upper()])


def attach_file_to_run(name: str, body: bytes, media_type: str, ending: str) -> None:
    """Attach a file to the whole run, to be downloaded; as large as it is."""
    _deliver(allure.global_attach, body, name, media_type, ending)


def run_errors(messages: Sequence[str]) -> None:
    """Say on the report's first page what is wrong with the run as a whole, in this order: in one
    file, since the order of several is not kept."""
    at = round(time.time() * 1000)
    errors = [
        GlobalError(message=said, timestamp=at + number) for number, said in enumerate(messages)
    ]
    if errors:
        _deliver(plugin_manager.hook.report_globals, globals_item=Globals(errors=errors))


def write_metadata(
    results: Path, environment: Pairs, executor: Mapping[str, object]
) -> tuple[Path, ...]:
    """Write environment.properties, categories.json and executor.json.

    Only at session finish and only on the controller: every worker set to clean the directory
    wipes what was written earlier (allure-python issue 807).

    Raises:
        OSError: the directory cannot be written.
    """
    files = {
        "environment.properties": properties(environment),
        "categories.json": rules_json(),
        "executor.json": json.dumps(dict(executor), indent=2) + "\n",
    }
    results.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (results / name).write_text(text, encoding="utf-8")
    return tuple(results / name for name in files)


def _attach(name: str, text: str, kind: AttachmentType) -> None:
    """Attach text; what is too long is cut where a part still reads, else left out and said so."""
    body = text.encode()
    if len(body) > LIMIT and kind in _CUTTABLE:
        cut = f"\n... cut: {len(body)} bytes, shown are {LIMIT}\n"
        body = body[:LIMIT].decode(errors="ignore").encode() + cut.encode()
    elif len(body) > LIMIT:
        kind = AttachmentType.TEXT
        body = f"{len(body)} bytes, over the limit of {LIMIT}: see results.json\n".encode()
    _deliver(allure.attach, body, name, kind)


def _deliver(call: Callable[..., object], *values: object, **options: object) -> None:
    """Hand something to Allure where it is active.

    Where no test, fixture or step is open there is no place for it, which Allure says by failing.
    """
    if active():
        with contextlib.suppress(KeyError, StopIteration, AttributeError):
            call(*values, **options)
