"""Expected targets: what flows dial, by name; their expected outcome, and which pods may answer."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from sixproof.model import Endpoint, Expectation, Flow, Observation, Outcome
from sixproof.probes.connect.spread import Spread, connections
from sixproof.workloads.existing.policies import ExistingPolicies
from sixproof.workloads.existing.service_gates import Gate, gate
from sixproof.workloads.services.routing import ServiceTarget


@dataclasses.dataclass(frozen=True)
class ExpectedTargets:
    """Targets by the name of their endpoint: the outcome of a flow, and which pods may answer it.

    `former` is how many backends a target had before a change: one that lingers must be hit.
    `existing` are the policies of the cluster's owner; without them every flow is open.
    """

    targets: Mapping[str, ServiceTarget]
    former: int = 0
    existing: ExistingPolicies | None = None
    gates: dict[Flow, Gate] = dataclasses.field(default_factory=dict, compare=False)

    @classmethod
    def of(
        cls,
        targets: Iterable[ServiceTarget],
        former: int = 0,
        existing: ExistingPolicies | None = None,
    ) -> ExpectedTargets:
        """These targets by name; two of one name are a mistake of the caller."""
        listed = tuple(targets)
        by_name = {t.endpoint.name: t for t in listed}
        if len(by_name) != len(listed):
            raise ValueError("two targets have one name")
        return cls(by_name, former, existing)

    def target(self, flow: Flow) -> ServiceTarget:
        """What a flow dials."""
        return self.targets[flow.destination.name]

    def expectation(self, flow: Flow) -> Expectation:
        """The outcome that a flow must have under the existing policies."""
        return self.gate(flow).expectation(self.target(flow).expectation(flow.source))

    def gate(self, flow: Flow) -> Gate:
        """What the existing policies say of a flow."""
        if self.existing is None:
            return Gate(())
        found = self.gates.get(flow)
        if found is None:
            found = self.gates[flow] = gate(self.existing, flow, self.target(flow))
        return found

    def closed_by(self, flow: Flow) -> str:
        """The policies that close a flow, be it to some of its backends only; "" if it is open."""
        return self.gate(flow).closed_by

    def candidates(self, flow: Flow) -> tuple[str, ...]:
        """The names of the pods that may answer, none where the flow must be denied."""
        works = Outcome.ALLOWED in self.expectation(flow).outcomes
        return tuple(b.pod for b in self.target(flow).candidates(flow.source)) if works else ()

    def connections(self, flow: Flow) -> int:
        """How many connections hit every backend that may answer, and any other one of the target
        that might (see `spread.connections`); one where none may."""
        known = max(len(self.target(flow).backends), self.former)
        return connections(known) if self.candidates(flow) else 1

    def witnesses(self) -> dict[str, tuple[Endpoint, ...]]:
        """The endpoints whose arrival logs are evidence for each target."""
        return {name: t.backends for name, t in self.targets.items()}

    def backend(self, seen: Observation) -> Endpoint | None:
        """The backend that answered."""
        return next((b for b in self.target(seen.flow).backends if b.pod == seen.answered_by), None)

    def agrees(self, observations: Sequence[Observation]) -> bool:
        """Whether all are as expected and every backend that may answer did."""
        return all(
            o.outcome in self.expectation(o.flow).outcomes for o in observations
        ) and not Spread.of(observations).misses(self.candidates)
