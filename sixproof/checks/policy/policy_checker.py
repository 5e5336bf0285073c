"""The policy checker: policies come, change and go, and the whole matrix must follow each time."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from sixproof import yaml_text
from sixproof.checks.connect.connectivity import Connectivity
from sixproof.checks.policy.measuring import Measuring
from sixproof.checks.policy.objects import Objects
from sixproof.checks.policy.surroundings import Flows, InForce, Surroundings
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
from sixproof.policy import ClusterSnapshot
from sixproof.policy.manifests.audit import NAMED_PORT_UNSUPPORTED, audit
from sixproof.probes.connect.probe import Witnesses
from sixproof.reporting.allure import steps
from sixproof.reporting.diagnosis import evidence
from sixproof.reporting.diagnosis.category import Category
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
        self._cluster = cluster
        self._timing = timing
        self._objects = Objects(cluster, timing.settle)
        self._measuring = measuring
        self._connectivity = connectivity
        self._recorder = recorder
        self._last: InForce | None = None
        self._before: Mapping[Flow, Expectation] = {}

    def moved_to(
        self,
        policy_namespaces: PolicyNamespaces,
        snapshot: ClusterSnapshot,
        existing: tuple[Manifest, ...],
    ) -> PolicyChecker:
        """The same in other namespaces, that are in `snapshot` and that `existing` policies of the
        cluster's owner may concern."""
        return PolicyChecker(
            self._cluster,
            policy_namespaces,
            dataclasses.replace(self.around, snapshot=snapshot, existing=existing),
            self._measuring,
            self._connectivity,
            self._recorder,
            self._timing,
            self.echo,
        )

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
        in_force = InForce(policies, flows, snapshot)
        self.around.must_show(title, in_force.without_policies(), in_force)
        come = self._seen_to_come(in_force)
        with self.applied(title, come, flows, snapshot=snapshot, witnesses=witnesses):
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
        """These policies are applied and their matrix agrees; they are deleted at the end, and all
        must be as before: what a node still enforces would be blamed on the next test.

        Where policies of the owner close every flow of a family, or all in which something would
        change, the test ends as not proven."""
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
        """Gives what applies these policies; they are deleted at the end, however applied."""
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
            NotAsked: as not proven, where policies of the owner leave nothing to be seen of a
                family.
            NotMeasured: the judged round was right, and nothing but silences of cheap rounds was
                wrong until the end.
        """
        in_force = InForce(policies, flows, snapshot)
        previous = self._last or in_force.without_policies()
        self.around.must_show(title, previous, in_force)
        before = self._before or self.around.expected(previous)
        expected = self.around.expected(in_force)
        self._last, self._before = in_force, expected
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
        self, policies: Sequence[Manifest], flows: Flows, snapshot: ClusterSnapshot | None = None
    ) -> dict[Flow, Expectation]:
        """What the oracle says of each flow under these policies and those of the owner."""
        return self.around.expected(InForce(policies, flows, snapshot))

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
        if not known:
            yield
            return
        try:
            with self._recorder.under_a_known_limit():
                yield
        except VerdictError:
            raise KnownLimit(str(known[0])) from None

    def _seen_to_come(self, in_force: InForce) -> Sequence[Manifest]:
        """The policies; where they change no flow by themselves, with one more that does.

        Otherwise nothing shows when they take effect: the matrix agrees beforehand.
        """
        if self.around.changes(in_force.without_policies(), in_force):
            return in_force.policies
        return (*in_force.policies, applied_last(self.policy_namespaces))


def applied_last(policy_namespaces: PolicyNamespaces) -> Manifest:
    """A policy that closes one of the policy namespaces: it shows that earlier ones are active."""
    shut = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        # This namespace has a pod on each of three nodes.
        "metadata": {"name": "applied-last", "namespace": policy_namespaces.homes["bank"]},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress"]},
    }
    return cases.own(shut, policy_namespaces)
