"""All rules, found in the packages of causes: each file there has some in its `RULES`."""

from __future__ import annotations

import functools
import importlib
import pkgutil

from sixproof.explain import markdown
from sixproof.reporting import causes
from sixproof.reporting.conclusion.cause import CauseRule


def table() -> str:
    """All of them as a table in Markdown."""
    rows = [
        (f"`{rule.code}`", rule.title, rule.facts, ", ".join(rule.shown_by), rule.source)
        for rule in rules()
    ]
    return markdown.table(("code", "cause", "facts", "shown by", "source"), rows)


@functools.cache
def rules() -> tuple[CauseRule, ...]:
    """Every rule, by its code."""
    files = pkgutil.walk_packages(causes.__path__, f"{causes.__name__}.")
    modules = [importlib.import_module(file.name) for file in files if not file.ispkg]
    found = [rule for module in modules for rule in getattr(module, "RULES", ())]
    return tuple(sorted(found, key=lambda rule: rule.code))
