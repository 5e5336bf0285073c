"""A plugin that keeps a file of what tests of faults showed: ``-p tests.faults.proof.plugin``.

What the file has of this commit, and passed, is not run again, so that an interrupted proof goes on
where it was. A sample is the same for the same seed, of the tests that are left.
"""

from __future__ import annotations

import dataclasses
import datetime
import random
import subprocess
from collections.abc import Generator
from pathlib import Path

import pytest

from fixtures.report.recording import error_line
from tests.faults.injection import ROOT
from tests.faults.proof.recorder import CURRENT
from tests.faults.proof.trials import Proof, add, read, source_of


@dataclasses.dataclass
class Ending:
    """How a test ended: the first line of what failed, "" where nothing did."""

    failure: str = ""
    skipped: bool = False


COMMIT = pytest.StashKey[str]()
COLLECTED = pytest.StashKey[int]()
ENDING = pytest.StashKey[Ending]()
UNKNOWN = "-dirty"
"""The end of a commit's name where the code is not that of a commit."""
CODE = (
    ".",
    ":!tests/faults/proof",
    ":(exclude,glob)tests/faults/**/test_*.py",
    ":!docs",
    ":!*.md",
    ":!benchmarks",
    *(f":!tests/{x}" for x in ("unit", "plugin", "netns")),
)
"""What a proof is of, as pathspecs of git: a page that explains it proves nothing anew, nor does a
test that needs no bed, nor the recorder. What a test of faults asserts is about itself alone: its
record has the digest of it."""
FOLDERS = ("fixtures", "manifests", "sixproof", "suites", "testbed", "tests/faults")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options."""
    group = parser.getgroup("proof", "the proof of sixproof")
    group.addoption("--proof", metavar="FILE", type=Path, help="where to keep what tests showed")
    group.addoption("--proof-of", metavar="NAME", help="the code (default: as git calls it)")
    group.addoption(
        "--proof-sample", metavar="N", type=int, help="of all the tests run N, chosen by the seed"
    )
    group.addoption("--proof-seed", metavar="TEXT", default="", help="the seed (default: today)")


def commit(root: Path = ROOT) -> str:
    """The code that is tried: the last commit that changed it. New files count in folders of
    code."""
    name = _git(root, "log", "-1", "--format=%h", "--", *CODE)
    changed = _git(root, "status", "--porcelain", "--untracked-files=no", "--", *CODE)
    new = _git(root, "ls-files", "--others", "--exclude-standard", "--", *FOLDERS, *CODE[1:])
    return f"{name or 'no-git'}{UNKNOWN if changed or new or not name else ''}"


def _git(root: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def today() -> str:
    """The day, as YYYY-MM-DD in UTC."""
    return f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}"


def pytest_configure(config: pytest.Config) -> None:
    """Look up which code is tried: a file of another commit proves nothing of this one."""
    config.stash[COMMIT] = config.getoption("proof_of") or commit()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is not in the sample, then what was shown of this commit already: the same
    sample again goes on where it was."""
    config.stash[COLLECTED] = len(items)
    name, path = config.stash[COMMIT], config.getoption("proof")
    known = read(path, name) if path and not name.endswith(UNKNOWN) else ()
    left = list(items)
    wanted = config.getoption("proof_sample")
    if wanted is not None:
        seed = config.getoption("proof_seed") or today()
        names = sorted(map(test_of, items))
        chosen = set(random.Random(seed).sample(names, min(wanted, len(names))))
        left = [item for item in items if test_of(item) in chosen]
    shown = {proof.test for proof in known if proof.passed}
    left = [item for item in left if test_of(item) not in shown]
    config.hook.pytest_deselected(items=[item for item in items if item not in left])
    items[:] = left


def test_of(item: pytest.Item) -> str:
    """The test's id, without the group that xdist adds to it."""
    group = item.get_closest_marker("xdist_group")
    return item.nodeid.removesuffix(f"@{group.args[0]}") if group else item.nodeid


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Begin the record of a test, and write it once the test has ended."""
    CURRENT.begin()
    ending = item.stash[ENDING] = Ending()
    ended = yield
    if (path := item.config.getoption("proof")) and not ending.skipped:
        add(
            path,
            Proof(
                test=test_of(item),
                commit=item.config.stash[COMMIT],
                source=source_of(test_of(item)),
                day=today(),
                collected=item.config.stash[COLLECTED],
                passed=not ending.failure,
                failure=ending.failure,
                faults=tuple(CURRENT.faults),
                trials=tuple(CURRENT.trials),
                words=tuple(CURRENT.words),
                missing=tuple(CURRENT.missing),
            ),
        )
    return ended


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note what failed first."""
    report = yield
    ending = item.stash[ENDING]
    ending.skipped = ending.skipped or report.skipped
    if report.failed and not ending.failure:
        ending.failure = error_line(report.longreprtext)
    return report
