from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from testbed.kindnet import __main__ as plugin
from testbed.kindnet.__main__ import Wanted
from testbed.kindnet.api import Api, Mirror, Watched

NODE: dict[str, Any] = {
    "metadata": {"name": "one"},
    "spec": {"podCIDRs": ["10.251.1.0/24"]},
}


def mirrors(*nodes: dict[str, Any]) -> dict[str, Mirror]:
    """Mirrors of an API server that has these nodes and nothing else."""
    found = {w.name: Mirror(Api("none", 0, Path()), w, lambda: None) for w in Watched}
    found["nodes"].items = lambda: list(nodes)  # type: ignore[method-assign]
    return found


@pytest.fixture
def programs_run(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    programs: list[str] = []

    def run_with_input(program: list[str], text: str) -> bool:
        del text
        programs.append(program[0])
        return program[0] not in failing

    failing: set[str] = set()
    monkeypatch.setattr(plugin, "run_with_input", run_with_input)
    monkeypatch.setattr(plugin, "failing", failing, raising=False)
    return programs


def test_pods_may_come_once_rules_and_routes_stand(programs_run: list[str], tmp_path: Path) -> None:
    wanted = Wanted.of(mirrors(NODE), "one", ["10.251.0.0/16"], 1500)
    with_routes = Wanted(wanted.rules, {4: "route replace"}, wanted.config)
    assert plugin.carry_out(with_routes, tmp_path / "config")
    assert programs_run == ["nft", "ip"]
    assert (tmp_path / "config").read_text() == wanted.config


def test_a_node_whose_rules_are_refused_gets_no_pods(
    programs_run: list[str], tmp_path: Path
) -> None:
    plugin.failing.add("nft")  # type: ignore[attr-defined]
    wanted = Wanted.of(mirrors(NODE), "one", ["10.251.0.0/16"], 1500)
    assert not plugin.carry_out(wanted, tmp_path / "config")
    assert programs_run == ["nft"]
    assert not (tmp_path / "config").exists()


def test_the_node_forwards_what_it_can(tmp_path: Path) -> None:
    """A kernel without IPv6 has no such files."""
    (tmp_path / "net/ipv4").mkdir(parents=True)
    path = tmp_path / "net/ipv4/ip_forward"
    path.write_text("0\n")
    plugin.prepare(tmp_path)
    assert path.read_text() == "1"


def test_a_node_without_ranges_waits_for_them(programs_run: list[str], tmp_path: Path) -> None:
    wanted = Wanted.of(mirrors(), "one", ["10.251.0.0/16"], 1500)
    assert wanted.config == ""
    assert plugin.carry_out(wanted, tmp_path / "config")
    assert not (tmp_path / "config").exists()
