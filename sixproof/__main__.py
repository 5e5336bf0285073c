"""``sixproof``, or ``python -m sixproof``: measure a cluster, or ask what needs none."""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
from collections.abc import Sequence
from pathlib import Path

from sixproof import __version__, completion, pytest_command
from sixproof.errors import UsageError, brief
from sixproof.explain import audit, command, findings, terminal
from sixproof.explain.command import Output
from sixproof.reporting.allure import render
from sixproof.reporting.compare import command as compare_command
from sixproof.reporting.conclusion import known_faults, rules
from sixproof.reporting.pages import printed_report
from sixproof.reporting.trend import command as trend_command

LONGEST_LINE = 600
"""Characters of a line of usage: arguments have no end of their own."""
INTERRUPTED = 130
"""The exit status after Ctrl-C, as in shells."""


def program() -> str:
    """What the user typed to get here."""
    name = Path(sys.argv[0]).name
    return {"sixproof": "sixproof", "kubectl-sixproof": "kubectl sixproof"}.get(
        name, "python -m sixproof"
    )


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(
        prog=program(),
        description="Prove whether IPv6 and dual stack work in a Kubernetes cluster.",
        epilog="`%(prog)s COMMAND --help` says what a command does, to the cluster, too.",
    )
    top.add_argument("--version", action="version", version=f"sixproof {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, one in pytest_command.COMMANDS.items():
        commands.add_parser(name, help=one.short, add_help=False)
    commands.add_parser("report", help="render the report of a run again", add_help=False)
    command.add_to(commands)
    audit.add_to(commands)
    compare_command.add_to(commands)
    trend_command.add_to(commands)
    printed_report.add_to(commands)
    findings.add_to(commands)
    completion.add_to(commands)
    commands.add_parser(
        "causes",
        help="list every cause that a run may conclude",
        description="List every cause that the conclusion of a run may name: what it is, the "
        "facts that show it, and its source; and the publicly known faults that it is "
        "compared with. Needs no cluster.",
    )
    return top


def _run(arguments: argparse.Namespace) -> Output:
    if arguments.command == "audit":
        return audit.audit(arguments)
    if arguments.command == "compare":
        return compare_command.compare(arguments)
    if arguments.command == "trend":
        return trend_command.trend(arguments)
    if arguments.command == "unpack":
        return printed_report.unpack_log(arguments)
    if arguments.command == "completion":
        return completion.script(arguments.shell, parser())
    if arguments.command == "findings":
        return Output(0, findings.table(), ())
    if arguments.command == "causes":
        return Output(0, f"{rules.table()}\n{known_faults.table()}", ())
    return command.explain(arguments)


def _parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    """The arguments. argparse's output goes through `terminal`: Python releases differ in how they
    handle help that cannot be written.

    Raises:
        SystemExit: help was asked for, or the usage is wrong; with the exit status.
    """
    out, err = io.StringIO(), io.StringIO()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            return parser().parse_args(argv)
    except SystemExit as asked:
        status = asked.code if isinstance(asked.code, int) else terminal.FAILED
        terminal.note(_cut(line) for line in err.getvalue().splitlines())
        raise SystemExit(terminal.write(out.getvalue(), status)) from None


def _cut(line: str) -> str:
    """A line of argparse, with its indentation."""
    text = line.lstrip(" ")
    return line[: len(line) - len(text)] + brief(text, LONGEST_LINE)


def _by_pytest(name: str, *rest: str) -> int:
    """A command that pytest carries out; returns only where it says nothing but help."""
    if rest in (("-V",), ("--version",)):
        return terminal.write(f"sixproof {__version__}\n", 0)
    if rest in (("-h",), ("--help",)):
        status = terminal.write(pytest_command.help_of(program(), name), 0)
        if status or not pytest_command.takes_tests(name):
            return status
        name, rest = "run", (pytest_command.LISTED,)
    pytest_command.replace_process(program(), name, rest)
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; the result is the exit status.

    Raises:
        SystemExit: help was asked for, or the usage is wrong; with the exit status.
    """
    terminal.make_lenient()
    given = sys.argv[1:] if argv is None else list(argv)
    try:
        if given[:1] == ["report"]:
            return render.report(given[1:], f"{program()} report")
        if given and given[0] in pytest_command.COMMANDS:
            return _by_pytest(*given)
        output = _run(_parsed(given))
    except UsageError as bad:
        terminal.note(f"error: {line}" for line in str(bad).splitlines())
        return terminal.FAILED
    except KeyboardInterrupt:
        terminal.note(["error: interrupted"])
        return INTERRUPTED
    terminal.note(f"note: {line}" for line in output.notes)
    return terminal.write(output.text, output.status)


if __name__ == "__main__":
    sys.exit(main())
