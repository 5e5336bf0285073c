"""Runs as a command of sixproof: what the paths of its command line mean, and what it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.options import OPTIONS
from tests.plugin.conftest import ROOT, ended


def typed(
    *words: str, cwd: Path, command: str = "run", **more: str
) -> subprocess.CompletedProcess[str]:
    """``python -m sixproof COMMAND WORDS`` from a folder."""
    usual = {name: value for name, value in os.environ.items() if not name.startswith("SIX_")}
    line = (sys.executable, "-m", "sixproof", command, *words)
    return ended(line, cwd, {**usual, "PYTHONPATH": str(ROOT), **more})


def suites(*words: str, cwd: Path) -> list[str]:
    """The suites of which a run would collect tests."""
    done = typed(*words, "--collect-only", "-q", cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    ids = [line for line in done.stdout.splitlines() if "::" in line]
    return sorted({line.split("/")[1] for line in ids})


ALL = sorted(
    entry.name for entry in (ROOT / "suites").iterdir() if any(entry.glob("test_*.py"))
)  # fmt: skip


@pytest.fixture(params=["elsewhere", "a folder of that name", "checkout"])
def cwd(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Where the user is: a folder called suites is that of the installation all the same."""
    if request.param == "checkout":
        return ROOT
    if request.param != "elsewhere":
        (tmp_path / "suites/dns").mkdir(parents=True)
    return tmp_path


def test_what_is_named_is_what_runs(cwd: Path) -> None:
    assert suites("suites/dns", "suites/mtu/test_path.py", cwd=cwd) == ["dns", "mtu"]


def test_what_is_ignored_is_left_out(cwd: Path) -> None:
    left = [name for name in ALL if name not in ("policy", "dns")]
    assert suites("--ignore=suites/policy", "--ignore", "suites/dns", cwd=cwd) == left


def test_what_is_deselected_is_left_out(tmp_path: Path) -> None:
    left = [name for name in ALL if name not in ("policy", "dns")]
    given = ("--deselect", "suites/policy", "--deselect=suites/dns", "--ignore-glob=suites/none*")
    assert suites(*given, cwd=tmp_path) == left


def test_tests_of_the_user_alone(tmp_path: Path) -> None:
    """Below a folder of that name, too."""
    (tmp_path / "suites").mkdir()
    (tmp_path / "suites/test_mine.py").write_text("def test_mine(): pass\n")
    done = typed("suites/test_mine.py", "-q", "-p", "no:cacheprovider", cwd=tmp_path)
    assert "1 passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["suites/pod"], "suites/pod: there is no such suite; did you mean suites/pods?"),
        (["suites/zzz"], "suites/zzz: there is no such suite; there are suites/applications, "),
        (["--ignore=suites/polcy"], "suites/polcy: there is no such suite; did you mean "),
        (["--six-contxt=a"], "--six-contxt: there is no such option; did you mean --six-context?"),
        (["--six-zzz"], "--six-zzz: there is no such option; `sixproof run --help` lists them all"),
        (["-k"], "error: argument -k: expected one argument"),
    ],
)
def test_a_slip_is_told(words: list[str], said: str, tmp_path: Path) -> None:
    """Instead of running all suites, or none."""
    done = typed(*words, cwd=tmp_path)

    assert done.returncode == 4
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_help_lists_the_options_of_a_run(tmp_path: Path) -> None:
    done = typed("--help", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    head, _, listed = done.stdout.partition("options of sixproof ")
    assert "What it does to the cluster" in head
    named = re.findall(r"^  (--six-[a-z-]+)", listed, re.MULTILINE)
    own = ("--six-plan", "--six-cleanup")
    assert named == [option.switch for option in OPTIONS if option.switch not in own]
    assert max(map(len, done.stdout.splitlines())) <= 100


def test_help_of_pytest_is_called_by_what_was_typed(tmp_path: Path) -> None:
    done = typed("--", "--help", cwd=tmp_path)

    assert done.stdout.startswith("usage: python -m sixproof run [options]")


def test_clean_up_is_of_all_runs(tmp_path: Path) -> None:
    done = typed("suites/dns", command="cleanup", cwd=tmp_path)

    assert done.returncode == 4
    assert "python -m sixproof cleanup removes what any run left: leave out suites/dns" in (
        done.stderr
    )
