"""Fail-safe ports: what no policy closes is green, what one closes is red at its family."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import pytest

from sixproof.checks.calico.failsafe_checks import FailsafeChecks
from sixproof.checks.connect.connectivity import Connectivity
from sixproof.checks.recorder import Recorder
from sixproof.errors import NotAsked, NotMeasured, VerdictError
from sixproof.kube.api.client import Cluster
from sixproof.model import Family, Flow, Observation, Outcome
from sixproof.probes.connect.probe import ConnectProbe, ProbeOptions
from sixproof.workloads.policy.guarded_host import GuardedHost
from sixproof.workloads.probe_pods.identity import Run
from tests.unit.checks.calico.felixes import FOUR, HOSTS, SIX, Kept

Rule = Callable[[Flow, bool], Outcome]
"""What comes of a flow, by whether the host is guarded."""
CLOSED = 6668


def as_it_should(flow: Flow, guarded: bool) -> Outcome:
    """The policy closes what is no fail-safe port."""
    return Outcome.DROPPED if guarded and flow.port == CLOSED else Outcome.REFUSED


class World:
    """Whether the host is guarded, and what comes of flows then."""

    def __init__(self, rule: Rule) -> None:
        self.guarded = False
        self.asked: list[ProbeOptions] = []
        self._rule = rule

    def measure_again(
        self, flows: Sequence[Flow], options: ProbeOptions, _: object
    ) -> tuple[Observation, ...]:
        """The outcomes now."""
        self.asked.append(options)
        return tuple(Observation(flow, self._rule(flow, self.guarded)) for flow in flows)

    @contextmanager
    def standing(self, _: object) -> Iterator[None]:
        """Guard the host for a while."""
        self.guarded = True
        try:
            yield
        finally:
            self.guarded = False


class Guarded:
    """A guarded host of which nothing is made."""

    def __init__(self, world: World) -> None:
        self._host = GuardedHost(Run("abc"), HOSTS[1], HOSTS[0], 6667, 6666, CLOSED)
        self.standing = world.standing

    def __getattr__(self, name: str) -> Any:
        return getattr(self._host, name)


def check(rule: Rule, families: Sequence[Family] = tuple(Family)) -> tuple[Kept, World]:
    kept, world = Kept(), World(rule)
    connectivity = Connectivity(cast(ConnectProbe, world), cast(Recorder, kept), 1.0)
    made = FailsafeChecks(
        cast(Cluster, None),
        cast(GuardedHost, Guarded(world)),
        connectivity,
        families,
        0.5,
        0.0,
    )
    try:
        made.must_stay_open()
    finally:
        assert not world.guarded
    return kept, world


def test_fail_safe_ports_that_stay_open_are_green() -> None:
    kept, world = check(as_it_should)
    before, after = (matrix for matrix, _ in kept.judged)
    assert len(before.cells) == len(after.cells) == 8, "two ports each way, over each family"
    assert {o.flow.source.node for o in after.observations()} == {"worker", "worker2"}
    assert all(options.closed and options.timeout == 0.5 for options in world.asked)


def closes_over_ipv6(flow: Flow, guarded: bool) -> Outcome:
    """Fail-safe ports are kept open over IPv4 alone."""
    lost = guarded and flow.family is SIX
    return Outcome.DROPPED if lost else as_it_should(flow, guarded)


def not_enforced_over_ipv6(flow: Flow, guarded: bool) -> Outcome:
    """The policy is not enforced over IPv6."""
    return as_it_should(flow, guarded and flow.family is FOUR)


def dropped_anyway(flow: Flow, guarded: bool) -> Outcome:
    """Something else drops a fail-safe port over IPv6."""
    lost = flow.family is SIX and flow.port == 6667
    return Outcome.DROPPED if lost else as_it_should(flow, guarded)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (closes_over_ipv6, "expected REFUSED"),
        (not_enforced_over_ipv6, "expected DROPPED"),
        (dropped_anyway, "expected REFUSED"),
    ],
)
def test_what_is_wrong_over_one_family_is_red_there(rule: Rule, words: str) -> None:
    with pytest.raises(VerdictError, match=words) as caught:
        check(rule)
    assert caught.value.families == {SIX}
    check(rule, [FOUR])


def test_a_port_at_which_somebody_listens_is_not_asked() -> None:
    with pytest.raises(NotAsked, match="something listens there"):
        check(lambda *_: Outcome.CORRUPTED)


def test_what_could_not_be_measured_is_no_verdict() -> None:
    with pytest.raises(NotMeasured):
        check(lambda *_: Outcome.UNKNOWN)
