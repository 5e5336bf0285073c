"""A plugin that keeps a file of what tests of faults showed: ``-p tests.faults.proof.plugin``.

What the file has of this commit is not run again, so that an interrupted proof goes on where it
was. A sample is the same for the same seed.
"""

from __future__ import annotations

import datetime
import os
import random
import subprocess
from collections.abc import Generator
from pathlib import Path

import pytest

from testbed.variants import variant
from tests.faults.injection import ROOT
from tests.faults.proof.recorder import CURRENT
from tests.faults.proof.trials import Proof, add, latest, read

COMMIT = pytest.StashKey[str]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options."""
    group = parser.getgroup("proof", "the proof of sixproof")
    group.addoption("--proof", metavar="FILE", type=Path, help="where to keep what tests showed")
    group.addoption("--proof-sample", metavar="N", type=int, help="run N of the tests, by the seed")
    group.addoption("--proof-seed", metavar="TEXT", default="", help="the seed (default: today)")


def pytest_configure(config: pytest.Config) -> None:
    """Look up which code is tried: a file of another commit proves nothing of this one."""
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--exclude=*"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    config.stash[COMMIT] = described.stdout.strip()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is not in the sample, and what was shown already."""
    chosen = set(_sample(config, [item.nodeid for item in items]))
    if path := config.getoption("proof"):
        known = latest(read(path), config.stash[COMMIT])
        chosen -= {test for test, proof in known.items() if proof.passed}
    left_out = [item for item in items if item.nodeid not in chosen]
    items[:] = [item for item in items if item.nodeid in chosen]
    config.hook.pytest_deselected(items=left_out)


def _sample(config: pytest.Config, tests: list[str]) -> list[str]:
    wanted = config.getoption("proof_sample")
    if wanted is None:
        return tests
    seed = config.getoption("proof_seed") or f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}"
    return random.Random(seed).sample(sorted(tests), min(wanted, len(tests)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Begin the record of a test, and write it once the test has ended."""
    CURRENT.begin()
    item.stash[FAILED] = ""
    ended = yield
    if (path := item.config.getoption("proof")) and item.stash[FAILED] != SKIPPED:
        add(
            path,
            Proof(
                test=item.nodeid,
                commit=item.config.stash[COMMIT],
                bed=os.environ.get(variant.VARIABLE, variant.DEFAULT),
                day=f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}",
                passed=not item.stash[FAILED],
                failure=item.stash[FAILED],
                trials=tuple(CURRENT.trials),
                words=tuple(CURRENT.words),
                missing=tuple(CURRENT.missing),
            ),
        )
    return ended


FAILED = pytest.StashKey[str]()
SKIPPED = "skipped"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Take down the first line of what failed."""
    report = yield
    if report.skipped:
        item.stash[FAILED] = SKIPPED
    elif report.failed and not item.stash[FAILED]:
        lines = report.longreprtext.splitlines()
        errors = [line.removeprefix("E").strip() for line in lines if line.startswith("E ")]
        item.stash[FAILED] = next(iter(errors or lines), "it failed")[:300]
    return report
