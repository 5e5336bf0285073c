"""What surrounds policies that are tried: those of the cluster's owner, what flows must do under
both, and what remains observable. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from sixproof.checks.connect.carried import must_be_open, must_change
from sixproof.model import EndpointKind, Expectation, Family, Flow, edge_of
from sixproof.policy import ClusterSnapshot, Oracle, ProviderProfile
from sixproof.workloads.existing.policies import closed_by, decided_by
from sixproof.workloads.policy.cases import Manifest

NAMED = ("Tier", "GlobalNetworkSet", "NetworkSet")
"""Kinds that policies name, and that close nothing by themselves."""
Flows = Sequence[Flow]


@dataclasses.dataclass(frozen=True, slots=True)
class InForce:
    """The policies in place, and the flows that are judged under them. `snapshot` is the cluster
    where it differs from that of the surroundings."""

    policies: Sequence[Manifest]
    flows: Flows
    snapshot: ClusterSnapshot | None = None

    def without_policies(self) -> InForce:
        """The same flows under the policies of the owner alone."""
        return dataclasses.replace(self, policies=())


@dataclasses.dataclass(frozen=True)
class Surroundings:
    """What does not change while policies do; `existing` are those of the cluster's owner."""

    snapshot: ClusterSnapshot
    profile: ProviderProfile
    existing: tuple[Manifest, ...]
    values: Mapping[str, str]
    families: tuple[Family, ...]

    def expected(self, in_force: InForce) -> dict[Flow, Expectation]:
        """What the oracle says of each flow under these policies and those of the owner; what the
        owner's close by themselves is marked so."""
        oracle = self._oracle(in_force, *in_force.policies)
        return {
            flow: dataclasses.replace(judged.expectation(), closed_by="" if judged.allowed else by)
            for flow, by in self._closed(in_force)
            for judged in [oracle.judge(flow)]
        }

    def changes(self, before: InForce, after: InForce) -> bool:
        """Whether other outcomes are expected of some flow that both have."""
        was, now = self.expected(before), self.expected(after)
        return any(was[flow].outcomes != now[flow].outcomes for flow in after.flows)

    def must_show(self, title: str, before: InForce, after: InForce) -> None:
        """The policies of the owner leave open some flow of each family that a policy could close,
        and something changes in each family in which it would without theirs.

        Raises:
            NotAsked: as not proven, otherwise.
        """
        theirs = self._oracle(after)
        if not theirs.policies:
            return
        judged = [theirs.judge(flow) for flow in after.flows if _may_be_closed(flow)]
        closed = [(one.flow, closed_by(one)) for one in judged]
        opened = (flow.family for flow, by in closed if not by)
        must_be_open(title, opened, [one for one in closed if one[1]])
        if decided := [(one.flow, by) for one in judged if (by := decided_by(one))]:
            named = tuple(m for m in self.existing if m["kind"] in NAMED)
            alone = dataclasses.replace(self, existing=named)
            hidden = alone._moving(before, after) - self._moving(before, after)
            must_change(title, hidden, decided)

    def _closed(self, in_force: InForce) -> list[tuple[Flow, str]]:
        """By flow the policies of the owner that close it by themselves, "" where none does."""
        alone = self._oracle(in_force)
        if not alone.policies:
            return [(flow, "") for flow in in_force.flows]
        return [(flow, closed_by(alone.judge(flow))) for flow in in_force.flows]

    def _moving(self, before: InForce, after: InForce) -> set[Family]:
        """The families of which a flow is expected to come to something else, or of which there is
        a new one that the owner's policies leave open. Labels of its ends may change."""
        was = {_cell(flow): wanted.outcomes for flow, wanted in self.expected(before).items()}
        return {
            flow.family
            for flow, now in self.expected(after).items()
            if (now.outcomes != was[_cell(flow)] if _cell(flow) in was else not now.closed_by)
        }

    def _oracle(self, in_force: InForce, *policies: Manifest) -> Oracle:
        snapshot = in_force.snapshot or self.snapshot
        return Oracle.of((*self.existing, *policies), snapshot, self.profile)


def _cell(flow: Flow) -> tuple[Family, tuple[str, str, str]]:
    return flow.family, edge_of(flow)


def _may_be_closed(flow: Flow) -> bool:
    """Pods reach themselves and are reached from their own node, whatever policies there are
    (NetworkPolicy v1): that such flows are open shows nothing."""
    source, destination = flow.source, flow.destination
    from_its_node = source.kind is EndpointKind.HOST and source.node == destination.node
    return source != destination and not from_its_node
