"""History ids: Allure tells tests apart by them, and shows only one of those that share one."""

from __future__ import annotations

import json
from pathlib import Path


def shared_ids(results: Path) -> tuple[tuple[str, ...], ...]:
    """The groups of different tests in an Allure results directory that share a history id.

    Two results of one test and parameters are its retries and belong together; different names
    under one id mean that the report hides a test.
    """
    names: dict[str, dict[str, None]] = {}
    for path in sorted(results.glob("*-result.json")):
        try:
            value = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            continue  # a worker was killed while it wrote; the file stands for no test
        parameters = [(p.get("name"), p.get("value")) for p in value.get("parameters", ())]
        said = value.get("fullName", "") + ("" if not parameters else f" {parameters}")
        names.setdefault(value.get("historyId", ""), {})[said] = None
    return tuple(tuple(group) for group in names.values() if len(group) > 1)
