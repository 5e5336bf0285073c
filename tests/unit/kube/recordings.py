"""What a real cluster answered: kind, dual stack, Calico 3.31 with VXLAN, recorded and trimmed."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

from tests.unit.kube.server import FakeApi, Reply, Seen, refused

_FILE = Path(__file__).parent / "recorded" / "bed.json"


def bed() -> dict[str, Any]:
    """Answers by path, with ``?`` and the label selector where there was one."""
    found: dict[str, Any] = json.loads(_FILE.read_text())
    return found


def play(api: FakeApi, answers: dict[str, Any], *, forbidden: tuple[str, ...] = ()) -> None:
    """Answer as recorded; paths that end in one of `forbidden` are refused."""

    def respond(seen: Seen) -> Reply:
        if seen.path.endswith(forbidden):
            return refused(403, "Forbidden", f"cannot read {seen.path}")
        selector = seen.query.get("labelSelector")
        found = answers.get(f"{seen.path}?{selector}" if selector else seen.path)
        if found is None:
            return refused(404, "NotFound", f"nothing was recorded of {seen.path}")
        return Reply(copy.deepcopy(found))

    for path in {key.partition("?")[0] for key in answers}:
        api.compute("GET", path, respond)
