from pathlib import Path

import pytest

from testbed.cluster import health
from testbed.host.command import Result
from testbed.host.engine import Engine
from testbed.network import router
from testbed.record import Machine
from testbed.variants import variant
from testbed.variants.keys import Family

BED = variant.load("bgp")
NODES = tuple(
    Machine(name, "worker", f"172.30.66.{number}", f"fd5e::{number}")
    for number, name in enumerate(BED.nodes, 2)
)
SHOWN = """BIRD 1.6.8 ready.
name     proto    table    state  since       info
device1  Device   master   up     03:15:51
to_six_bgp_control_plane BGP      master   up     03:17:05    Established
to_six_bgp_worker BGP      master   start  03:17:02    Connect       Socket: Connection refused
"""


def test_each_daemon_has_a_session_to_every_node_and_announces_the_rack_alone() -> None:
    four, six = (router.configuration(BED, stack, NODES) for stack in BED.stacks)
    assert "neighbor 172.30.66.3 as 64512;" in four
    assert "neighbor fd5e::3 as 64512;" in six
    assert four.count("protocol bgp ") == six.count("protocol bgp ") == len(BED.nodes)
    for text in (four, six):
        assert f'protocol direct {{ interface "{router.RACK_DEVICE}"; }}' in text
        assert "export where source = RTS_DEVICE;" in text
        assert "local as 64600;" in text


def test_router_and_client_have_the_first_addresses_of_the_rack() -> None:
    four, six = map(router.ends, BED.stacks)
    assert four == ("10.102.57.1/24", "10.102.57.2/24")
    assert six == ("fd00:10:102:57::1/64", "fd00:10:102:57::2/64")


def test_a_session_that_is_not_established_is_not_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is reported with BIRD's last error; one that is missing is said to be."""
    monkeypatch.setattr(Engine, "attempt", lambda *_, **__: Result((), 0, SHOWN, ""))
    found = list(health.peerings(Engine(None), BED))
    assert len(found) == len(BED.nodes) * len(Family)
    first = {check.name: (check.ok, check.seen) for check in found if "IPv6" in check.name}
    assert list(first.values()) == [
        (True, "Established"),
        (False, "Connect       Socket: Connection refused"),
        (False, "no such session"),
    ]
    assert list(health.peerings(Engine(None), variant.load())) == []


def test_a_router_that_does_not_run_is_no_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Engine, "attempt", lambda *_, **__: Result((), 1, "", "No such container"))
    assert not any(check.ok for check in health.peerings(Engine(None), BED))


def test_what_runs_already_is_left_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A second `up` starts nothing anew; an address that changed does."""
    ran: list[str] = []

    def run(self: Engine, *words: str | Path, **_: object) -> str:
        ran.append(str(words[0]))
        return "172.30.66.9 fd5e::9" if words[0] == "inspect" and len(words) > 3 else "4711"

    monkeypatch.setattr(Engine, "run", run)
    monkeypatch.setattr(Engine, "attempt", lambda *_, **__: Result((), 0, "", ""))
    monkeypatch.setattr(Engine, "running", lambda *_: True)
    monkeypatch.setattr(
        "testbed.network.outside.address",
        lambda *_: Machine("r", "router", "172.30.66.9", "fd5e::9"),
    )
    beside = router.ensure(Engine(None), BED, NODES, "python", "node", tmp_path)
    assert "run" in ran, "nothing was written yet"
    assert (beside[1].ipv4, beside[1].ipv6) == ("10.102.57.2", "fd00:10:102:57::2")
    ran.clear()
    router.ensure(Engine(None), BED, NODES, "python", "node", tmp_path)
    assert ran == []
