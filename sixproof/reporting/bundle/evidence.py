"""What a bundle is made of: what the run holds anyway, and what was read for it."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping

from sixproof.agent.protocol import FilterSeen, NodeSeen
from sixproof.calico.state import CalicoState
from sixproof.kube.facts.diagnostics import Part
from sixproof.model import ClusterFacts, Endpoint, Family, Finding
from sixproof.probes.nodes.examination import Examination, NodeReading


@dataclasses.dataclass(frozen=True)
class RunEvidence:
    """All of it.

    `taken` is the API server's time when the parts were read. `readings` are what host agents said
    when the run began; what they said after the last test, where something failed, is in
    `examination` and is looked at first. `calico` is None where there is no Calico, or where it
    could not be read. `pods` are the run's probe pods, each with its addresses.
    """

    run_id: str
    harness: str
    taken: datetime.datetime
    facts: ClusterFacts
    findings: tuple[Finding, ...] = ()
    parts: tuple[Part, ...] = ()
    calico: CalicoState | None = None
    readings: tuple[NodeReading, ...] = ()
    pods: tuple[Endpoint, ...] = ()
    examination: Examination | None = None

    @property
    def node_readings(self) -> tuple[NodeReading, ...]:
        """The last reading of each node."""
        return tuple(self.examination.after) if self.examination else self.readings

    @property
    def nodes(self) -> Mapping[str, NodeSeen]:
        """What each node that answered said last."""
        return {r.node: r.seen for r in self.node_readings if r.seen is not None}

    @property
    def silent_nodes(self) -> Mapping[str, str]:
        """Why the others said nothing."""
        return {r.node: r.missing or "gave no answer" for r in self.node_readings if r.seen is None}

    @property
    def filters(self) -> Mapping[str, FilterSeen]:
        """The packet filter of each node of which it was read."""
        found = self.examination.filters if self.examination else ()
        return {f.node: f.after for f in found if not f.after.error}

    @property
    def families(self) -> tuple[Family, ...]:
        """The families that the cluster hands out to pods or services."""
        handed = {*self.facts.pod_families, *self.facts.service_families}
        return tuple(family for family in Family if family in handed)

    @property
    def has_calico(self) -> bool:
        """Whether the cluster has Calico's dataplane."""
        return self.facts.cni in ("Calico", "Canal")

    def part(self, name: str) -> Part | None:
        """A part that was read, None where it was not asked for."""
        return next((part for part in self.parts if part.name == name), None)
