"""Policies that are tried beside some of the cluster's owner: where these leave nothing to be seen,
a test is not proven, with their names, and never passed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml

from fixtures.policy import MANIFESTS, case
from sixproof.checks.connect.connectivity import Connectivity
from sixproof.checks.connect.settling import Settling
from sixproof.checks.policy.changes import EstablishedFlows, NewPods, Relabel
from sixproof.checks.policy.generated import Generated
from sixproof.checks.policy.measuring import Measuring
from sixproof.checks.policy.own import OwnPolicies
from sixproof.checks.policy.policy_checker import PolicyChecker
from sixproof.checks.policy.surroundings import Surroundings
from sixproof.errors import NotAsked
from sixproof.kube.api.resources import Kind
from sixproof.model import Family, Flow, Observation, Timing
from sixproof.policy import CALICO, Oracle
from sixproof.workloads.policy import cases, frontends
from sixproof.workloads.policy.cases import Manifest
from sixproof.workloads.probe_pods.ports import TCP, UDP
from sixproof.workloads.probe_pods.probe_pod import PodOptions
from sixproof.workloads.services.kube_proxy import KubeProxy
from tests.unit.workloads.existing.existing import DENY_ALL, ONLY_IPV4, existing
from tests.unit.workloads.memory import MemoryCluster
from tests.unit.workloads.policy.policy_snapshot_sample import FACTS, HOMES, SCENE, WORLD

ONE_PORT = (TCP, UDP)
TIMING = Timing(connect=0.02, deny=0.01, settle=2.0, ready=2.0)


class Api(MemoryCluster):
    """A cluster in memory that serves every kind."""

    def __init__(self) -> None:
        super().__init__()
        self.catalog = SimpleNamespace(kind=self._kind, place=self._place)

    def get(self, kind: Kind, name: str, namespace: str = "") -> Manifest:
        """One object, which is there."""
        return self.objects[kind.kind, namespace, name]

    def apply(self, manifest: Manifest) -> Manifest:
        """Create, or put in the place of what is there."""
        self.objects.pop(self._key(manifest), None)
        return super().apply(manifest)

    def _kind(self, api_version: str, kind: str) -> Kind:
        return Kind(api_version, kind, f"{kind.lower()}s")

    def _place(self, manifest: Manifest) -> tuple[Kind, str, str]:
        kind, namespace, name = self._key(manifest)
        return self._kind(manifest["apiVersion"], kind), name, namespace


class Lab:
    """Policies are tried on a network that does what the oracle says of all that stand: those of
    the owner, of these texts, and what is applied."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *texts: str) -> None:
        self.cluster = cast(Any, Api())
        theirs, _ = existing(monkeypatch, *texts)
        self.theirs = tuple(m for text in texts for m in yaml.safe_load_all(text))
        self.probe = cast(Any, self)
        recorder: Any = SimpleNamespace(matrix=lambda *_, **__: None, convergence=lambda *_: None)
        self.recorder = recorder
        self.connectivity = Connectivity(self.probe, recorder, TIMING.connect, theirs)
        around = Surroundings(WORLD, CALICO, self.theirs, cases.values(SCENE, FACTS), tuple(Family))
        measuring = Measuring(self.probe, TIMING.deny, TIMING.connect, TIMING.settle)
        self.checker = PolicyChecker(
            self.cluster, SCENE, around, measuring, self.connectivity, recorder, TIMING
        )
        self.snapshot = WORLD

    def measure(self, flows: Sequence[Flow], *_: object) -> tuple[Observation, ...]:
        """What comes of flows now."""
        objects = self.cluster.objects.values()
        stand = [m for m in objects if m["kind"].endswith(("Policy", "Tier"))]
        oracle = Oracle.of((*self.theirs, *stand), self.snapshot, CALICO)
        wanted = {flow: oracle.judge(flow).expectation().outcomes for flow in flows}
        return tuple(Observation(f, min(o), latency=0.001) for f, o in wanted.items())

    measure_again = measure

    def manifests(self, name: str) -> tuple[Manifest, ...]:
        """The policies of a case."""
        return self.checker.manifests(case(name))


