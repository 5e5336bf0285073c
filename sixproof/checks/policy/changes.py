"""Changes of what policies select: labels of pods and namespaces, and pods that come later."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from sixproof.checks.connect.connectivity import Connectivity
from sixproof.checks.connect.settling import Settling
from sixproof.checks.policy.policy_checker import ENFORCED, PolicyChecker
from sixproof.checks.policy.surroundings import Flows
from sixproof.errors import NotReady, Subject
from sixproof.kube.api import json_fields, resources, wait
from sixproof.kube.api.client import Cluster
from sixproof.kube.facts import pods as kube_pods
from sixproof.model import (
    Endpoint,
    EndpointKind,
    Expectation,
    Flow,
    Matrix,
    Observation,
    Outcome,
    Timing,
)
from sixproof.policy import ClusterSnapshot
from sixproof.probes.connect.payload import new_nonce
from sixproof.probes.connect.probe import ConnectProbe, ProbeOptions
from sixproof.reporting.allure import steps
from sixproof.reporting.diagnosis import evidence
from sixproof.reporting.diagnosis.category import Category
from sixproof.workloads.policy import policy_namespaces as namespaces
from sixproof.workloads.policy.cases import Manifest
from sixproof.workloads.policy.policy_namespaces import PolicyNamespaces
from sixproof.workloads.probe_pods import topology
from sixproof.workloads.probe_pods.ports import TCP, UDP
from sixproof.workloads.probe_pods.probe_pod import PodOptions

PORT_SPECS = (TCP, UDP)
HOLD = 20.0
"""Seconds for which TCP connections are held open."""
WATCH_TIMEOUT = 0.3
"""Seconds that a flow gets while a new pod is watched."""
Labels = Mapping[str, str | None]


class Relabel:
    """Changes labels for a while."""

    def __init__(self, cluster: Cluster, policy_checker: PolicyChecker) -> None:
        self._cluster = cluster
        self._lab = policy_checker

    @contextlib.contextmanager
    def pod(
        self, name: str, labels: Labels
    ) -> Iterator[tuple[PolicyNamespaces, Callable[[], None]]]:
        """The policy namespaces with other labels on a pod, and what puts them there; undone at
        the end."""
        pod = self._lab.policy_namespaces.pod(name)
        changed = dataclasses.replace(pod, labels=_with(dict(pod.labels), labels))
        pods = tuple(changed if p == pod else p for p in self._lab.policy_namespaces.pods)
        patch = functools.partial(self._patch, resources.POD, pod.pod, pod.namespace)
        try:
            yield dataclasses.replace(self._lab.policy_namespaces, pods=pods), lambda: patch(labels)
        finally:
            patch(_undone(dict(pod.labels), labels))

    @contextlib.contextmanager
    def namespace(
        self, name: str, labels: Labels
    ) -> Iterator[tuple[ClusterSnapshot, Callable[[], None]]]:
        """The cluster with other labels on a namespace, and what puts them there."""
        home, snapshot = self._lab.policy_namespaces.homes[name], self._lab.around.snapshot
        before = snapshot.namespaces[home]
        namespaces = {**snapshot.namespaces, home: dict(_with(before, labels))}
        patch = functools.partial(self._patch, resources.NAMESPACE, home, "")
        try:
            yield dataclasses.replace(snapshot, namespaces=namespaces), lambda: patch(labels)
        finally:
            patch(_undone(before, labels))

    def _patch(self, kind: resources.Kind, name: str, namespace: str, labels: Labels) -> None:
        self._cluster.patch(kind, name, {"metadata": {"labels": dict(labels)}}, namespace)


def _with(before: Mapping[str, str], labels: Labels) -> tuple[tuple[str, str], ...]:
    after = {**before, **labels}
    return tuple(sorted((k, v) for k, v in after.items() if v is not None))


def _undone(before: Mapping[str, str], labels: Labels) -> Labels:
    return {key: before.get(key) for key in labels}


class NewPods:
    """Makes pods under policies that already exist, and watches them from their first packet."""

    def __init__(
        self,
        cluster: Cluster,
        policy_checker: PolicyChecker,
        probe: ConnectProbe,
        options: PodOptions,
        timing: Timing,
    ) -> None:
        self._cluster = cluster
        self._lab = policy_checker
        self._probe = probe
        self._options = options
        self._timing = timing

    def must_be_ruled_from_birth(
        self, title: str, policies: Sequence[Manifest], home: str, part: str, node: str
    ) -> None:
        """No packet that the policies deny may pass, from the pod's address on; and once it is
        Ready, the matrix must be what the oracle says.

        Raises:
            VerdictError: a denied flow was answered while the pod started, or a cell is wrong.
        """
        name = f"{part}-{secrets.token_hex(2)}"
        flows = self._lab.flows(PORT_SPECS)
        with self._lab.existing(policies) as apply:
            self._lab.follow(f"{title}: before", apply, policies, flows, ENFORCED)
            try:
                born, began = self._bear(name, home, part, node)
                around = self._flows(born)
                leaks = self._watch(born, around, self._lab.expected(policies, around))
                with steps.step("Then nothing that is denied has passed"):
                    self._judge(title, leaks, began)
                self._lab.follow(title, lambda: None, policies, around, "policy on a new pod")
            finally:
                self._cluster.delete(
                    resources.POD, name, self._lab.policy_namespaces.homes[home], grace=0
                )
        self._lab.lifted(title, flows)

    def _bear(self, name: str, home: str, part: str, node: str) -> tuple[Endpoint, float]:
        """A new pod from the moment at which it has its addresses, and that moment."""
        policy_namespaces = self._lab.policy_namespaces
        kind = next(p for p in namespaces.PARTS if p.name == part)
        manifest = namespaces.pod_manifest(
            policy_namespaces.run,
            policy_namespaces.serial,
            policy_namespaces.homes[home],
            kind,
            node,
            self._options,
            name,
        )
        self._cluster.apply(manifest)
        waited = wait.until(
            lambda: self._cluster.get(resources.POD, name, policy_namespaces.homes[home]),
            lambda seen: bool(json_fields.entries(seen, "status", "podIPs")),
            timeout=self._timing.ready,
            first=0.02,
            longest=0.1,
        )
        ips = (
            json_fields.text(e, "ip") for e in json_fields.entries(waited.value, "status", "podIPs")
        )
        if not waited.accepted:
            said = f"{home}/{name} has no address after {waited.seconds:.0f} s"
            raise NotReady(said, subjects=[Subject.of_pod(home, name, node)])
        born = Endpoint(
            name=f"{home}/{name}",
            kind=EndpointKind.POD,
            addresses=json_fields.addresses(ips),
            namespace=policy_namespaces.homes[home],
            pod=name,
            node=node,
            labels=tuple(sorted(json_fields.labels(waited.value).items())),
            service_account=kind.account,
        )
        return born, time.monotonic()

    def _flows(self, born: Endpoint) -> Flows:
        """Every pod of other namespaces to the new one, and the new one to them."""
        others = [p for p in self._lab.policy_namespaces.pods if p.namespace != born.namespace]
        families = self._lab.around.families
        to, back = (
            topology.flows(others, [born], families, PORT_SPECS),
            topology.flows([born], others, families),
        )
        return (*to, *(f for f in back if (f.protocol, f.port) in _ASKED))

    def _watch(
        self, born: Endpoint, flows: Flows, expected: Mapping[Flow, Expectation]
    ) -> list[tuple[float, Observation]]:
        """Rounds until the pod is Ready and a moment longer; what passed and must not have."""
        leaks: list[tuple[float, Observation]] = []
        to = [f for f in flows if f.destination == born]

        def look() -> bool:
            seen = self._probe.measure(to, ProbeOptions(timeout=WATCH_TIMEOUT))
            now = time.monotonic()
            leaks.extend(
                (now, o)
                for o in seen
                if o.outcome.works and Outcome.ALLOWED not in expected[o.flow].outcomes
            )
            found = self._cluster.get(resources.POD, born.pod, born.namespace)
            return kube_pods.running_pod(found) is not None

        waited = wait.until(look, bool, timeout=self._timing.ready, first=0.02)
        if not waited.accepted:
            said = f"{born.name} is not ready after {waited.seconds:.0f} s"
            raise NotReady(said, subjects=[born.subject()])
        look()
        return leaks

    def _judge(self, title: str, leaks: Sequence[tuple[float, Observation]], began: float) -> None:
        if not leaks:
            return
        lines = [f"{o.flow}: answered {at - began:.2f} s after the pod had it" for at, o in leaks]
        text = f"{title}: {len(leaks)} denied flows passed while the pod started\n  "
        text += "\n  ".join(lines[:12])
        raise evidence.wrong(text, {o.flow.family for _, o in leaks}, Category.LEAK)


class EstablishedBatch:
    """TCP connections that are open, with the last byte of their requests unsent until `end`, a
    moment of the monotonic clock."""

    def __init__(
        self, connectivity: Connectivity, seen: Future[tuple[Observation, ...]], end: float
    ) -> None:
        self._connectivity = connectivity
        self._seen = seen
        self._end = end

    def must_end_well(self, title: str) -> None:
        """Every connection must carry its last byte and bring its answer; call it while they are
        still open, with whatever may close them in force.

        Raises:
            VerdictError: one does not.
            NotReady: what was to happen while they are open took too long.
        """
        if time.monotonic() > self._end:
            raise NotReady(f"{title}: not measured, they were held open for {HOLD:.0f} s only")
        self._connectivity.check(Matrix.of(title, self._seen.result()), _open_already)


class EstablishedFlows:
    """UDP flows that keep their source port, so that connection tracking knows them again, and TCP
    connections between the same pods that are held open."""

    def __init__(
        self,
        policy_checker: PolicyChecker,
        probe: ConnectProbe,
        connectivity: Connectivity,
        settling: Settling,
    ) -> None:
        policy_namespaces = policy_checker.policy_namespaces
        pairs = list(
            zip(
                policy_namespaces.in_namespace("shop"),
                policy_namespaces.in_namespace("blog"),
                strict=True,
            )
        )
        self._flows = [
            flow
            for a, b in pairs
            for flow in topology.flows([a], [b], policy_checker.around.families, PORT_SPECS[1:])
        ]
        self._connections = [
            flow
            for a, b in pairs
            for flow in topology.flows([a], [b], policy_checker.around.families, PORT_SPECS[:1])
        ]
        self._options = ProbeOptions(
            connectivity.patience, source_port=20000 + secrets.randbelow(9000)
        )
        self._probe = probe
        self._connectivity = connectivity
        self._settling = settling

    def must_begin(self, title: str) -> None:
        """Every flow must be answered before anything changes. The pods may be new: their flows
        are waited for, by other source ports, and measured then.

        Raises:
            VerdictError: one is not answered.
        """
        self._must_be_answered(title, self._settling.wait([*self._flows, *self._connections]))

    @contextlib.contextmanager
    def held(self) -> Iterator[EstablishedBatch]:
        """Connections that are opened now and closed some seconds later: every server has got the
        beginning of its request, all but the last byte, before anything else happens.

        Raises:
            NotReady: some were not open after half of that time.
        """
        # One byte of payload is held back: the header before it is what a server takes note of.
        options = ProbeOptions(HOLD + self._options.timeout, hold=HOLD, upload=1)
        flows, nonces = self._connections, [new_nonce() for _ in self._connections]
        with ThreadPoolExecutor(1, thread_name_prefix="held") as thread:
            end = time.monotonic() + HOLD
            seen = thread.submit(self._probe.measure, flows, options, nonces=nonces)
            opened = wait.until(
                lambda: self._probe.have_arrived(flows, nonces), bool, timeout=HOLD / 2
            )
            if not opened.accepted:
                raise NotReady(f"{len(flows)} connections were not open after {HOLD / 2:.0f} s")
            yield EstablishedBatch(self._connectivity, seen, end)

    def must_go_on(self, title: str) -> None:
        """Every flow must be answered.

        Raises:
            VerdictError: one is not.
        """
        self._must_be_answered(title)

    def _must_be_answered(self, title: str, *context: str) -> None:
        matrix = Matrix.of(title, self._probe.measure_again(self._flows, self._options))
        self._connectivity.check(matrix, _open_already, context=[c for c in context if c])


def _open_already(flow: Flow) -> Expectation:
    return Expectation.allowed(
        f"{flow.source.name} talked to {flow.destination.name} before, by this very flow: what "
        "connection tracking knows is let through before policy is asked"
    )


_ASKED = {(port_spec.protocol, port_spec.port) for port_spec in PORT_SPECS}
