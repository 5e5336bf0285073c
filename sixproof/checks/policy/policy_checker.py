"""The policy checker: policies come, change and go, and the whole matrix must follow each time."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from sixproof import yaml_text
from sixproof.checks.connect.carried import must_be_open
from sixproof.checks.connect.connectivity import Connectivity
from sixproof.checks.policy.measuring import Measuring
from sixproof.checks.policy.objects import Objects
from sixproof.checks.policy.timeline import Timeline, context
from sixproof.checks.recorder import Recorder
from sixproof.errors import KnownLimit, NotAsked, VerdictError
from sixproof.kube.api.client import Cluster
from sixproof.model import (
    Expectation,
    Family,
    Flow,
    Matrix,
    Timing,
)
from sixproof.policy import ClusterSnapshot, Oracle, ProviderProfile
from sixproof.policy.manifests.audit import NAMED_PORT_UNSUPPORTED, audit
from sixproof.probes.connect.probe import Witnesses
from sixproof.reporting.allure import steps
from sixproof.reporting.diagnosis import evidence
from sixproof.reporting.diagnosis.category import Category
from sixproof.workloads.existing.policies import closed_by
from sixproof.workloads.policy import cases
from sixproof.workloads.policy.cases import Manifest, PolicyCase
from sixproof.workloads.policy.frontends import ServiceFrontends
from sixproof.workloads.policy.policy_namespaces import PolicyNamespaces
from sixproof.workloads.probe_pods import topology
from sixproof.workloads.probe_pods.ports import PortSpec

ENFORCED, LIFTED = "policy enforced", "policy lifted"
"""What the two latencies of a policy are called in the report."""
LIMITS = frozenset({NAMED_PORT_UNSUPPORTED.code})
"""Findings about policies that say what a network plugin does not do though the API asks for it."""
Flows = Sequence[Flow]


@dataclasses.dataclass(frozen=True)
class Surroundings:
    """What does not change while policies do."""

    snapshot: ClusterSnapshot
    profile: ProviderProfile
    existing: tuple[Manifest, ...]
    values: Mapping[str, str]
    families: tuple[Family, ...]


class PolicyChecker:
    """Applies policies to the policy namespaces, follows the matrix until it agrees with the
    oracle, and judges it; then takes the policies away and follows that. `echo` is the port of
    ICMP echo, or nothing where probe pods may not send it."""

    def __init__(
        self,
        cluster: Cluster,
        policy_namespaces: PolicyNamespaces,
        around: Surroundings,
        measuring: Measuring,
        connectivity: Connectivity,
        recorder: Recorder,
        timing: Timing,
        echo: tuple[PortSpec, ...] = (),
    ) -> None:
        self.policy_namespaces = policy_namespaces
        self.echo = echo
        self.around = around
        self._objects = Objects(cluster, timing.settle)
        self._measuring = measuring
        self._connectivity = connectivity
        self._recorder = recorder
        self._before: Mapping[Flow, Expectation] = {}

    def moved_to(
        self,
        policy_namespaces: PolicyNamespaces,
        snapshot: ClusterSnapshot,
        existing: tuple[Manifest, ...],
    ) -> PolicyChecker:
        """The same in other namespaces, that are in `snapshot` and that `existing` policies of the
        cluster's owner may concern."""
        moved = copy.copy(self)
        moved.policy_namespaces = policy_namespaces
        moved.around = dataclasses.replace(self.around, snapshot=snapshot, existing=existing)
        return moved

    def must_hold(self, case: PolicyCase, port_specs: Iterable[PortSpec]) -> None:
        """Apply a case; the matrix must become what the oracle says; delete it; all as before.

        Raises:
            VerdictError: a cell is not, or not in time; the message is the evidence.
        """
        policies = self.manifests(case)
        with self._within_its_limits(policies):
            self.must_follow(case.title, policies, self.flows(port_specs))

    def must_hold_at(
        self, case: PolicyCase, frontends: ServiceFrontends, snapshot: ClusterSnapshot
    ) -> None:
        """The same for flows to the frontends of the policy namespaces' service, beside those to
        its pod."""
        clients = (*self.policy_namespaces.pods, *self.policy_namespaces.hosts)
        direct = topology.flows(clients, [frontends.backend], self._families)
        beyond = frontends.flows_from_outside(self.policy_namespaces.outside, self._families)
        flows = (*frontends.flows(clients, self._families), *beyond, *direct)
        self.must_follow(
            case.title,
            self.manifests(case),
            flows,
            snapshot=snapshot,
            witnesses=frontends.witnesses(),
        )

    def flows(
        self, port_specs: Iterable[PortSpec], policy_namespaces: PolicyNamespaces | None = None
    ) -> Flows:
        """The flows of the policy namespaces on these ports, or of others that are made of them."""
        return (policy_namespaces or self.policy_namespaces).flows(port_specs, self._families)

    def must_follow(
        self,
        title: str,
        policies: Sequence[Manifest],
        flows: Flows,
        *,
        snapshot: ClusterSnapshot | None = None,
        witnesses: Witnesses | None = None,
    ) -> None:
        """Apply policies and follow these flows, then delete them and follow again."""
        policies = self._seen_to_come(policies, flows, snapshot)
        self._must_show(title, policies, flows, snapshot)
        with self.applied(title, policies, flows, snapshot=snapshot, witnesses=witnesses):
            pass

    @contextlib.contextmanager
    def applied(
        self,
        title: str,
        policies: Sequence[Manifest],
        flows: Flows,
        *,
        snapshot: ClusterSnapshot | None = None,
        witnesses: Witnesses | None = None,
    ) -> Iterator[None]:
        """These policies stand and their matrix agrees; they are deleted at the end, and all must
        be as before them: what one node still enforces would be taken for the next test's fault.

        Where policies of the owner close every flow of a family, the test ends as not proven."""
        self.must_be_open(title, flows, snapshot)
        with self.existing(policies) as apply:
            self.follow(title, apply, policies, flows, ENFORCED, snapshot, witnesses)
            yield
        self.lifted(title, flows, snapshot, witnesses)

    def lifted(
        self,
        title: str,
        flows: Flows,
        snapshot: ClusterSnapshot | None = None,
        witnesses: Witnesses | None = None,
    ) -> None:
        """After the deletion of policies that was asked for, all must be as before them.

        Raises:
            VerdictError: a flow is not.
        """
        self.follow(f"{title}: deleted", lambda: None, (), flows, LIFTED, snapshot, witnesses)

    @contextlib.contextmanager
    def existing(self, policies: Sequence[Manifest]) -> Iterator[Callable[[], None]]:
        """What applies these policies; they are deleted at the end, whoever applied them."""
        try:
            yield lambda: self.apply(policies)
        finally:
            self.delete(policies)

    def follow(
        self,
        title: str,
        change: Callable[[], None],
        policies: Sequence[Manifest],
        flows: Flows,
        what: str,
        snapshot: ClusterSnapshot | None = None,
        witnesses: Witnesses | None = None,
    ) -> Matrix:
        """Make a change; from then on the flows must soon be what the oracle says of them under
        these policies. The time that it took is recorded as `what`, per family.

        Raises:
            VerdictError: they are not; the message holds cells, time line and a line to try.
            NotMeasured: the judged round was right, and nothing but silences of cheap rounds was
                wrong until the end.
        """
        expected = self.expected(policies, flows, snapshot)
        before = self._before or self.expected((), flows, snapshot)
        self._before = expected
        began = time.monotonic()
        with steps.step(f"When {title}"):
            change()
            steps.attach_yaml("policies as applied", yaml_text.written(policies))
        line = Timeline(expected, began)
        with steps.step("When the change has had its time"):
            converged = self._measuring.follow(
                expected, before, began, witnesses=witnesses, note=line.note
            )
        for family, seconds in converged.seconds.items():
            self._recorder.convergence(what, seconds, family, converged.rounds)
        matrix = Matrix.of(title, converged.observations)
        self._connectivity.hold(
            matrix, expected.__getitem__, brief=True, context=context(matrix, line, converged)
        )
        if late := [f for f in converged.families if f not in converged.seconds]:
            if proven := [f for f in late if line.proven(f)]:
                text = f"{title}: {' and '.join(proven)} did not stay as it must be"
                raise evidence.wrong(f"{text}; {converged}\n  {line}", proven, Category.BOTH)
            raise evidence.not_measured(
                f"{title}: every flow is as it must be, but not twice in a row: short rounds met "
                f"silences, as on a busy machine; {converged}\n  {line}"
            )
        return matrix

    def expected(
        self, policies: Iterable[Manifest], flows: Flows, snapshot: ClusterSnapshot | None = None
    ) -> dict[Flow, Expectation]:
        """What the oracle says of each flow under these policies and those of the owner; what the
        owner's close by themselves is marked so."""
        around = self.around
        oracle = Oracle.of(
            (*around.existing, *policies), snapshot or around.snapshot, around.profile
        )
        return {
            flow: dataclasses.replace(judged.expectation(), closed_by="" if judged.allowed else by)
            for flow, by in self._closed(flows, snapshot)
            for judged in [oracle.judge(flow)]
        }

    def _closed(self, flows: Flows, snapshot: ClusterSnapshot | None) -> list[tuple[Flow, str]]:
        """By flow the policies of the owner that close it by themselves, "" where none does."""
        around = self.around
        alone = Oracle.of(around.existing, snapshot or around.snapshot, around.profile)
        if not alone.policies:
            return [(flow, "") for flow in flows]
        return [(flow, closed_by(alone.judge(flow))) for flow in flows]

    def must_be_open(
        self, title: str, flows: Flows, snapshot: ClusterSnapshot | None = None
    ) -> None:
        """The policies of the owner leave open some flow of each family; the test ends as not
        proven where they do not."""
        apart = [
            one for one in self._closed(flows, snapshot) if one[0].source != one[0].destination
        ]
        opened = (flow.family for flow, by in apart if not by)
        must_be_open(title, opened, [one for one in apart if one[1]])

    def _must_show(
        self,
        title: str,
        policies: Sequence[Manifest],
        flows: Flows,
        snapshot: ClusterSnapshot | None,
    ) -> None:
        """Something changes with these policies; where the owner's leave nothing to change, the
        test ends as not proven."""
        closed = [one for one in self._closed(flows, snapshot) if one[1]]
        if not closed:
            return
        after, before = (self.expected(some, flows, snapshot) for some in (policies, ()))
        if all(after[f].outcomes == before[f].outcomes for f in flows):
            must_be_open(title, (), closed)

    def manifests(self, case: PolicyCase) -> tuple[Manifest, ...]:
        """The objects of a case; skips the test where this cluster cannot have them."""
        if lacking := case.lacks(self.around.values):
            raise NotAsked(f"this cluster has no {', '.join(lacking)}")
        made = case.manifests(self.policy_namespaces, self.around.values)
        for api, kind in {(m["apiVersion"], m["kind"]) for m in made}:
            self._objects.need(api, kind)
        return made

    def apply(self, policies: Sequence[Manifest]) -> None:
        """Apply policies in their order."""
        self._objects.apply(policies)

    def delete(self, policies: Sequence[Manifest]) -> None:
        """Ask for their deletion, the last one first."""
        self._objects.delete(policies)

    @property
    def _families(self) -> tuple[Family, ...]:
        return self.around.families

    @contextlib.contextmanager
    def _within_its_limits(self, policies: Sequence[Manifest]) -> Iterator[None]:
        """A verdict about what a network plugin is known not to carry out is an expected one."""
        known = [f for f in audit(policies, self.around.profile) if f.code in LIMITS]
        try:
            yield
        except VerdictError:
            if not known:
                raise
            raise KnownLimit(str(known[0])) from None

    def _seen_to_come(
        self, policies: Sequence[Manifest], flows: Flows, snapshot: ClusterSnapshot | None
    ) -> Sequence[Manifest]:
        """The policies, with one more that shows where they change nothing by themselves.

        Nothing would tell when such policies have come, and the matrix agree before.
        """
        after, before = (self.expected(some, flows, snapshot) for some in (policies, ()))
        if any(after[f].outcomes != before[f].outcomes for f in flows):
            return policies
        return (*policies, applied_last(self.policy_namespaces))


def applied_last(policy_namespaces: PolicyNamespaces) -> Manifest:
    """A policy that shuts one of the policy namespaces: it shows that those before it have come."""
    shut = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        # This namespace has a pod on each of three nodes.
        "metadata": {"name": "applied-last", "namespace": policy_namespaces.homes["bank"]},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress"]},
    }
    return cases.own(shut, policy_namespaces)