def at_frontends(lab: Lab) -> None:
    """A case for flows to a service, too."""
    web = MANIFESTS / "web-service.yaml"
    made = frontends.open_frontends(lab.cluster, SCENE, web, FACTS.nodes, KubeProxy())
    lab.snapshot = dataclasses.replace(WORLD, services=(made.service,))
    lab.checker.must_hold_at(case("36-ingress-sees-the-client"), made, lab.snapshot)


def updated(lab: Lab) -> None:
    """A policy takes the place of another one."""
    new, flows = lab.manifests("46-from-api"), lab.checker.flows(ONE_PORT)
    with lab.checker.applied("from web", lab.manifests("16-from-web"), flows):
        lab.checker.follow("from api", lambda: lab.checker.apply(new), new, flows, "updated")


def relabelled(lab: Lab) -> None:
    """A pod becomes a peer."""
    shop = lab.checker
    for pod in SCENE.pods:
        meta = {"name": pod.pod, "namespace": pod.namespace, "labels": dict(pod.labels)}
        lab.cluster.apply({"kind": "Pod", "metadata": meta})
    policy = lab.manifests("16-from-web")
    with (
        shop.applied("from web", policy, shop.flows(ONE_PORT)),
        Relabel(lab.cluster, shop).pod("blog/db", {"app": "web"}) as (renamed, put_on),
    ):
        shop.follow("blog/db is a web", put_on, policy, shop.flows(ONE_PORT, renamed), "relabelled")


def new_pod(lab: Lab) -> None:
    """A pod is made under policies that stand."""
    pods = NewPods(lab.cluster, lab.checker, lab.probe, PodOptions("image"), TIMING)
    pods.must_be_ruled_from_birth(
        "a new pod", lab.manifests("49-before-the-pod"), "shop", "db", "n2"
    )


def generated(lab: Lab) -> None:
    """A drawn set."""
    Generated(lab.checker, lab.probe, TIMING, 11, calico=True).must_hold(1)


def open_flows(lab: Lab) -> None:
    """Flows are open before anything changes."""
    settling = Settling(lab.probe, lab.recorder, lab.connectivity.closes, TIMING.settle)
    EstablishedFlows(lab.checker, lab.probe, lab.connectivity, settling).must_begin("before")


Try = Callable[[Lab], object]
TRIED: dict[str, Try] = {
    "a case": lambda lab: lab.checker.must_hold(case("16-from-web"), ONE_PORT),
    "a case that changes nothing": lambda lab: lab.checker.must_hold(
        case("08-selects-no-pod"), ONE_PORT
    ),
    "a case that opens": lambda lab: lab.checker.must_hold(case("02-allow-all"), ONE_PORT),
    "at frontends": at_frontends,
    "generated": generated,
    "the user's own": lambda lab: OwnPolicies(
        lab.checker, lab.manifests("16-from-web"), ONE_PORT
    ).must_hold(),
    "updated": updated,
    "relabelled": relabelled,
    "a new pod": new_pod,
    "open flows": open_flows,
}
tried = pytest.mark.parametrize("attempt", TRIED.values(), ids=list(TRIED))


@tried
def test_where_no_policy_of_the_owner_stands_all_is_shown(
    monkeypatch: pytest.MonkeyPatch, attempt: Try
) -> None:
    """The network does what it must, and so each passes."""
    attempt(Lab(monkeypatch))


