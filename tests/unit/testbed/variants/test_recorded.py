"""What variants give to kind, Calico, Docker and the kernel, word for word.

A change of what a variant's keys mean must change no bed unawares: recorded/ holds what was given
before every key had its place in the file.
"""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any

import pytest
import yaml

from testbed.cluster import calico, kind
from testbed.host import command, machine
from testbed.host.command import Result
from testbed.network import bridge
from testbed.variants import variant
from tests.unit.testbed.test_teardown import FAILED, FakeEngine

RECORDED = Path(__file__).parent / "recorded"


@pytest.fixture(params=sorted(path.stem for path in RECORDED.glob("*.yaml")))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def recorded(name: str) -> dict[str, Any]:
    found = yaml.safe_load((RECORDED / f"{name}.yaml").read_text())
    assert isinstance(found, dict)
    return found


@pytest.fixture
def host_commands(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The commands this machine is given, which all seem to succeed."""
    lines: list[str] = []

    def attempt(argv: list[str], **_: object) -> Result:
        lines.append(" ".join(argv))
        return Result((), 0, "[]", "")

    monkeypatch.setattr(command, "attempt", attempt)
    return lines


def test_kind_is_given_the_same_configuration(name: str, recorded: dict[str, Any]) -> None:
    settings = kind.settings(variant.load(name), False, None)
    assert yaml.safe_dump(settings, sort_keys=False) == recorded["kind"]


def test_calicos_manifest_is_patched_alike(
    name: str, recorded: dict[str, Any], manifest: list[dict[str, Any]]
) -> None:
    docs = calico.patch(manifest, variant.load(name), False)
    assert yaml.safe_dump_all(docs) == recorded["calico"]


def test_docker_makes_the_same_network(
    name: str, recorded: dict[str, Any], host_commands: list[str]
) -> None:
    engine = FakeEngine({"network inspect": [FAILED]})
    bridge.ensure(engine, variant.load(name))
    assert engine.commands[-1] == recorded["network"]  # type: ignore[attr-defined]
    assert host_commands == ["ip -json -4 route show table all"]


def test_the_kernel_is_asked_for_the_same_links(
    name: str, recorded: dict[str, Any], host_commands: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "exists", lambda _: True)
    machine.kernel(variant.load(name).links)
    assert host_commands[-1:] == recorded["links"]


def test_pods_have_the_same_mtu(name: str, recorded: dict[str, Any]) -> None:
    assert variant.load(name).pod_mtu == recorded["pod MTU"]


def test_a_variants_own_ranges_are_not_taken_for_nodes() -> None:
    first = ipaddress.ip_network(bridge.CANDIDATES[0])
    ours = variant.load().ranges() | {"IPv4.pods": first}
    assert bridge.free(ours.values()) == bridge.CANDIDATES[1]
