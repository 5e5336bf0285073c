"""Fail-safe ports: what no policy closes on a host that a HostEndpoint guards."""

from __future__ import annotations

from collections.abc import Sequence

from sixproof.checks.connect.connectivity import Connectivity
from sixproof.errors import NotAsked
from sixproof.kube.api import wait
from sixproof.kube.api.client import Cluster
from sixproof.model import (
    Endpoint,
    Expectation,
    Family,
    Flow,
    Matrix,
    Outcome,
    Protocol,
    edge_of,
)
from sixproof.probes.connect.probe import ProbeOptions
from sixproof.reporting.allure import steps
from sixproof.workloads.policy.guarded_host import GuardedHost

TITLE = "fail-safe ports of a guarded host"
_REFUSED = frozenset({Outcome.REFUSED})
_DROPPED = frozenset({Outcome.DROPPED})
_ANSWERED = (Outcome.ALLOWED, Outcome.CORRUPTED, Outcome.MISROUTED)


class FailsafeChecks:
    """Asks for ports of a guarded host. `silence` is the deny time-out, `settle` what a policy may
    take, in seconds."""

    def __init__(
        self,
        cluster: Cluster,
        guarded: GuardedHost,
        connectivity: Connectivity,
        families: Sequence[Family],
        silence: float,
        settle: float,
    ) -> None:
        self._cluster = cluster
        self._guarded = guarded
        self._connectivity = connectivity
        self._families = tuple(families)
        self._options = ProbeOptions(timeout=silence, closed=True)
        self._settle = settle

    def must_stay_open(self) -> None:
        """Under a policy that denies a fail-safe port and another one, to the host and from it, the
        first is refused by the host itself, as before, and the other is silent, over each family.

        Raises:
            VerdictError: the policy closes a fail-safe port, or does not close the other one; or
                one of them does not refuse before there is a policy.
            NotAsked: something listens on one of the ports, or no host may be guarded.
        """
        flows = self._flows()
        before = self._connectivity.measure(f"{TITLE}, before", flows, self._options)
        for seen in before.observations():
            if seen.outcome in _ANSWERED:
                raise NotAsked(f"something listens there: {seen.flow}", "a port that is not used")
        with steps.step("Then all of these ports are closed without a host endpoint"):
            self._connectivity.hold(before, _as_a_closed_port)
        expected = {(f.family, edge_of(f)): self._expected(f) for f in flows}

        def as_expected(matrix: Matrix) -> bool:
            return not matrix.disagreements(expected)

        with self._guarded.standing(self._cluster):
            matrix = wait.until(
                lambda: self._connectivity.measure(TITLE, flows, self._options),
                as_expected,
                timeout=self._settle,
            ).value
        with steps.step("Then fail-safe ports are as they were, and the other one is closed"):
            self._connectivity.hold(matrix, self._expected)

    def _flows(self) -> list[Flow]:
        guarded = self._guarded
        asked: tuple[tuple[Endpoint, Endpoint, int], ...] = (
            (guarded.peer, guarded.host, guarded.inbound),
            (guarded.peer, guarded.host, guarded.closed),
            (guarded.host, guarded.peer, guarded.outbound),
            (guarded.host, guarded.peer, guarded.closed),
        )
        flows = [
            Flow(source, there, address, Protocol.TCP, port)
            for source, there, port in asked
            for family in self._families
            if source.address(family) and (address := there.address(family))
        ]
        if not flows:
            raise NotAsked("the nodes have no address of the families that are measured")
        return flows

    def _expected(self, flow: Flow) -> Expectation:
        if flow.port == self._guarded.closed:
            because = f"GlobalNetworkPolicy {self._guarded.name} denies it"
            return Expectation(_DROPPED, because, by_policy=True)
        return Expectation(
            _REFUSED, "a fail-safe port, which no policy closes; nothing listens there"
        )


def _as_a_closed_port(_: Flow) -> Expectation:
    return Expectation(_REFUSED, "nothing listens there, and no host endpoint guards the node")
