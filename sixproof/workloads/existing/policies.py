"""The policies of the cluster's owner, and which flows of a run they close.

Policies are read when a flow first touches a namespace: admission may put a default deny into a
namespace that the run has just created.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Mapping, Sequence

from sixproof.errors import ApiError, Subject
from sixproof.kube.api import json_fields, resources
from sixproof.kube.api.client import Cluster
from sixproof.kube.api.json_fields import Manifest
from sixproof.kube.facts import policies
from sixproof.model import EndpointKind, Expectation, Flow
from sixproof.policy import (
    ClusterSnapshot,
    Judgement,
    NamedPort,
    Node,
    Oracle,
    PolicyRef,
    ProviderProfile,
    ServiceSnapshot,
    Verdict,
)

Expect = Callable[[Flow], Expectation]
SHOWN = 3
"""The most policies that one text names."""


class ExistingPolicies:
    """How the policies that already exist in the cluster affect flows.

    `nodes` are the nodes with every address that their own traffic may carry, `ports` the named
    ports of pods by namespace and name.
    """

    def __init__(
        self,
        cluster: Cluster,
        nodes: Iterable[Node],
        profile: ProviderProfile,
        ports: Mapping[tuple[str, str], Iterable[NamedPort]] | None = None,
    ) -> None:
        self._cluster = cluster
        self._ports = {pod: tuple(named) for pod, named in (ports or {}).items()}
        self._nodes = tuple(nodes)
        self._profile = profile
        self._namespaces: dict[str, dict[str, str]] = {}
        self._oracle: Oracle | None = None
        self._beside: dict[ServiceSnapshot, Oracle] = {}
        self.away: ApiError | None = None
        """Why Calico's policies could not be read, once they could not: their API server is away,
        and it is not waited for again. What is broken may be why; verdicts must come all the same.
        """

    def __call__(self, flow: Flow) -> Expectation:
        """The outcome required of a flow that only such a policy may deny."""
        return self.expectation(self.judge(flow))

    def learn(self, namespaces: Iterable[str]) -> None:
        """Read what concerns these namespaces at once, not at the first flow of each.

        Raises:
            ApiError: it may not be read.
        """
        self._reading(namespaces)

    def judge(self, flow: Flow, service: ServiceSnapshot | None = None) -> Judgement:
        """How the policies judge a flow; `service` is the one at whose address or port it goes.

        Raises:
            ApiError: they may not be read.
            ManifestError: one of them cannot be judged.
        """
        backends = service.backends if service else ()
        ends = (flow.source, flow.destination, *backends)
        oracle = self._reading(e.namespace for e in ends if e.kind is EndpointKind.POD)
        if service is not None:
            oracle = self._with(oracle, service)
        return oracle.judge(flow)

    def expectation(self, judgement: Judgement) -> Expectation:
        """The same, with the policies named that close the flow."""
        return dataclasses.replace(
            judgement.expectation(),
            closed_by=closed_by(judgement) if judgement.verdict is Verdict.DENIED else "",
        )

    def first(self, expect: Expect) -> Expect:
        """The outcome required of a flow for which a test has its own expectation: policies come
        first, since a packet they drop reaches no host that could refuse it."""

        def expected(flow: Flow) -> Expectation:
            judged = self(flow)
            return judged if judged.closed_by else expect(flow)

        return expected

    def closes(self, flow: Flow, service: ServiceSnapshot | None = None) -> str:
        """The policies that close a flow or may do so, in words; "" where none is known to."""
        return closed_by(self.judge(flow, service))

    def _reading(self, touched: Iterable[str]) -> Oracle:
        """The oracle that knows these namespaces."""
        new = set(touched) - self._namespaces.keys() - {""}
        if self._oracle is None or new:
            known = {**self._namespaces, **{name: self._labels(name) for name in new}}
            manifests = self._read(tuple(sorted(known)))
            snapshot = ClusterSnapshot.of(known, nodes=self._nodes, ports=self._ports)
            self._oracle = Oracle.of(manifests, snapshot, self._profile)
            self._namespaces = known
            self._beside.clear()
        return self._oracle

    def _read(self, namespaces: tuple[str, ...]) -> tuple[Manifest, ...]:
        if self.away is None:
            try:
                return policies.existing(self._cluster, namespaces)
            except ApiError as error:
                if not policies.is_away(error):
                    raise
                self.away = error
        return policies.existing(self._cluster, namespaces, calico=False)

    def _labels(self, namespace: str) -> dict[str, str]:
        """As the API server holds them: admission may have added some."""
        return json_fields.labels(self._cluster.find(resources.NAMESPACE, namespace))

    def _with(self, oracle: Oracle, service: ServiceSnapshot) -> Oracle:
        found = self._beside.get(service)
        if found is None:
            snapshot = dataclasses.replace(oracle.snapshot, services=(service,))
            found = oracle.within(snapshot)
            self._beside[service] = found
        return found


def closers(judgement: Judgement) -> tuple[PolicyRef, ...]:
    """The policies that deny a flow, at either end."""
    if judgement.verdict is not Verdict.DENIED:
        return ()
    sides = (judgement.egress, judgement.ingress)
    found = (side.policy for side in sides if side.verdict is Verdict.DENIED)
    return tuple(dict.fromkeys(ref for ref in found if ref is not None))


def closed_by(judgement: Judgement) -> str:
    """The policies that deny a flow or may do so, in words; "" where none is known to."""
    if judgement.allowed or judgement.unknown:
        return ""
    return listed(map(called, closers(judgement))) or judgement.because


def decided_by(judgement: Judgement) -> str:
    """The policies that decide about a flow, including those that allow it; "" where none does."""
    sides = (judgement.egress, judgement.ingress)
    return listed(called(side.policy) for side in sides if side.policy is not None)


@functools.cache
def called(ref: PolicyRef) -> str:
    """A policy by kind and name: ``GlobalNetworkPolicy default-deny``."""
    return subject(ref).place


def subject(ref: PolicyRef) -> Subject:
    """A policy as the subject of a finding; Calico's NetworkPolicy is a kind of its own."""
    api = "Calico " if ref.calico and ref.kind == "NetworkPolicy" else ""
    name = f"{ref.namespace}/{ref.name}" if ref.namespace else ref.name
    return Subject(f"{api}{ref.kind}", name)


def listed(names: Iterable[str]) -> str:
    """Names in words, each once: ``a``, ``a and b``, ``a, b, c and 4 more``."""
    known: Sequence[str] = tuple(dict.fromkeys(names))
    if len(known) > SHOWN:
        return f"{', '.join(known[:SHOWN])} and {len(known) - SHOWN} more"
    return " and ".join(filter(None, (", ".join(known[:-1]), *known[-1:])))
