"""projectcalico.org/v3: policies, staged policies, tiers, network sets and profiles.

Sources: projectcalico/calico api/pkg/apis/projectcalico/v3, libcalico-go/lib/clientv3 (defaults),
libcalico-go updateprocessors (what selects what), felix/calc (event_sequencer.go: untracked and
pre-DNAT policies never reach pods; policy_sorter.go: the order).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

from sixproof.policy.calico.entity import RuleScope
from sixproof.policy.calico.rule import compile_rule
from sixproof.policy.calico.selector import (
    NAMESPACE,
    All,
    Compare,
    Comparison,
    Has,
    Selector,
    both,
)
from sixproof.policy.calico.selector_text import read_selector
from sixproof.policy.engine.context import Context, NetworkSet
from sixproof.policy.engine.packet import PolicyPeer, namespace_scope
from sixproof.policy.engine.rules import Action, Direction, Policy, PolicyRef, Rule, Tier
from sixproof.policy.kubernetes.network_policy import compile_network_policy
from sixproof.policy.manifests.manifest import Field, Fields, Manifest, read_labels
from sixproof.policy.snapshot.networks import Networks, read_cidr
from sixproof.policy.snapshot.snapshot import ClusterSnapshot

DEFAULT_TIER = "default"

BUILT_IN = {
    tier.name: tier
    for tier in (
        Tier("adminnetworkpolicy", 1_000, Action.PASS, always=True),
        Tier("kube-admin", 1_000, Action.PASS, always=True),
        Tier(DEFAULT_TIER, 1_000_000, Action.DENY),
        Tier("baselineadminnetworkpolicy", 10_000_000, Action.PASS, always=True),
        Tier("kube-baseline", 10_000_000, Action.PASS, always=True),
    )
}
"""The tiers that Calico makes itself, under their names of 3.31 and of 3.32."""

PROFILES = Tier("profiles", math.inf, Action.DENY)
"""What comes after the tiers, where a manifest replaces the profile of a namespace."""

_SPEC = [
    "tier",
    "order",
    "ingress",
    "egress",
    "selector",
    "types",
    "serviceAccountSelector",
    "performanceHints",
]

_GLOBAL = [*_SPEC, "doNotTrack", "preDNAT", "applyOnForward", "namespaceSelector"]


def compile_tier(manifest: Manifest) -> Tier:
    """The tier of a manifest.

    Raises:
        ManifestError: it is malformed, or changes the order of a tier of Calico's own.
    """
    spec = manifest.spec.fields("order", "defaultAction")
    order, default = spec.get("order"), spec.get("defaultAction")
    built_in = BUILT_IN.get(manifest.name)
    number = math.inf if order is None else order.number()
    if built_in is not None and number != built_in.order:
        wanted = f"must be {built_in.order} for tier {manifest.name}"
        raise manifest.spec.child("order", None).error(wanted)
    action = Action.DENY if default is None else Action(default.choice("Deny", "Pass"))
    return Tier(
        name=manifest.name,
        order=number,
        default=action,
        always=built_in is not None and built_in.always,
    )


def compile_policy(manifest: Manifest, context: Context) -> Policy:
    """The policy of a NetworkPolicy, a GlobalNetworkPolicy, or a staged one of either.

    Raises:
        ManifestError: Calico would refuse it.
    """
    staged = manifest.kind.startswith("Staged")
    cluster_wide = not manifest.namespace
    spec = manifest.spec.fields(
        *(_GLOBAL if cluster_wide else _SPEC), *(["stagedAction"] if staged else [])
    )
    rules = _rules(spec, RuleScope(context, manifest.namespace))
    types = _types(spec, rules)
    selector = _global_subject(spec) if cluster_wide else _subject(spec, manifest.namespace)
    inert = _host_only(spec, types) if cluster_wide else ""
    if staged:
        inert = _staged(spec)
    for hint in spec.list("performanceHints"):
        hint.choice("AssumeNeededOnEveryNode")
    order = spec.get("order")
    return Policy(
        ref=PolicyRef(manifest.kind, manifest.namespace, manifest.name, calico=True),
        tier=spec.text("tier") or DEFAULT_TIER,
        subject=f"endpoints matching {selector}",
        selects=_selects(selector),
        rules={direction: rules[direction] for direction in Direction if direction in types},
        order=math.inf if order is None else order.number(),
        inert=inert,
    )


def compile_staged_kubernetes(manifest: Manifest, context: Context) -> Policy:
    """The policy of a StagedKubernetesNetworkPolicy: read like a NetworkPolicy, never enforced.

    Raises:
        ManifestError: it is malformed.
    """
    spec = manifest.spec.mapping()
    inert = _staged(spec)
    rest = {key: value for key, value in spec.values.items() if key != "stagedAction"}
    plain = dataclasses.replace(manifest, spec=Field(rest, manifest.spec.path))
    policy = compile_network_policy(plain, DEFAULT_TIER, context)
    ref = PolicyRef(manifest.kind, manifest.namespace, manifest.name, calico=True)
    return dataclasses.replace(policy, ref=ref, inert=inert)


def compile_network_set(manifest: Manifest, snapshot: ClusterSnapshot) -> NetworkSet:
    """The network set of a manifest; a namespaced one inherits its namespace's labels.

    Raises:
        ManifestError: it is malformed.
    """
    nets = [read_cidr(f, bare=True) for f in manifest.spec.fields("nets").list("nets")]
    labels = dict(manifest.labels)
    if manifest.namespace:
        labels |= {NAMESPACE: manifest.namespace, **namespace_scope(manifest.namespace, snapshot)}
    return NetworkSet(labels, Networks.of(nets))


def compile_profile(manifest: Manifest, context: Context) -> Policy:
    """A profile as the policy of the pods that have it: ``kns.<namespace>`` those of a namespace,
    ``ksa.<namespace>.<name>`` those of a service account. Labels that it hands down are those
    which the cluster already gives; Pass ends evaluation, as it does in app-policy's checker.

    Raises:
        ManifestError: it is malformed.
    """
    spec = manifest.spec.fields("ingress", "egress", "labelsToApply")
    read_labels(spec.get("labelsToApply"))
    rules = {
        direction: tuple(
            dataclasses.replace(r, action=Action.DENY) if r.action is Action.PASS else r
            for r in some
        )
        for direction, some in _rules(spec, RuleScope(context)).items()
    }
    name = manifest.name

    def selects(peer: PolicyPeer) -> bool:
        account = f"{peer.namespace}.{peer.endpoint.service_account}"
        return name in (f"kns.{peer.namespace}", f"ksa.{account}")

    ref = PolicyRef("Profile", "", name, calico=True)
    return Policy(ref, PROFILES.name, f"pods with profile {name}", selects, rules)


def read_host_endpoint(manifest: Manifest) -> str:
    """The node that a HostEndpoint guards.

    Raises:
        ManifestError: it names none.
    """
    return manifest.spec.mapping().need("node").text()


def _rules(spec: Fields, scope: RuleScope) -> dict[Direction, tuple[Rule, ...]]:
    return {
        direction: tuple(
            compile_rule(field, i, direction, scope)
            for i, field in enumerate(spec.list(direction.value))
        )
        for direction in Direction
    }


def _types(spec: Fields, rules: dict[Direction, tuple[Rule, ...]]) -> frozenset[Direction]:
    """The directions: as listed; by default those with rules, and ingress where there are none."""
    listed = [
        Direction(field.choice("Ingress", "Egress").lower())
        for field in spec.list("types", at_most=2)
    ]
    if len(set(listed)) < len(listed):
        raise spec.need("types").error("names a direction twice")
    with_rules = frozenset(direction for direction, some in rules.items() if some)
    return frozenset(listed) or with_rules or frozenset({Direction.INGRESS})


def _subject(spec: Fields, namespace: str) -> Selector:
    own = Compare(NAMESPACE, Comparison.EQUALS, namespace)
    return both(read_selector(spec.get("selector")), own, _account(spec, All())) or own


def _global_subject(spec: Fields) -> Selector:
    spaces = read_selector(spec.get("namespaceSelector"))
    inside = None if spaces is None else spaces.in_scope("pcns.", Has(NAMESPACE))
    account = _account(spec, Has("projectcalico.org/serviceaccount"))
    return both(read_selector(spec.get("selector")), inside, account) or All()


def _account(spec: Fields, everything: Selector) -> Selector | None:
    selector = read_selector(spec.get("serviceAccountSelector"))
    return None if selector is None else selector.in_scope("pcsa.", everything)


def _selects(selector: Selector) -> Callable[[PolicyPeer], bool]:
    def test(peer: PolicyPeer) -> bool:
        return peer.calico is not None and selector.matches(peer.calico)

    return test


def _host_only(spec: Fields, types: frozenset[Direction]) -> str:
    """Why a global policy does not apply to pods, empty where it does."""
    untracked, before = spec.flag("doNotTrack"), spec.flag("preDNAT")
    forward = spec.flag("applyOnForward")
    if untracked and before:
        raise spec.need("preDNAT").error("excludes doNotTrack")
    if (untracked or before) and not forward:
        raise spec.here.child("applyOnForward", None).error("must be true beside them")
    if before and (Direction.EGRESS in types or spec.list("egress")):
        raise spec.need("preDNAT").error("is for ingress only")
    if untracked or before:
        return f"{'doNotTrack' if untracked else 'preDNAT'}: for host endpoints only"
    return ""


def _staged(spec: Fields) -> str:
    action = spec.get("stagedAction")
    if action is not None:
        action.choice("Set", "Delete", "Learn", "Ignore")
    return "staged, not enforced"
