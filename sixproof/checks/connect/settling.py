"""Settling: flows are tried until each is as it must be, before anything is judged."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence

from sixproof.checks.connect.carried import parted
from sixproof.checks.recorder import Recorder
from sixproof.kube.api import wait
from sixproof.model import QUICK_ATTEMPTS, Flow, Observation, Timing
from sixproof.probes.connect.convergence import Converged, converge
from sixproof.probes.connect.probe import ConnectProbe, ProbeOptions, Witnesses
from sixproof.reporting.allure import steps

QUICK = ProbeOptions(timeout=1.0, attempts=QUICK_ATTEMPTS)
"""How a flow is tried meanwhile: its small packets leave the path MTU as it is."""
NEW_PODS = "flows of new pods opened"
"""What the time until then is called in the report."""


def settle(
    probe: ConnectProbe,
    flows: Sequence[Flow],
    as_wanted: Callable[[Observation], bool],
    timing: Timing,
) -> None:
    """Return once every flow is as wanted, and at the latest after the settle time-out."""
    wait.until(
        lambda: probe.measure(flows, QUICK),
        lambda seen: all(map(as_wanted, seen)),
        timeout=timing.settle,
    )


def until_programmed(
    probe: ConnectProbe,
    flows: Sequence[Flow],
    timing: Timing,
    witnesses: Witnesses | None = None,
) -> Converged:
    """Give what programs a new service time until every flow to it works, at most the settle
    time-out. No flow is judged here: the tests do that."""
    return converge(
        lambda timeout: probe.measure(flows, ProbeOptions(timeout=timeout), witnesses),
        _all_work,
        began=time.monotonic(),
        deadline=timing.settle,
        patience=timing.connect,
        confirm=lambda _: (),
    )


class Settling:
    """Waits for new pods: the first connection of a Ready pod may be lost until every node has
    programmed its route and its policies. For tests that ask something else.

    `closes` names the policies of the cluster's owner that close a flow, `seconds` is
    --six-settle-timeout.
    """

    def __init__(
        self, probe: ConnectProbe, recorder: Recorder, closes: Callable[[Flow], str], seconds: float
    ) -> None:
        self._probe = probe
        self._recorder = recorder
        self._closes = closes
        self._seconds = seconds

    def wait(self, flows: Sequence[Flow]) -> str:
        """Return once all that no policy closes is open, twice in a row, or after the settle
        time-out; the test itself judges. The time is recorded, and returned as a line for the
        failure message; "" where nothing was dialled."""
        opened, _ = parted(flows, self._closes)
        if not opened:
            return ""
        with steps.step(f"Given {len(opened)} flows of new pods have had their time to open"):
            converged = converge(
                lambda timeout: self._probe.measure(opened, _quick(timeout)),
                _all_work,
                began=time.monotonic(),
                deadline=self._seconds,
                patience=QUICK.timeout,
                first=QUICK.timeout,
                sure=True,
            )
        for family, seconds in sorted(converged.seconds.items()):
            self._recorder.convergence(NEW_PODS, seconds, family, converged.rounds)
        return f"waited for new pods: {converged}"


def _all_work(seen: Sequence[Observation]) -> bool:
    return all(o.outcome.works for o in seen)


def _quick(timeout: float) -> ProbeOptions:
    return dataclasses.replace(QUICK, timeout=timeout, handshakes=False)
