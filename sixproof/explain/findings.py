"""``python -m sixproof findings``: every finding that a run or an audit may report."""

from __future__ import annotations

import argparse
import importlib
import pkgutil
from collections.abc import Iterator

import sixproof
from sixproof.explain import markdown
from sixproof.model import FindingType, declared

_NOT_OURS = ("sixproof.__main__", "sixproof.agent")
"""The agent runs in pods and makes no findings."""


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a command line."""
    commands.add_parser(
        "findings",
        help="list every finding that may be reported, by its code",
        description="List every finding that a run, or the audit of policies, may report: its "
        "code, the expected state, and the source that requires it. Needs no "
        "cluster.",
    )


def every_finding() -> tuple[FindingType, ...]:
    """All declared finding types, by code."""
    for name in _modules():
        importlib.import_module(name)
    return declared()


def _modules() -> Iterator[str]:
    for module in pkgutil.walk_packages(sixproof.__path__, "sixproof."):
        if not module.name.startswith(_NOT_OURS):
            yield module.name


def table() -> str:
    """All of them as a Markdown table."""
    rows = [(f"`{one.code}`", one.title, one.source) for one in every_finding()]
    return markdown.table(("code", "expected state", "source"), rows)
