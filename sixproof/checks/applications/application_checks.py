"""Application checks: the owner's applications, asked twice where something is wrong with them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from sixproof.checks.applications import judging
from sixproof.checks.applications.asking import Dialling, DialResult
from sixproof.checks.applications.judging import OF_THE_NETWORK, Judged
from sixproof.checks.recorder import Recorder
from sixproof.errors import NotAsked, VerdictError
from sixproof.kube.api import wait
from sixproof.model import Family, Finding, Severity
from sixproof.reporting.allure import steps
from sixproof.reporting.diagnosis.category import Category, class_line
from sixproof.workloads.existing.applications import Application

SHOWN = 12
"""Sentences of one message."""
AGAIN = 3
"""Looks at applications that seem sick: a roll-out ends, and slices follow their pods."""

Reading = Callable[[], Sequence[Application]]


class ApplicationChecks:
    """What one run requires of the owner's applications. `families` are measured, the
    `service_families` of them are those that the cluster gives to services; `patience` are the
    seconds in which what seems wrong may become right."""

    def __init__(
        self,
        dialling: Dialling,
        families: Sequence[Family],
        service_families: Sequence[Family],
        recorder: Recorder,
        patience: float,
    ) -> None:
        self._dialling = dialling
        self._families = families
        self._service_families = [f for f in families if f in service_families]
        self._recorder = recorder
        self._patience = patience

    def must_work(self, read: Reading) -> None:
        """Nothing keeps an application from working over each family, for as long as it is looked
        at; what was found is kept for the report.

        Raises:
            VerdictError: something does; the message has a sentence for each.
            NotAsked: there is no application, or none could be asked.
            ApiError: they cannot be read.
        """
        __tracebackhide__ = True
        with steps.step("When each port is connected to over each family"):
            judged = self._judged(read)
        rows = [row for rows, _ in judged.values() for row in rows]
        findings = [finding for _, found in judged.values() for finding in found]
        for row in rows:
            self._recorder.application(row)
        for finding in findings:
            self._recorder.finding(finding)
        wrong = [f for f in findings if f.severity is Severity.ERROR]
        with steps.step("Then every application accepts connections over every family"):
            if wrong:
                raise _verdict(wrong)
            if not any(row.ways for row in rows):
                said = "none could be asked" if rows else "there is no service with a port"
                raise NotAsked(f"your applications: {said}")

    def _judged(self, read: Reading) -> dict[str, Judged]:
        """By application; those with which something is wrong as they are after a second look."""
        judged = self._look(read())
        sick = {name for name, found in judged.items() if found[1]}
        if sick:
            later = wait.until(
                lambda: self._look(a for a in read() if a.called in sick),
                lambda seen: not any(found for _, found in seen.values()),
                timeout=self._patience,
                first=self._patience / AGAIN,
                longest=self._patience / AGAIN,
            ).value
            judged = {n: f for n, f in judged.items() if n not in sick} | later
        return judged

    def _look(self, found: Iterable[Application]) -> dict[str, Judged]:
        those = tuple(found)
        of_each: defaultdict[str, list[DialResult]] = defaultdict(list)
        for one in self._dialling.ask(those):
            of_each[one.dial.application.called].append(one)
        return {
            one.called: judging.judge(
                one, of_each[one.called], self._families, self._service_families
            )
            for one in those
        }


def _verdict(wrong: Sequence[Finding]) -> VerdictError:
    """Red for the applications; only where the network may be at fault is it left in doubt."""
    network = {one.code for one in OF_THE_NETWORK}
    doubtful = any(finding.code in network for finding in wrong)
    classes = [Category.BOTH] if doubtful else [Category.APPLICATION]
    lines = [f"{f.subject} {f.seen} ({f.remedy})" for f in wrong[:SHOWN]]
    if len(wrong) > SHOWN:
        lines.append(f"... and {len(wrong) - SHOWN} more, see the table of applications")
    subjects = [finding.about for finding in wrong]
    return VerdictError("\n".join([*lines, class_line(classes)]), (), classes, subjects=subjects)
