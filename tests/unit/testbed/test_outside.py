from dataclasses import replace
from pathlib import Path

import pytest

from testbed.cluster import health
from testbed.host.command import Result
from testbed.host.engine import Engine
from testbed.network import outside
from testbed.variants import variant
from tests.unit.testbed.test_record import BED


def answering(monkeypatch: pytest.MonkeyPatch, status: int) -> list[str]:
    """An engine whose commands end with this status; the list fills with its commands."""
    commands: list[str] = []

    def attempt(self: Engine, *words: str | Path, **_: object) -> Result:
        commands.append(" ".join(map(str, words)))
        return Result((), status, "", "")

    monkeypatch.setattr(Engine, "attempt", attempt)
    return commands


@pytest.mark.parametrize(("status", "ok"), [(0, True), (1, False)])
def test_the_global_address_counts_when_every_node_reaches_it(
    monkeypatch: pytest.MonkeyPatch, status: int, ok: bool
) -> None:
    chosen = variant.load(variant.DEFAULT)
    commands = answering(monkeypatch, status)
    found = list(health.beyond(Engine(None), chosen))
    assert [check.ok for check in found] == [ok] * len(chosen.nodes)
    assert all(line.endswith(outside.GLOBAL) for line in commands)


def test_learnt_paths_are_forgotten_by_a_container_beside_it() -> None:
    words = outside.forget_command(BED)
    assert words[:3] == ("docker", "--host", BED.docker_host)
    assert "container:six-outside" in words
    assert words[-2:] == ("-c", outside.FORGET)
    assert outside.forget_command(replace(BED, docker_host=None))[:2] == ("docker", "run")