@tried
@pytest.mark.parametrize(
    ("text", "closed", "families"),
    [
        (DENY_ALL, "GlobalNetworkPolicy closed", set(Family)),
        (ONLY_IPV4, "GlobalNetworkPolicy no-six", {Family.IPV6}),
    ],
    ids=["all", "one family"],
)
def test_where_the_owner_closes_every_flow_nothing_is_proven(
    monkeypatch: pytest.MonkeyPatch, attempt: Try, text: str, closed: str, families: set[Family]
) -> None:
    """Neither passed nor failed; the policy is named. That a pod is reached from its own node, as
    it is whatever stands, makes nothing of it open; nor is anything applied for it."""
    lab = Lab(monkeypatch, text)
    with pytest.raises(NotAsked) as caught:
        attempt(lab)
    assert caught.value.unproven
    assert closed in caught.value.reason
    assert {family for family in Family if family in caught.value.reason} >= families
    assert not [line for line in lab.cluster.log if line.startswith("apply NetworkPolicy")]


INTO_ALL = """
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: {name: shut}
spec: {namespaceSelector: 'projectcalico.org/name not in {"kube-system"}', types: [Ingress]}
"""
OUT_OF_BLOG = f"""
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: {{name: shut}}
spec: {{namespaceSelector: 'projectcalico.org/name == "{HOMES["blog"]}"', types: [Egress]}}
"""
INTO_BANK, INTO_SHOP = (
    f"""
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{name: shut, namespace: {HOMES[name]}}}
spec: {{podSelector: {{}}}}
"""
    for name in ("bank", "shop")
)
INTO_OTHERS = """
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: {name: shut}
spec: {namespaceSelector: 'projectcalico.org/name == "kube-system"', types: [Ingress]}
"""
FIRST = """
apiVersion: projectcalico.org/v3
kind: Tier
metadata: {name: first}
spec: {order: 1}
---
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: {name: first.shut}
spec: {tier: first, types: [Ingress, Egress], ingress: [%s], egress: [%s]}
"""
OPEN = FIRST % ("{action: Allow}", "{action: Allow}")
NO_IPV6_IN = FIRST % ("{action: Deny, ipVersion: 6}, {action: Pass}", "{action: Pass}")


def held(name: str) -> Try:
    """A case is tried."""
    return lambda lab: lab.checker.must_hold(case(name), ONE_PORT)


@pytest.mark.parametrize(
    ("text", "attempt", "nothing_changes"),
    [
        (INTO_ALL, held("01-ingress-absent"), "IPv4 and IPv6"),
        (INTO_ALL, held("16-from-web"), ""),
        (INTO_ALL, held("08-selects-no-pod"), "IPv4 and IPv6"),
        (NO_IPV6_IN, held("01-ingress-absent"), "IPv6"),
        (INTO_BANK, held("16-from-web"), ""),
        (INTO_SHOP, held("01-ingress-absent"), "IPv4 and IPv6"),
        (INTO_BANK, held("08-selects-no-pod"), "IPv4 and IPv6"),
        (INTO_BANK, new_pod, ""),
        (OUT_OF_BLOG, updated, ""),
        (OUT_OF_BLOG, relabelled, "IPv4 and IPv6"),
        (OPEN, held("16-from-web"), "IPv4 and IPv6"),
        (INTO_OTHERS, held("16-from-web"), ""),
    ],
    ids=[
        "nobody came in before", "what it lets in", "nor does its sign show", "of one family",
        "elsewhere", "only its sign shows", "only its sign is hidden", "a pod that comes later",
        "the second step shows", "the second does not", "all is let through", "for others",
    ],
)  # fmt: skip
def test_what_is_tried_must_change_something_in_each_family(
    monkeypatch: pytest.MonkeyPatch, text: str, attempt: Try, nothing_changes: str
) -> None:
    """Where the owner's policies leave some flows open, that is not enough; and where they hide one
    step of several, or the change of one family, the whole is not proven."""
    lab = Lab(monkeypatch, text)
    if not nothing_changes:
        attempt(lab)
        return
    with pytest.raises(NotAsked) as caught:
        attempt(lab)
    assert caught.value.unproven
    assert f"nothing changes over {nothing_changes}, whatever is applied" in caught.value.reason
    assert "shut" in caught.value.reason
