"""What is wrong, or will surprise, in manifests: findings instead of the first error."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

from sixproof.errors import ManifestError
from sixproof.model import Family, Finding, Severity
from sixproof.policy.context import Context
from sixproof.policy.manifest import Field
from sixproof.policy.networks import CidrError, Flaw, read_cidr
from sixproof.policy.pitfalls import pitfalls
from sixproof.policy.provider import CALICO, ProviderProfile
from sixproof.policy.shelf import CALICO_GROUP, STORAGE_GROUP, Shelf, described, objects, own_tiers
from sixproof.policy.tree import at, leaves, listed
from sixproof.policy.world import World

_BARE = frozenset({"nets", "notNets"})

_CIDRS = frozenset(
    {"cidr", "cidrs", "except", "networks", "podCIDR", "podCIDRs", "clusterCIDR", *_BARE}
)
"""Keys under which manifests hold one CIDR each, in any kind."""

_LISTS = frozenset({"podSubnet", "serviceSubnet", "serviceCIDR"})
"""Keys under which kubeadm and kind hold several, separated by commas."""

_REMEDIES = {
    Flaw.UNPARSEABLE: "write hexadecimal groups and a prefix length, as in 2001:db8::/48",
    Flaw.HOST_BITS: "clear the bits beyond the prefix",
    Flaw.MAPPED: "write the IPv4 network",
}


def audit(manifests: Iterable[object], profile: ProviderProfile = CALICO) -> tuple[Finding, ...]:
    """Findings about manifests of any kind, policies above all. Nothing in them raises."""
    values = list(objects(manifests))
    shelf = Shelf(profile, *own_tiers(profile))
    findings = [finding for value in values for finding in _of_one(value, shelf)]
    findings += _equal_priorities(values)
    findings += pitfalls(values)
    return tuple(findings)


def _of_one(value: object, shelf: Shelf) -> Iterator[Finding]:
    cidrs = list(_cidrs(value))
    yield from cidrs
    if _group(value) == STORAGE_GROUP:
        yield Finding(
            code="storage-group",
            severity=Severity.ERROR,
            subject=described(value),
            seen=f"is written to {STORAGE_GROUP}, which neither validates nor defaults",
            wanted=f"{CALICO_GROUP}/v3",
            remedy=f"set apiVersion: {CALICO_GROUP}/v3 and apply it to Calico's API server",
        )
    elif not cidrs and _is_policy(value):
        yield from _refused(value, shelf)
    yield from _one_family(value)
    yield from _mixed_families(value)
    yield from _bare_addresses(value)
    yield from _tier_prefix(value)
    yield from _named_ports(value, shelf.profile)


def _group(value: object) -> str:
    return str(at(value, "apiVersion")).rpartition("/")[0]


def _is_policy(value: object) -> bool:
    """Whether this means to be one: policies of all kinds, and what stands in their groups."""
    group = _group(value)
    return group in (CALICO_GROUP, "policy.networking.k8s.io") or (
        group == "networking.k8s.io" and "Policy" in str(at(value, "kind"))
    )


def _refused(value: object, shelf: Shelf) -> Iterator[Finding]:
    if _group(value) == CALICO_GROUP and str(at(value, "kind")) not in _CALICO_KINDS:
        return
    try:
        manifest = shelf.admit(value)
        shelf.put(value, manifest, Context(World.of(), shelf.profile))
    except ManifestError as bad:
        yield Finding(
            code="manifest-refused",
            severity=Severity.ERROR,
            subject=_place(value, bad.path),
            seen=bad.reason,
        )


_CALICO_KINDS = frozenset(
    {
        "NetworkPolicy",
        "GlobalNetworkPolicy",
        "StagedNetworkPolicy",
        "StagedGlobalNetworkPolicy",
        "StagedKubernetesNetworkPolicy",
        "Tier",
        "Profile",
    }
)


def _place(value: object, path: str) -> str:
    return f"{described(value)} {path}".strip()


def _cidrs(value: object) -> Iterator[Finding]:
    for leaf in leaves(value):
        if leaf.key not in _CIDRS | _LISTS or not isinstance(leaf.field.value, str):
            continue
        texts = leaf.field.value.split(",") if leaf.key in _LISTS else [leaf.field.value]
        for text in texts:
            try:
                read_cidr(Field(text.strip(), leaf.field.path), bare=leaf.key in _BARE)
            except CidrError as bad:
                yield Finding(
                    code=bad.flaw,
                    severity=Severity.ERROR,
                    subject=_place(value, bad.path),
                    seen=bad.reason,
                    remedy=_REMEDIES[bad.flaw],
                )


def _families(value: object, *keys: str) -> frozenset[Family]:
    """The families of the valid CIDRs under these keys, anywhere below."""
    found = set()
    for leaf in leaves(value):
        if leaf.key in keys and isinstance(leaf.field.value, str):
            try:
                found.add(Family.of(read_cidr(leaf.field, bare=True)))
            except CidrError:
                continue
    return frozenset(found)


def _rules(value: object) -> Iterator[tuple[str, list[object]]]:
    """The rules of a policy of any kind, by direction."""
    for direction in ("ingress", "egress"):
        if rules := listed(at(value, "spec", direction)):
            yield direction, rules


def _one_family(value: object) -> Iterator[Finding]:
    for direction, rules in _rules(value):
        free = [rule for rule in rules if at(rule, "ipVersion") is None]
        found = _families(free, "cidr", "nets", "notNets", "networks")
        if len(found) == 1:
            family = next(iter(found))
            yield Finding(
                code="one-family-nets",
                severity=Severity.WARNING,
                subject=_place(value, f"spec.{direction}"),
                seen=f"its networks are {family} only, and match nothing over {family.other}",
                wanted="networks of both families",
                remedy=f"add the {family.other} networks that mean the same",
            )


def _mixed_families(value: object) -> Iterator[Finding]:
    if _group(value) != CALICO_GROUP:
        return
    for direction, rules in _rules(value):
        for i, rule in enumerate(rules):
            if len(_families(rule, "nets", "notNets")) == 2:
                yield Finding(
                    code="mixed-families",
                    severity=Severity.WARNING,
                    subject=_place(value, f"spec.{direction}[{i}]"),
                    seen="one rule has networks of both families: Calico up to 3.31 refuses it",
                    wanted="a rule for each family",
                    remedy="split the rule",
                )


def _bare_addresses(value: object) -> Iterator[Finding]:
    if _group(value) != CALICO_GROUP:
        return
    for direction, rules in _rules(value):
        for leaf in leaves(rules, f"spec.{direction}"):
            if (
                leaf.key in _BARE
                and isinstance(leaf.field.value, str)
                and "/" not in leaf.field.value
            ):
                yield Finding(
                    code="bare-address",
                    severity=Severity.WARNING,
                    subject=_place(value, leaf.field.path),
                    seen=f"{leaf.field.value} has no prefix length: Calico up to 3.31 refuses it",
                    remedy="write /32 or /128 behind it",
                )


def _tier_prefix(value: object) -> Iterator[Finding]:
    tier, name = at(value, "spec", "tier"), at(value, "metadata", "name")
    if _group(value) != CALICO_GROUP or tier in (None, "", "default"):
        return
    if isinstance(name, str) and not name.startswith(f"{tier}."):
        yield Finding(
            code="tier-prefix",
            severity=Severity.WARNING,
            subject=_place(value, "metadata.name"),
            seen=f"the name does not begin with its tier, which Calico up to 3.31 wants: {tier}.",
            remedy=f"name it {tier}.{name}",
        )


def _named_ports(value: object, profile: ProviderProfile) -> Iterator[Finding]:
    if not profile.calico_api or _group(value) != "policy.networking.k8s.io":
        return
    for leaf in leaves(value):
        if leaf.key in ("namedPort", "destinationNamedPort"):
            yield Finding(
                code="named-port-unsupported",
                severity=Severity.WARNING,
                subject=_place(value, leaf.field.path),
                seen="Calico does not know named ports here: up to 3.31 the rule matches every "
                "port, from 3.32 on it fails closed",
                remedy="write the port's number",
            )


def _equal_priorities(values: list[object]) -> Iterator[Finding]:
    """Pairs of cluster-wide policies of which the API does not say which one wins."""
    ranked: dict[tuple[str, str, int], list[object]] = {}
    for value in values:
        kind, priority = str(at(value, "kind")), at(value, "spec", "priority")
        if kind in ("AdminNetworkPolicy", "ClusterNetworkPolicy") and isinstance(priority, int):
            key = kind, str(at(value, "spec", "tier")), priority
            ranked.setdefault(key, []).append(value)
    for (_, _, priority), some in ranked.items():
        for one, other in itertools.pairwise(some):
            yield Finding(
                code="equal-priority",
                severity=Severity.WARNING,
                subject=described(other),
                seen=f"has priority {priority}, as {described(one)} has: either may win",
                wanted="priorities that differ",
            )
