"""``sixproof run``: which command line of pytest it becomes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from sixproof import __main__ as command_line
from sixproof import pytest_command
from sixproof.errors import UsageError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the suites are."""
    (tmp_path / "installed/suites/pods").mkdir(parents=True)
    (tmp_path / "installed/suites/pods/test_a.py").touch()
    return tmp_path / "installed"


@pytest.fixture
def cwd(tmp_path: Path) -> Path:
    """Where the user is."""
    (tmp_path / "elsewhere").mkdir()
    return tmp_path / "elsewhere"


def test_without_a_path_all_suites_run(folder: Path, cwd: Path) -> None:
    line = pytest_command.command("run", ["-n", "2", "--six-nodes=3"], folder, cwd)

    assert line[:4] == [sys.executable, "-P", "-m", "pytest"]
    assert line[4:9] == [
        *("-c", f"{folder}/pyproject.toml", f"--rootdir={folder}"),
        *("-o", f"cache_dir={cwd}/.pytest_cache"),
    ]
    assert line[9:] == ["-n", "2", "--six-nodes=3", f"{folder}/suites"]


@pytest.mark.parametrize(
    "path", ["suites", "suites/pods", "suites/pods/test_a.py::test_b[suites/x]", "suites/../suites"]
)
def test_a_path_below_suites_is_one_of_the_installation(folder: Path, cwd: Path, path: str) -> None:
    line = pytest_command.command("run", [path, "-x"], folder, cwd)

    assert line[9:] == [f"{folder}/{path}", "-x"]


def test_a_path_that_the_user_has_is_taken(folder: Path) -> None:
    """In a checkout."""
    assert pytest_command.command("run", ["suites/pods"], folder, folder)[9:] == ["suites/pods"]


def test_a_folder_of_the_same_name_is_not_taken_for_it(folder: Path, cwd: Path) -> None:
    """A wheel in a clone, say: else its path is not known as one of the suites, and all run."""
    (cwd / "suites/pods").mkdir(parents=True)
    line = pytest_command.command("run", ["suites/pods"], folder, cwd)

    assert line[9:] == [f"{folder}/suites/pods"]


def test_what_pytest_does_not_know_is_left_to_pytest(folder: Path, cwd: Path) -> None:
    """A typo must not run everything without a word: pytest says that there is no such file."""
    line = pytest_command.command("run", ["suites/typo"], folder, cwd)

    assert "suites/typo" in line


def test_values_of_options_are_no_paths(folder: Path, cwd: Path) -> None:
    (cwd / "config").touch()
    line = pytest_command.command("run", ["--six-kubeconfig", "config"], folder, cwd)

    assert line[-1] == f"{folder}/suites"


@pytest.mark.parametrize(("name", "option"), [("plan", "--six-plan"), ("cleanup", "--six-cleanup")])
def test_commands_add_their_option(folder: Path, cwd: Path, name: str, option: str) -> None:
    assert option in pytest_command.command(name, ["--", "--six-context=a"], folder, cwd)
    assert "--" not in pytest_command.command(name, ["--", "--six-context=a"], folder, cwd)


def test_the_suites_of_a_wheel_come_first(tmp_path: Path) -> None:
    package = tmp_path / "sixproof"
    with pytest.raises(UsageError, match="has no suites: install its wheel, or use a clone"):
        pytest_command.home(package)
    for place in (tmp_path, package / "bundle"):
        (place / "suites").mkdir(parents=True)
        (place / "pyproject.toml").touch()
        assert pytest_command.home(package) == place


def test_pytest_takes_the_place_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda _, line: ran.append(line))
    pytest_command.replace_process("run", ["suites/pods"])

    (line,) = ran
    assert line[-1] in ("suites/pods", str(pytest_command.home() / "suites/pods"))


def test_an_interpreter_that_is_gone_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert command_line.main(["run"]) == 2
    assert capsys.readouterr().err == (
        "error: /nowhere/python cannot be started: No such file or directory\n"
    )


@pytest.mark.parametrize("name", pytest_command.COMMANDS)
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_says_what_happens_to_the_cluster(
    name: str, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command_line.main([name, option]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: sixproof {name} ")
    assert f"`sixproof {name} -- --help` lists all of them" in text
    assert max(map(len, text.splitlines())) <= 100


def test_every_command_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command_line.main(["--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    for name in ("run", "plan", "cleanup", "report", "explain", "audit", "compare"):
        assert f"\n    {name} " in text


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("/usr/bin/sixproof", "sixproof"),
        ("/usr/bin/kubectl-sixproof", "kubectl sixproof"),
        ("/x/sixproof/__main__.py", "python -m sixproof"),
    ],
)
def test_usage_says_what_was_typed(typed: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [typed])
    assert command_line.parser().format_usage().startswith(f"usage: {shown} ")


def test_report_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert command_line.main(["report"]) == 2
    assert "reports/latest/allure-results holds no Allure result" in capsys.readouterr().out
