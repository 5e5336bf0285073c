"""Felix of two nodes for tests of checks: pages by node, as agents would fetch them."""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sixproof.agent import protocol
from sixproof.agent.protocol import Event, LinkSeen, Page
from sixproof.calico.felix.settings import Felix, felix
from sixproof.errors import ChannelLost
from sixproof.model import Endpoint, EndpointKind, Family, Judged
from sixproof.probes.connect.fake_agents import FakeAgents
from tests.unit.reporting.conclusion.cluster import node as node_seen

SIX, FOUR = Family.IPV6, Family.IPV4
NODES = ("worker", "worker2")


def addresses(number: int, prefix: str) -> tuple[Any, ...]:
    """An address of each family."""
    return tuple(map(ipaddress.ip_address, (f"10.{prefix}.0.{number}", f"fd00:{prefix}::{number}")))


HOSTS = tuple(
    Endpoint(f"host@{n}", EndpointKind.HOST, addresses(i, "1"), "run-host", f"host-{n}", n)
    for i, n in enumerate(NODES, 1)
)
PODS = tuple(
    Endpoint(f"a@{n}", EndpointKind.POD, addresses(i, "2"), "run-a", f"a-{n}", n)
    for i, n in enumerate(NODES, 1)
)


class Topology:
    """The two nodes' host networks, and a pod on each."""

    pods, hosts, nodes = PODS, HOSTS, NODES

    @staticmethod
    def in_namespace(_: str) -> tuple[Endpoint, ...]:
        """All pods are of one."""
        return PODS


def settings(**spec: Any) -> Felix:
    """Felix with health and metrics on, on every address, but for these."""
    usual = {"healthEnabled": True, "healthHost": "::", "prometheusMetricsEnabled": True}
    return felix([{"metadata": {"name": "default"}, "spec": {**usual, **spec}}], {})


@dataclasses.dataclass
class FelixOfNode:
    """One Felix; tests change what it says. `deaf` are families over which it answers nobody,
    `stuck` takes no change over, `idle` writes none, `fails` counts an error with each of so many
    changes."""

    deaf: tuple[Family, ...] = ()
    deaf_to_pods: tuple[Family, ...] = ()
    stuck: bool = False
    idle: bool = False
    fails: int = 0
    state: int = 3
    ready: bool = True
    gone: bool = False
    page: str | None = None
    rules: str = "iptables"
    ipv6_rules: int = 190
    wireguard: bool = True
    changes: int = 0

    def metrics(self) -> str:
        """Its metrics."""
        done = 0 if self.stuck else self.changes
        written = 0 if self.idle else done
        name = {"iptables": "felix_iptables_rules", "nftables": "felix_nft_rules"}[self.rules]
        return (
            f"felix_resync_state {self.state}\n"
            f'felix_calc_graph_updates_processed{{type="PolicyKey"}} {100 + done}\n'
            f"felix_int_dataplane_apply_time_seconds_count {50 + written}\n"
            f"felix_int_dataplane_failures {min(self.changes, self.fails)}\n"
            f'{name}{{ip_version="4"}} 200\n{name}{{ip_version="6"}} {self.ipv6_rules}\n'
            f"felix_bpf_dataplane_endpoints {self.ipv6_rules}\n"
            "process_start_time_seconds 1.7e9\n"
        )


class Felixes:
    """Felix of every node, and the agents that ask."""

    def __init__(self) -> None:
        self.of = {node: FelixOfNode() for node in NODES}
        self.lost: set[str] = set()  # agents whose channel is
        scripts = {e.name: self._script(e) for e in (*HOSTS, *PODS)}
        self.agents = FakeAgents(scripts)

    @contextmanager
    def change(self) -> Iterator[None]:
        """A change that all are to take over, for a while."""
        for one in self.of.values():
            one.changes += 1
        yield

    def _script(self, source: Endpoint) -> Any:
        def script(request: object) -> object:
            if source.name in self.lost:
                raise ChannelLost("silent for 20 s")
            if isinstance(request, protocol.ReadNode):
                return self._node(source.node)
            assert isinstance(request, protocol.Fetch)
            return protocol.Fetched([self._page(source, get) for get in request.gets], 0.0)

        return script

    def _node(self, node: str) -> protocol.NodeSeen:
        kinds = [
            LinkSeen(name, "wireguard", 1420, self.of[node].wireguard, True)
            for name in ("wireguard.cali", "wg-v6.cali")
        ]
        usual = node_seen(node)
        return dataclasses.replace(usual, links=[*usual.links, *kinds])

    def _page(self, source: Endpoint, get: protocol.Get) -> Page:
        address = ipaddress.ip_address(get.address)
        homes = (h.node for h in HOSTS if address in h.addresses)
        one = self.of[source.node if address.is_loopback else next(homes)]
        family = Family.of(address)
        if one.gone:
            return Page(get.nonce, Event.SILENT, stage="exchange", sent=1, elapsed=get.timeout)
        deaf = one.deaf_to_pods if source.kind is EndpointKind.POD else ()
        if family in (*one.deaf, *deaf):
            return Page(get.nonce, Event.SILENT, stage="connect", sent=1, elapsed=get.timeout)
        status, body = 200, one.metrics() if one.page is None else one.page
        if get.path != "/metrics":
            status, body = (200, "") if one.ready else (503, "Felix is not ready")
        return Page(get.nonce, Event.ANSWERED, sent=1, status=status, body=body)


class Kept:
    """Keeps what a check notes."""

    def __init__(self) -> None:
        self.judged: list[Judged] = []

    def matrix(self, matrix: Any, expected: Any, **_: object) -> None:
        """A matrix, judged."""
        self.judged.append((matrix, expected))
