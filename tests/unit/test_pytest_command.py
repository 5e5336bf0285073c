"""``sixproof run``: which command line of pytest it becomes."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from fixtures.options import OPTIONS
from sixproof import __main__ as command_line
from sixproof import __version__, pytest_command
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


@pytest.mark.parametrize("given", [["-n", "2", "--six-nodes=3"], ["suites/pods", "-x"], ["-k"]])
def test_all_suites_come_before_what_was_typed(folder: Path, cwd: Path, given: list[str]) -> None:
    """Behind an option whose value is missing they would be its value. The plugin leaves them out
    where others are named: tests/plugin/test_typed.py."""
    line = pytest_command.command("sixproof run", "run", given, folder, cwd)

    assert line[:4] == [sys.executable, "-P", "-m", "pytest"]
    assert line[4:9] == [
        *("-c", f"{folder}/pyproject.toml", f"--rootdir={folder}"),
        *("-o", f"cache_dir={cwd}/.pytest_cache"),
    ]
    assert line[9:] == ["--six-typed=sixproof run", f"{folder}/suites", *given]


def test_a_job_has_an_image(folder: Path, cwd: Path) -> None:
    """Before what is pytest's."""
    given = ["img/six:1", "--claim=kept", "-n", "2"]
    line = pytest_command.command("sixproof job", "job", given, folder, cwd)

    assert line[9:] == [
        "--six-typed=sixproof job",
        "--six-plan",
        "--six-job=img/six:1",
        "--six-job-claim=kept",
        f"{folder}/suites",
        "-n",
        "2",
    ]


@pytest.mark.parametrize(("name", "option"), [("plan", "--six-plan"), ("cleanup", "--six-cleanup")])
def test_commands_add_their_option(folder: Path, cwd: Path, name: str, option: str) -> None:
    line = pytest_command.command(f"sixproof {name}", name, ["--", "--six-context=a"], folder, cwd)

    assert option in line
    assert "--" not in line


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
    pytest_command.replace_process("kubectl sixproof", "run", ["suites/pods"])

    (line,) = ran
    assert line[-3:] == [
        "--six-typed=kubectl sixproof run",
        str(pytest_command.home() / "suites"),
        "suites/pods",
    ]


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
    name: str, option: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before pytest lists the options of a run."""
    monkeypatch.setattr(sys, "argv", ["/usr/bin/kubectl-sixproof"])
    ran: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda _, line: ran.append(line))
    assert command_line.main([name, option]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: kubectl sixproof {name} ")
    assert "`sixproof" not in text
    assert max(map(len, text.splitlines())) <= 100
    if name == "cleanup":
        assert not ran
    else:
        assert ran[0][-1] == "--six-options"


def test_clean_up_lists_the_options_that_it_has(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["cleanup", "--help"]) == 0
    usage = capsys.readouterr().out.partition("\n\n")[0]
    switches = {option.switch for option in OPTIONS}
    named = set(re.findall(r"--six-[a-z-]+", usage))
    assert named <= switches
    assert named == {"--six-context", "--six-kubeconfig", "--six-provider", "--six-variant"}


@pytest.mark.parametrize("name", pytest_command.COMMANDS)
def test_its_version_is_that_of_sixproof(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main([name, "--version"]) == 0
    assert capsys.readouterr().out == f"sixproof {__version__}\n"


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
    monkeypatch.setattr(sys, "argv", ["/usr/bin/sixproof"])
    assert command_line.main(["report", "--if-possible"]) == 2
    assert capsys.readouterr().out == (
        "reports/latest holds no report of a run: name the directory of one, or measure a cluster "
        "with `sixproof run`\n"
    )


def test_report_takes_the_directory_of_a_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/sixproof"])
    with pytest.raises(SystemExit) as ended:
        command_line.main(["report", "--help"])
    assert ended.value.code == 0
    assert "usage: sixproof report [-h] [--history FILE] [--if-possible] [DIR]" in (
        capsys.readouterr().out
    )
    (tmp_path / "allure-results").mkdir()
    assert command_line.main(["report", str(tmp_path)]) == 2
    assert f"{tmp_path}/allure-results holds no Allure result" in capsys.readouterr().out


def test_usage_keeps_its_indentation(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command_line.main(["explain", "--no-such"])
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("usage: ")
    assert lines[1].startswith(" " * 10)
