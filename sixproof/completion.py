"""``sixproof completion``: what shells need to complete the command line.

The scripts are shtab's, made of our parsers. The options of a run are pytest's plugin's: the same
list as in ``sixproof run --help``, read when the script is made.
"""

from __future__ import annotations

import argparse
import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from sixproof import pytest_command
from sixproof.errors import UsageError
from sixproof.explain.command import Output

SHELLS = ("bash", "zsh", "fish")
PYTEST = (("-n", "N"), ("-k", "EXPRESSION"), ("-x", ""), ("-v", ""), ("--maxfail", "N"),
          ("--lf", ""), ("--ignore", "PATH"), ("--collect-only", ""))  # fmt: skip
"""Options of pytest's own that are completed, with what they take."""
_OPTION = re.compile(r"^  (--six-[a-z0-9-]+)(?: (\S+))?$", re.MULTILINE)
_WORD = re.compile(r"[a-z][a-z-]*")
_FILES = ("FILE", "PATH", "DIR", "LOG", "A", "B")
"""What arguments are called that are files."""
LONGEST = 60.0
"""Seconds for pytest to list the options."""


def add_to(commands: Any) -> None:
    """Add the command to argparse's subcommands."""
    one = commands.add_parser(
        "completion",
        help="print what a shell needs to complete this command line",
        description="Print a script that completes commands, options, their values and suites: "
        'bash: `source <(sixproof completion bash)` in ~/.bashrc; zsh: `eval "$(sixproof '
        'completion zsh)"` after compinit; fish: into '
        "~/.config/fish/completions/sixproof.fish. Made again after an update.",
    )
    one.add_argument("shell", choices=SHELLS)


def script(shell: str, top: argparse.ArgumentParser) -> Output:
    """The script of a shell, for the parser `top`, which is changed on the way.

    Raises:
        UsageError: there are no suites here, or pytest could not list its options.
    """
    import shtab

    listed = list(_options(_listing()))
    suites = list(_suites(pytest_command.home()))
    for name, command in _commands(top).items():
        if name in pytest_command.COMMANDS:
            _add(command, (*listed, *PYTEST))
            if pytest_command.takes_tests(name):
                command.add_argument("suites", nargs="*", choices=suites, help="suites to run")
        for action in command._actions:
            if action.metavar in _FILES:
                action.complete = shtab.FILE  # type: ignore[attr-defined]
    top.prog = "sixproof"
    return Output(0, shtab.complete(top, shell=shell) + "\n", ())


def _commands(top: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    found = (a for a in top._actions if isinstance(a, argparse._SubParsersAction))
    return dict(next(found).choices)


def _listing() -> str:
    """What ``sixproof run --help`` lists."""
    folder = pytest_command.home()
    given = (pytest_command.LISTED,)
    line = pytest_command.command("sixproof run", "run", given, folder, Path.cwd())
    try:
        said = subprocess.run(line, capture_output=True, text=True, timeout=LONGEST, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise UsageError(f"the options of a run could not be listed: {error}") from error
    return said.stdout


def _options(listing: str) -> Iterator[tuple[str, str]]:
    """Each option, and what it takes: ``live|kind``, ``SECONDS``, "" for a switch."""
    for found in _OPTION.finditer(listing):
        yield found[1], found[2] or ""


def _add(command: argparse.ArgumentParser, options: Iterable[tuple[str, str]]) -> None:
    for switch, takes in options:
        if not takes:
            command.add_argument(switch, action="store_true")
            continue
        words = [word for word in takes.split("|") if _WORD.fullmatch(word)]
        command.add_argument(switch, metavar=takes, choices=words or None)


def _suites(folder: Path) -> Iterator[str]:
    """The suites and their files, as they are named on the command line."""
    for path in sorted((folder / pytest_command.SUITES).rglob("test_*.py")):
        yield str(path.relative_to(folder))
    for path in sorted((folder / pytest_command.SUITES).iterdir()):
        if path.is_dir() and any(path.glob("test_*.py")):
            yield str(path.relative_to(folder))
