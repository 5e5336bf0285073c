"""Connectivity: measure flows, keep every observation, compare with what must be."""

from __future__ import annotations

import concurrent.futures
import dataclasses
from collections.abc import Mapping, Sequence

from sixproof.checks.connect.carried import must_be_open, must_carry
from sixproof.checks.judged import require_right
from sixproof.checks.recorder import Recorder
from sixproof.errors import NotAsked
from sixproof.model import Edge, Expectation, Family, Flow, Matrix, MatrixKind, edge_of
from sixproof.probes.connect.probe import ConnectProbe, ProbeOptions, Witnesses
from sixproof.reporting.allure import steps
from sixproof.reporting.diagnosis import evidence
from sixproof.workloads.existing.policies import ExistingPolicies, Expect


def works(flow: Flow) -> Expectation:
    """No policy selects either end, so the flow is allowed (NetworkPolicy v1: pods are not isolated
    until a policy selects them)."""
    ends = {flow.source.name, flow.destination.name}
    return Expectation.allowed(f"no policy selects {' or '.join(sorted(ends))}")


class Connectivity:
    """Measures flows and judges them as one matrix.

    `patience` is --six-connect-timeout, `existing` what the policies of the cluster's owner make of
    flows; without them every flow must work of which a test says nothing else.
    """

    def __init__(
        self,
        probe: ConnectProbe,
        recorder: Recorder,
        patience: float,
        existing: ExistingPolicies | None = None,
    ) -> None:
        self._probe = probe
        self._recorder = recorder
        self._existing = existing
        self.patience = patience

    def measure(
        self,
        title: str,
        flows: Sequence[Flow],
        options: ProbeOptions | None = None,
        witnesses: Witnesses | None = None,
    ) -> Matrix:
        """One matrix of these flows.

        Skips the test where there is no flow to measure, saying so.
        """
        if not flows:
            raise NotAsked(f"{title}: the covered nodes offer no such pair", "--six-nodes")
        options = options or ProbeOptions(timeout=self.patience)
        with steps.step(f"When {len(flows)} flows are tried at once"):
            return Matrix.of(title, self._probe.measure_again(flows, options, witnesses))

    def measure_each(
        self, flows: Sequence[Flow], tries: Mapping[str, ProbeOptions]
    ) -> dict[str, Matrix]:
        """These flows in several ways at once, so that all silences wait together: a matrix for
        each, by its title.

        Skips the test where there is no flow to measure, saying so.
        """
        if not flows:
            raise NotAsked(
                f"{next(iter(tries))}: the covered nodes offer no such pair", "--six-nodes"
            )
        with (
            steps.step(f"When {len(flows)} flows are tried in {len(tries)} ways at once"),
            concurrent.futures.ThreadPoolExecutor(len(tries)) as pool,
        ):
            seen = pool.map(lambda one: self._probe.measure_again(flows, one), tries.values())
            return {title: Matrix.of(title, s) for title, s in zip(tries, seen, strict=True)}

    def carried_before(self, title: str, flows: Sequence[Flow]) -> list[Flow]:
        """The flows that work now: the control of a denial that is to come. Where those of a
        family are none, the test ends as not proven."""
        __tracebackhide__ = True
        matrix = self.measure(f"{title}, before anything is denied", flows)
        lost = [
            (o.flow, self.closes(o.flow) or f"nothing that is known, and yet {o.outcome}")
            for o in matrix.observations()
            if not o.outcome.works
        ]
        works = [o.flow for o in matrix.observations() if o.outcome.works]
        must_be_open(title, (flow.family for flow in works), lost)
        return works

    def closes(self, flow: Flow) -> str:
        """The policies of the cluster's owner that close a flow, "" where none does."""
        return "" if self._existing is None else self._existing.closes(flow)

    def check(
        self,
        matrix: Matrix,
        expect: Expect | None = None,
        *,
        headline: bool = False,
        brief: bool = False,
        context: Sequence[str] = (),
    ) -> None:
        """The matrix must be what is expected of every cell; `context` is reported where it is not.

        The existing policies of the cluster are consulted first, then `expect`: what they close
        reaches no server that could answer or refuse it. Where nothing is wrong and nothing of a
        family was carried, the test ends as not proven.

        Raises:
            VerdictError: it is not; the message is the evidence.
        """
        __tracebackhide__ = True
        wanted = expect or works
        if self._existing is not None:
            wanted = self._existing.first(expect) if expect else self._existing
        expected = self.hold(matrix, wanted, headline=headline, brief=brief, context=context)
        must_carry(matrix, expected)

    def hold(
        self,
        matrix: Matrix,
        expect: Expect,
        *,
        headline: bool = False,
        brief: bool = False,
        context: Sequence[str] = (),
    ) -> Mapping[tuple[Family, Edge], Expectation]:
        """The matrix must be what `expect` says, which knows of the existing policies; returns what
        was expected. A cell that such a policy closes and that could not be measured is left out:
        nothing is required of it.

        `brief` attaches a matrix of which nothing is wrong as text only: for tests of many.

        Raises:
            VerdictError: it is not; the message is the evidence.
        """
        __tracebackhide__ = True
        expected: Mapping[tuple[Family, Edge], Expectation] = {
            (o.flow.family, edge_of(o.flow)): expect(o.flow) for o in matrix.observations()
        }
        asked = {
            key: seen
            for key, seen in matrix.cells.items()
            if seen.outcome.measured or not expected[key].closed_by
        }
        judged = dataclasses.replace(matrix, cells=asked)
        wanted = {key: expected[key] for key in asked}
        self._recorder.matrix(judged, wanted, headline=headline)
        with steps.step("Then every cell is as expected"):
            steps.attach_matrix(judged, wanted, brief=brief)
            evidence.require(judged, wanted, context=context)
        return expected

    def must_show_clients(self, title: str, matrix: Matrix) -> None:
        """Each server saw the address that its client has, of every flow that was carried.

        Raises:
            VerdictError: one saw another address.
        """
        __tracebackhide__ = True
        seen = [o for o in matrix.observations() if o.outcome.works]
        wrong = {
            o.flow: f"the server saw {o.peer_saw}, the client has {own}"
            for o in seen
            if o.peer_saw != (own := o.flow.source.address(o.flow.family))
        }
        require_right(self._recorder, MatrixKind.SOURCES, title, seen, wrong)

    def must_work(
        self,
        title: str,
        flows: Sequence[Flow],
        options: ProbeOptions | None = None,
        witnesses: Witnesses | None = None,
        *,
        headline: bool = False,
    ) -> Matrix:
        """Measure flows that nothing but a policy of the cluster's owner may deny."""
        matrix = self.measure(title, flows, options, witnesses)
        self.check(matrix, headline=headline)
        return matrix
