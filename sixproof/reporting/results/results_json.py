"""results.json: everything that a run saw, under a versioned schema.

Consumers check ``schema`` first. Within ``sixproof/results/v2`` members are only added; a member
that would change its meaning makes a v3. The first version is read, too.
"""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from sixproof import records
from sixproof.errors import RecordError, UsageError
from sixproof.model import ClusterFacts, Family, Finding, merged_findings
from sixproof.probes.nodes.examination import Examination, FailureReading
from sixproof.reporting.results.application_record import ApplicationRow
from sixproof.reporting.results.ledger import Ledger
from sixproof.reporting.results.matrices import first_version, tabled
from sixproof.reporting.results.matrices.measured import Measured
from sixproof.reporting.results.matrices.tables import TableWriter
from sixproof.reporting.results.part_files import PartFiles
from sixproof.reporting.results.test_record import Case, CaseOutcome, Convergence, RunRecord

SCHEMA = tabled.SCHEMA
"""What is written."""
SCHEMAS = (first_version.SCHEMA, SCHEMA)
"""What is read."""


@records.Form(
    lambda name: "tests" if name == "cases" else name,
    objects=("environment",),
    read=tabled.with_tables,
)
@dataclasses.dataclass(frozen=True)
class Results:
    """One run. `environment` are the pairs of environment.properties, `damaged` what was lost,
    `examination` what nodes said at its end where something failed, `failures` what they said at
    the moment at which a test did. `applications` are ports of the owner's services."""

    run: RunRecord
    environment: tuple[tuple[str, str], ...] = ()
    facts: ClusterFacts | None = None
    findings: tuple[Finding, ...] = ()
    cases: tuple[Case, ...] = ()
    convergences: tuple[Convergence, ...] = ()
    matrices: tuple[Measured, ...] = ()
    damaged: tuple[str, ...] = ()
    examination: Examination | None = None
    failures: tuple[FailureReading, ...] = ()
    applications: tuple[ApplicationRow, ...] = ()

    @classmethod
    def of(
        cls,
        run: RunRecord,
        parts: PartFiles,
        *,
        environment: Iterable[tuple[str, str]] = (),
        facts: ClusterFacts | None = None,
        cases: Iterable[Case] | None = None,
    ) -> Results:
        """The results of a run from its workers' parts.

        `facts` and `cases`, where the controller knows them, take precedence over the parts'.
        """
        return cls(
            run=run,
            environment=tuple(environment),
            facts=facts or parts.facts,
            findings=merged_findings(parts.findings),
            cases=parts.cases if cases is None else tuple(cases),
            convergences=parts.convergences,
            matrices=parts.matrices,
            damaged=parts.damaged,
            failures=parts.failures,
            applications=parts.applications,
        )

    def examined(self, examination: Examination | None) -> Results:
        """The same with what nodes and the cluster say at the end."""
        new = examination.findings if examination else ()
        findings = merged_findings((*self.findings, *new))
        return dataclasses.replace(self, examination=examination, findings=findings)

    def counts(self) -> Counter[CaseOutcome]:
        """How many cases ended how."""
        return Counter(case.outcome for case in self.cases)

    def failing(self) -> bool:
        """Whether some test failed or broke that is about the network."""
        return any(case.outcome.bad and case.about_the_network for case in self.cases)

    def limits(self) -> tuple[Case, ...]:
        """The tests that failed as is known of this cluster: reported, but not as faults."""
        return tuple(c for c in self.cases if c.outcome is CaseOutcome.XFAILED)

    def unexcused(self) -> tuple[Measured, ...]:
        """The matrices whose wrong cells are faults: all but those of such tests."""
        return self._of_limits(False)

    def excused(self) -> tuple[Measured, ...]:
        """The matrices of such tests."""
        return self._of_limits(True)

    def _of_limits(self, wanted: bool) -> tuple[Measured, ...]:
        known = {case.nodeid for case in self.limits()}
        return tuple(m for m in self.matrices if (m.test in known) is wanted)

    def families(self) -> tuple[Family, ...]:
        """The families to report on: what pods have or was measured, and always IPv6."""
        known = {Family.IPV6, *(self.facts.pod_families if self.facts else ())}
        known |= {f for measured in self.matrices for f in measured.matrix.families()}
        return tuple(f for f in Family if f in known)

    def ledger(self) -> Ledger:
        """Which rows of the guide the run covered."""
        return Ledger.of(self.cases)

    def _but_matrices(self) -> dict[str, Any]:
        """The file without its matrices; `ledger` and `counts` are derived and not read back."""
        return {
            "schema": SCHEMA,
            "run": records.to_json(self.run),
            "counts": {outcome.value: self.counts()[outcome] for outcome in CaseOutcome},
            "environment": dict(self.environment),
            "facts": records.to_json(self.facts),
            "findings": list(map(records.to_json, self.findings)),
            "tests": list(map(records.to_json, self.cases)),
            "convergences": list(map(records.to_json, self.convergences)),
            "ledger": self.ledger().to_json(),
            "damaged": list(self.damaged),
            **records.full({"examination": records.to_json(self.examination)}),
            **records.full({"applications": list(map(records.to_json, self.applications))}),
            **records.full({"failures": list(map(records.to_json, self.failures))}),
        }

    def write(self, path: Path) -> None:
        """Write the file, whole or not at all; a test, a finding and a matrix take a line each.

        The tables come last: they are known when the last matrix has been written.

        Raises:
            OSError: it cannot be written.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".json.part")
        tables = TableWriter()
        matrices = (tabled.written(measured, tables) for measured in self.matrices)
        members = {**self._but_matrices(), "matrices": matrices, **tables.written()}
        with draft.open("w", encoding="utf-8") as stream:
            stream.writelines(_laid_out(members))
        draft.replace(path)

    @classmethod
    def read(cls, path: Path) -> Results:
        """The results of a file.

        Raises:
            UsageError: there is no such file, its schema is another one, or it is not of its form.
        """
        try:
            value = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UsageError(f"{path}: cannot be read: {error}") from error
        if not isinstance(value, dict):
            raise UsageError(f"{path}: not an object")
        schema = value.get("schema")
        if schema not in SCHEMAS:
            sentence = f"schema is {schema!r}, this version reads {' and '.join(SCHEMAS)}"
            raise UsageError(f"{path}: {sentence}")
        try:
            return records.from_json(cls, value)
        except RecordError as error:
            raise UsageError(f"{path}: not of the schema {schema}: {error}") from error


_dumps = json.JSONEncoder(separators=(",", ":")).encode


def _laid_out(value: dict[str, Any]) -> Iterator[str]:
    """JSON with a line a member, and a line an element of a list, for diff and grep."""
    for number, (key, member) in enumerate(value.items()):
        yield f"{',' if number else '{'}\n {_dumps(key)}: "
        if isinstance(member, Iterator) or (isinstance(member, list) and member):
            yield "["
            for place, element in enumerate(member):
                yield f"{',' if place else ''}\n  {_dumps(element)}"
            yield "\n ]"
        else:
            yield _dumps(member)
    yield "\n}\n"
