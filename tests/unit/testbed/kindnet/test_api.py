from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from testbed.kindnet.api import Api, Mirror, Watched


class FakeApi(Api):
    """Answers a list, then a watch."""

    def __init__(self, listed: dict[str, Any], events: list[dict[str, Any]]) -> None:
        super().__init__("none", 0, Path("/none"))
        lines = "".join(json.dumps(event) + "\n" for event in events)
        object.__setattr__(self, "answers", [json.dumps(listed), lines])
        object.__setattr__(self, "asked", [])

    def get(self, path: str) -> Any:
        self.asked.append(path)  # type: ignore[attr-defined]
        return io.BytesIO(self.answers.pop(0).encode())  # type: ignore[attr-defined]


def thing(name: str, **spec: str) -> dict[str, Any]:
    return {"metadata": {"namespace": "x", "name": name}, "spec": spec}


LISTED = {"metadata": {"resourceVersion": "7"}, "items": [thing("old"), thing("gone")]}


def followed(*events: dict[str, Any]) -> tuple[Mirror, FakeApi, list[int]]:
    changes: list[int] = []
    api = FakeApi(LISTED, list(events))
    mirror = Mirror(api, Watched.pods, lambda: changes.append(1))
    assert not mirror.known
    mirror.follow()
    return mirror, api, changes


def test_what_is_listed_and_what_changes_is_there() -> None:
    mirror, api, changes = followed(
        {"type": "ADDED", "object": thing("new")},
        {"type": "MODIFIED", "object": thing("old", a="b")},
        {"type": "DELETED", "object": thing("gone")},
        {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "9"}}},
    )
    assert mirror.known
    assert mirror.items() == [thing("old", a="b"), thing("new")]
    assert len(changes) == 4
    first, second = api.asked  # type: ignore[attr-defined]
    assert first == "/api/v1/pods?resourceVersion=0"
    assert second.startswith("/api/v1/pods?watch=1&resourceVersion=7&timeoutSeconds=")


def test_a_watch_that_fails_is_reported_so_that_all_is_listed_anew() -> None:
    gone = {"type": "ERROR", "object": {"code": 410, "message": "too old"}}
    with pytest.raises(OSError, match="too old"):
        followed(gone)
