"""Service checks: measure services from many clients, and judge which backend answered and which
client address it saw."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from sixproof.checks.connect.carried import must_be_open, parted
from sixproof.checks.connect.connectivity import Connectivity
from sixproof.checks.judged import SHOWN, require_right
from sixproof.checks.recorder import Recorder
from sixproof.checks.services.expected_targets import ExpectedTargets
from sixproof.errors import NotAsked
from sixproof.kube.api import wait
from sixproof.model import (
    Endpoint,
    Expectation,
    Family,
    Flow,
    Matrix,
    MatrixKind,
    Observation,
    Outcome,
)
from sixproof.probes.connect.convergence import FIRST, Converged, Measure, converge
from sixproof.probes.connect.probe import ConnectProbe, ProbeOptions
from sixproof.probes.connect.spread import CHANCE, Spread, worst_of
from sixproof.reporting.allure import steps
from sixproof.reporting.diagnosis import evidence
from sixproof.reporting.diagnosis.category import Category, one_family
from sixproof.workloads.existing.policies import ExistingPolicies
from sixproof.workloads.probe_pods.ports import PortSpec
from sixproof.workloads.services.mutable_service import Change
from sixproof.workloads.services.routing import ServiceTarget, flows_to
from sixproof.workloads.services.source import Translation

QUICK = 12
"""Connections of a flow in a cheap round of convergence: three backends are all hit in 98 of 100
rounds."""
REFUSALS = 7
"""Datagrams of a flow that must be refused."""
WATCHED = 20
"""Connections of a flow whose source address is looked at."""


class ServiceChecks:
    """Dials services and judges the outcome.

    `settle` are the seconds that a change may take, `silence` those of a flow that must be denied.
    """

    def __init__(
        self,
        connectivity: Connectivity,
        probe: ConnectProbe,
        recorder: Recorder,
        families: tuple[Family, ...],
        settle: float,
        silence: float,
        existing: ExistingPolicies | None = None,
    ) -> None:
        self._existing = existing
        self._connectivity = connectivity
        self._probe = probe
        self._recorder = recorder
        self._families = families
        self._settle = settle
        self._silence = silence

    def must_answer(
        self,
        title: str,
        clients: Iterable[Endpoint],
        targets: Iterable[ServiceTarget],
        *,
        headline: bool = False,
    ) -> Matrix:
        """Every client dials every port of every target once, over every family.

        Raises:
            VerdictError: a cell is not what the target's backends and traffic policy make of it.
        """
        expected_targets = self._expecting(targets)
        flows = flows_to(clients, expected_targets.targets.values(), self._families)
        with self._carrying(title, expected_targets, flows):
            sure = [
                f for f in flows if expected_targets.gate(f).open or expected_targets.gate(f).closed
            ]
            matrix = Matrix.of(title, self._measure(title, expected_targets, sure))
            self._connectivity.hold(matrix, expected_targets.expectation, headline=headline)
        return matrix

    def must_reach_every_backend(
        self, title: str, clients: Iterable[Endpoint], targets: Iterable[ServiceTarget]
    ) -> None:
        """So many connections a flow that missing a backend by chance is less likely than 1e-9.

        Raises:
            VerdictError: a connection failed, or a backend that may answer never did, or another
                one did.
        """
        expected_targets = self._expecting(targets)
        flows = flows_to(clients, expected_targets.targets.values(), self._families)
        with self._carrying(title, expected_targets, flows) as opened:
            repeated = [f for f in opened for _ in range(expected_targets.connections(f))]
            self._judge(title, expected_targets, self._measure(title, expected_targets, repeated))

    def must_show_source(
        self,
        title: str,
        clients: Iterable[Endpoint],
        targets: Iterable[ServiceTarget],
        translation: Translation,
    ) -> None:
        """The server must see the address that kube-proxy, CNI and traffic policy leave or put in.

        Raises:
            VerdictError: a connection failed, or a server saw another address.
        """
        expected_targets = self._expecting(targets)
        flows = flows_to(clients, expected_targets.targets.values(), self._families)
        answered = [f for f in flows if expected_targets.target(f).candidates(f.source)]
        with self._carrying(title, expected_targets, answered) as opened:
            seen = self._measure(
                title, expected_targets, [f for f in opened for _ in range(WATCHED)]
            )
            wrong = {
                o.flow: said
                for o in seen
                if (said := _wrong_source(o, expected_targets, translation)) is not None
            }
            odd = {o.flow: o for o in seen if o.flow in wrong and o.peer_saw is not None}
            matrix, context = Matrix.of(title, worst_of(seen)), list(wrong.values())[:3]
            self._connectivity.hold(matrix, expected_targets.expectation, context=context)
            last = {o.flow: o for o in seen if o.flow not in wrong} | odd
            require_right(self._recorder, MatrixKind.SOURCES, title, last.values(), wrong)
            _something_was_compared(title, seen, expected_targets, translation)

    def must_keep_one_backend(
        self, title: str, clients: Iterable[Endpoint], target: ServiceTarget
    ) -> None:
        """The backend that a flow's first connection reached must take all that follow.

        Raises:
            VerdictError: a connection failed, or another backend answered.
        """
        if len(target.backends) < 2:
            raise NotAsked(f"{title}: every proxy has one backend to choose from", "--six-nodes")
        expected_targets = self._expecting([target])
        flows = flows_to(clients, [target], self._families)
        with self._carrying(title, expected_targets, flows) as opened:
            drawn = self._draw(title, expected_targets, opened)
            repeated = [f for f in opened for _ in range(expected_targets.connections(f))]
            later = Spread.of(self._measure(title, expected_targets, repeated))
            misses = later.misses(lambda flow: [drawn[flow]])
            self._require(MatrixKind.BACKENDS, title, misses, opened)

    def must_draw_anew(
        self, title: str, clients: Iterable[Endpoint], target: ServiceTarget, *, silence: float
    ) -> None:
        """After `silence` seconds some flow of each family must reach another backend than before.

        Raises:
            VerdictError: a connection failed, or none of a family reached another backend.
        """
        expected_targets = self._expecting([target])
        flows = flows_to(clients, [target], self._families)
        with self._carrying(title, expected_targets, flows) as opened:
            draws = min(Counter(f.family for f in opened).values(), default=0)
            if len(target.backends) ** -draws > CHANCE:
                raise NotAsked(f"{title}: {draws} draws show nothing", "--six-nodes")
            before = self._draw(title, expected_targets, opened)
            end = time.monotonic() + silence
            wait.until(time.monotonic, lambda now: now >= end, timeout=silence + 1)
            after = self._draw(title, expected_targets, opened)
            moved = {f.family for f in opened if after[f] != before[f]}
            kept = {f: f"still at {after[f]}" for f in opened if f.family not in moved}
            self._require(MatrixKind.BACKENDS, title, kept, opened)

    def _expecting(self, targets: Iterable[ServiceTarget], former: int = 0) -> ExpectedTargets:
        return ExpectedTargets.of(targets, former, self._existing)

    @contextlib.contextmanager
    def _carrying(
        self, title: str, expected_targets: ExpectedTargets, flows: Sequence[Flow]
    ) -> Iterator[tuple[Flow, ...]]:
        """The flows that no policy of the cluster's owner closes. Where a family has none, what
        is left is measured, and then the test ends as not proven.

        A flow that no backend may answer proves nothing where others are answered."""
        opened, closed = parted(self._some(title, flows), expected_targets.closed_by)
        answered = [f for f in flows if expected_targets.target(f).candidates(f.source)]
        families = [f.family for f in opened if f in answered or not answered]
        if not families:
            must_be_open(title, (), closed)
        yield opened
        must_be_open(title, families, closed)

    def _draw(
        self, title: str, expected_targets: ExpectedTargets, flows: Sequence[Flow]
    ) -> dict[Flow, str]:
        """Who answers one connection of each flow."""
        seen = self._measure(title, expected_targets, flows)
        self._connectivity.hold(Matrix.of(title, seen), expected_targets.expectation)
        return {o.flow: o.answered_by for o in seen}

    def must_converge(
        self,
        change: Change,
        clients: Sequence[Endpoint],
        *,
        source_port: int = 0,
        port_specs: Sequence[PortSpec] | None = None,
    ) -> None:
        """Make a change; soon after, every client must reach the target as changed.

        Before it, every client must reach the target as it was. The time that it took is recorded,
        per family. With a `source_port` every flow is one connection, always from that port.

        Raises:
            VerdictError: it was not so within the settle time-out; the message holds the last
                round.
        """
        if change.before is not None:
            before = f"before: {change.what}"
            self._follow(before, change.before, clients, port_specs, source_port)
        began = time.monotonic()
        with steps.step(f"When {change.what}"):
            after = change.make()
        former = len(change.before.backends) if change.before else 0
        converged = self._follow(
            change.what, after, clients, port_specs, source_port, began, former
        )
        for family, seconds in converged.seconds.items():
            self._recorder.convergence(change.what, seconds, family, converged.rounds)

    def _follow(
        self,
        title: str,
        target: ServiceTarget,
        clients: Sequence[Endpoint],
        port_specs: Sequence[PortSpec] | None,
        source_port: int,
        began: float | None = None,
        former: int = 0,
    ) -> Converged:
        """Rounds until every family is as it must be, and the judgement of the last one."""
        expected_targets = self._expecting([target], former)
        flows = flows_to(clients, [target], self._families, port_specs)
        with self._carrying(title, expected_targets, flows) as opened:
            return self._converged(title, expected_targets, opened, source_port, began)

    def _converged(
        self,
        title: str,
        expected_targets: ExpectedTargets,
        flows: Sequence[Flow],
        source_port: int,
        began: float | None,
    ) -> Converged:
        (target,) = expected_targets.targets.values()
        final = self._options(expected_targets.expectation(flows[0]))

        def measure(times: Callable[[Flow], int]) -> Measure:
            chosen = [f for f in flows for _ in range(1 if source_port else times(f))]
            return lambda timeout: self._probe.measure(
                chosen,
                dataclasses.replace(final, timeout=timeout, source_port=source_port),
                expected_targets.witnesses(),
            )

        converged = converge(
            measure(lambda flow: QUICK if expected_targets.candidates(flow) else 1),
            expected_targets.agrees,
            began=time.monotonic() if began is None else began,
            deadline=self._settle,
            patience=final.timeout,
            first=FIRST if target.backends else final.timeout,
            confirm=measure(expected_targets.connections),
            sure=began is None or not target.backends,  # a start, or rounds that were patient
        )
        self._judge(title, expected_targets, converged.observations, [str(converged)])
        if late := [f for f in converged.families if f not in converged.seconds]:
            text = f"{title}: {' and '.join(late)} did not settle in {self._settle:.0f} s"
            raise evidence.wrong(f"{text}; {converged}", late, _category(late, flows))
        return converged

    def _measure(
        self, title: str, expected_targets: ExpectedTargets, flows: Sequence[Flow]
    ) -> tuple[Observation, ...]:
        groups: defaultdict[ProbeOptions, list[Flow]] = defaultdict(list)
        for flow in self._some(title, flows):
            groups[self._options(expected_targets.expectation(flow))].append(flow)
        with steps.step(f"When {len(flows)} flows are tried at once"):
            return tuple(
                o
                for options, chosen in groups.items()
                for o in self._probe.measure_again(chosen, options, expected_targets.witnesses())
            )

    def _options(self, expected: Expectation) -> ProbeOptions:
        """A silence gets only the time of a denial, a refusal more than usual: kernels rate-limit
        ICMP errors, and one that arrives ends the wait."""
        if expected.outcomes == {Outcome.DROPPED}:
            return ProbeOptions(timeout=self._silence)
        if Outcome.REFUSED in expected.outcomes:
            return ProbeOptions(timeout=self._connectivity.patience * 2, attempts=REFUSALS)
        return ProbeOptions(timeout=self._connectivity.patience)

    def _some(self, title: str, flows: Sequence[Flow]) -> Sequence[Flow]:
        """The flows; without any the test is skipped, saying so."""
        if not flows:
            raise NotAsked(f"{title}: the covered nodes offer no such pair", "--six-nodes")
        return flows

    def _judge(
        self,
        title: str,
        expected_targets: ExpectedTargets,
        seen: Sequence[Observation],
        context: Sequence[str] = (),
    ) -> None:
        """Outcomes first: a backend that never answered matters only if all flows were answered."""
        spread = Spread.of(seen)
        lines = [*spread.lost(expected_targets.candidates)[:SHOWN], *context]
        matrix = Matrix.of(title, worst_of(seen))
        self._connectivity.hold(matrix, expected_targets.expectation, context=lines)
        misses = spread.misses(expected_targets.candidates)
        self._require(MatrixKind.BACKENDS, title, misses, [o.flow for o in seen])

    def _require(
        self, kind: MatrixKind, title: str, wrong: Mapping[Flow, str], flows: Sequence[Flow]
    ) -> None:
        """None of these flows is wrong; the outcome of each is noted."""
        __tracebackhide__ = True
        seen = [Observation(flow, Outcome.ALLOWED) for flow in flows]
        require_right(self._recorder, kind, title, seen, wrong)


def _wrong_source(
    seen: Observation, expected_targets: ExpectedTargets, translation: Translation
) -> str | None:
    """What is wrong about the address that the server saw, None where it is right or unknown."""
    backend, flow = expected_targets.backend(seen), seen.flow
    if backend is None:
        return None
    wanted = translation.source(flow.source, expected_targets.target(flow), backend, flow.family)
    if not wanted.addresses or seen.peer_saw in wanted.addresses:
        return None
    allowed = " or ".join(sorted(map(str, wanted.addresses)))
    return f"{backend.name} saw {seen.peer_saw}, expected {allowed} ({wanted.because})"


def _something_was_compared(
    title: str,
    seen: Iterable[Observation],
    expected_targets: ExpectedTargets,
    translation: Translation,
) -> None:
    """Skips the test where the expected client address is known for no flow."""
    reasons: dict[str, None] = {}
    for o in seen:
        if (backend := expected_targets.backend(o)) is not None:
            wanted = translation.source(
                o.flow.source, expected_targets.target(o.flow), backend, o.flow.family
            )
            if wanted.addresses:
                return
            reasons[wanted.because] = None
    why = "; ".join(reasons) or "no backend is known to have answered"
    raise NotAsked(f"{title}: no source address could be compared: {why}")


def _category(wrong: Iterable[Family], flows: Iterable[Flow]) -> Category:
    return one_family(wrong, {f.family for f in flows}) or Category.BOTH
