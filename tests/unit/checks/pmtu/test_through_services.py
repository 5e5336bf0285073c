"""Paths to services: explored once small packets pass, those apart that policies close."""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Sequence
from typing import cast

from sixproof import policy
from sixproof.checks.pmtu.through_services import PathExplorer
from sixproof.checks.recorder import Recorder
from sixproof.model import Endpoint, Family, Flow, Observation, Outcome, Timing
from sixproof.probes.connect.probe import ConnectProbe
from sixproof.probes.pmtu.path_run import PathRun
from sixproof.probes.pmtu.probe import PathProbe
from sixproof.workloads.existing.policies import ExistingPolicies
from sixproof.workloads.services.manifests import Service
from tests.unit.model.places import CLIENT, ECHO, flow

VIP = ipaddress.ip_address("2001:db8:ffff::1")
SERVICE = Service("before", "web", "ClusterIP", "SingleStack", (Family.IPV6,), (VIP,), ())
THROUGH = dataclasses.replace(flow(), address=VIP)


class Network:
    """Both probes: a small packet passes at the second try; `log` says what was done."""

    def __init__(self) -> None:
        self.log: list[str] = []

    def measure(self, flows: Sequence[Flow], _: object) -> list[Observation]:
        self.log.append(f"{len(flows)} small")
        works = self.log.count(self.log[0]) > 1
        outcome = Outcome.ALLOWED if works else Outcome.DROPPED
        return [Observation(one, outcome) for one in flows]

    def explore(self, flows: Sequence[Flow], *, hosts: Sequence[Endpoint]) -> PathRun:
        self.log.append(f"{len(flows)} explored by {len(hosts)} hosts")
        return PathRun((), {}, {}, {})


class Policies:
    """One that closes a flow through the service; which services it was asked about."""

    def __init__(self) -> None:
        self.services: list[policy.ServiceSnapshot | None] = []

    def closes(self, one: Flow, service: policy.ServiceSnapshot | None) -> str:
        self.services.append(service)
        return "NetworkPolicy web/shut" if one.address == VIP else ""


def explorer(network: Network, policies: Policies) -> PathExplorer:
    """Of one host."""
    return PathExplorer(
        cast(ConnectProbe, network),
        cast(PathProbe, network),
        [CLIENT],
        Timing(settle=5.0),
        cast(Recorder, None),
        cast(ExistingPolicies, policies),
    )


def test_paths_are_explored_once_small_packets_pass() -> None:
    """What policies close is neither waited for nor explored, and is kept with what closes it."""
    network, policies = Network(), Policies()
    found = explorer(network, policies).explore([flow(), THROUGH], {ECHO.name: SERVICE})
    assert network.log == ["1 small", "1 small", "1 explored by 1 hosts"]
    assert found.closed == ((THROUGH, "NetworkPolicy web/shut"),)
    assert [s.name for s in policies.services if s] == ["before", "before"]


def test_without_services_policies_are_asked_about_the_flow_itself() -> None:
    """As of what is dialled outside."""
    policies = Policies()
    explorer(Network(), policies).explore([flow()])
    assert policies.services == [None]
