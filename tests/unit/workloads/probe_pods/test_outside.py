"""An agent outside the cluster, kept on this machine: it answers, and nothing of it stays."""

from __future__ import annotations

import dataclasses
import ipaddress
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from sixproof import records
from sixproof.agent import protocol
from sixproof.agent.wire import Seal
from sixproof.errors import InfrastructureError
from sixproof.kube.channel.agents import Agents
from sixproof.kube.channel.channel import Stream
from sixproof.model import Endpoint, EndpointKind, Protocol
from sixproof.workloads.probe_pods import outside
from sixproof.workloads.probe_pods.outside import Outside, OutsideLauncher, OutsidePlace
from sixproof.workloads.probe_pods.ports import PortSpec

KEY = "0123456789abcdef"
HERE = OutsidePlace((ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1")), ())


def no_pods(namespace: str, pod: str) -> Stream:
    """There is no cluster here."""
    raise InfrastructureError(f"no pod {namespace}/{pod}")


@pytest.fixture
def launcher(monkeypatch: pytest.MonkeyPatch) -> Iterator[OutsideLauncher]:
    """An agent on a free port."""
    with socket.socket(socket.AF_INET6) as free:
        free.bind(("::", 0))
        port = free.getsockname()[1]
    monkeypatch.setattr(outside, "POD_PORTS", (PortSpec(Protocol.TCP, port),))
    made = OutsideLauncher(HERE, KEY)
    yield made
    made.close()


def folder(kept: Outside) -> Path:
    """Where its files are."""
    return Path(kept.bridge[-1]).parent


def test_it_answers_as_an_agent_in_a_pod_does(launcher: OutsideLauncher) -> None:
    """Through the same channel, by the opener that reaches pods as well."""
    kept = records.from_json(Outside, records.to_json(launcher.outside))
    agents = Agents(outside.opener(no_pods, kept), Seal(KEY.encode()).mark)
    try:
        asked = agents.ask(kept.endpoint, protocol.Inspect(), protocol.Inspected, 20)
        assert asked.result().mtus["lo"] > 0
        assert agents.has(kept.endpoint)
        assert kept.endpoint.kind is EndpointKind.OUTSIDE
    finally:
        agents.close()


def test_pods_are_reached_as_before(launcher: OutsideLauncher) -> None:
    """The opener hands on what is not outside."""
    with pytest.raises(InfrastructureError, match="no pod six-x-a/a"):
        outside.opener(no_pods, launcher.outside)("six-x-a", "a")
    with pytest.raises(InfrastructureError, match="no pod /outside"):
        outside.opener(no_pods, None)("", "outside")


def test_nothing_of_it_stays(launcher: OutsideLauncher) -> None:
    """Closed, it has ended, and its folder is gone."""
    home = folder(launcher.outside)
    assert (home / "sixproof/agent/control/bridge.py").is_file()
    launcher.close()
    assert not home.exists()


def test_further_addresses_are_endpoints_of_the_same_agent(launcher: OutsideLauncher) -> None:
    """They are dialled; the agent behind them is one."""
    place = dataclasses.replace(HERE, further=(ipaddress.ip_address("2001:db8::5"),))
    second = OutsideLauncher(place, KEY)
    try:
        kept = records.from_json(Outside, records.to_json(second.outside))
    finally:
        second.close()
    first, further = kept.endpoints
    assert (first.name, further.name) == ("outside", "outside at 2001:db8::5")
    assert (further.namespace, further.pod) == (first.namespace, first.pod)
    assert further.addresses == place.further


def test_its_kernel_forgets_paths_where_it_may() -> None:
    """By the command of the place; what keeps it from that is said."""
    endpoint = Endpoint("outside", EndpointKind.OUTSIDE, ())
    assert not Outside(endpoint, ()).forget_paths()
    assert Outside(endpoint, (), forget=("true",)).forget_paths()
    refused = Outside(endpoint, (), forget=("sh", "-c", "echo not allowed >&2; exit 1"))
    with pytest.raises(InfrastructureError, match="stay: not allowed"):
        refused.forget_paths()


def test_where_it_cannot_start_is_said_why() -> None:
    """The words of the program that was to start it."""
    place = OutsidePlace((), ("sh", "-c", "echo no such container >&2; exit 1"))
    with pytest.raises(InfrastructureError, match="outside the cluster: no such container"):
        OutsideLauncher(place, KEY)
