"""What is wrong, or will surprise, in manifests: findings instead of the first error."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping

from sixproof.errors import ManifestError, brief
from sixproof.model import Family, Finding, FindingType, Severity
from sixproof.policy.engine.context import Context
from sixproof.policy.engine.provider import CALICO, ProviderProfile
from sixproof.policy.manifests.intake import judged, keyed
from sixproof.policy.manifests.manifest import Field, shown
from sixproof.policy.manifests.manifest_compiler import (
    ADMIN_GROUP,
    CALICO_GROUP,
    KUBERNETES_GROUP,
    STORAGE_GROUP,
    ManifestCompiler,
    described,
    objects,
    own_tiers,
    subject_of,
)
from sixproof.policy.manifests.pitfalls import pitfalls
from sixproof.policy.manifests.tree import at, leaves, listed, text_at
from sixproof.policy.snapshot.networks import CidrError, Flaw, has_padded_octets, read_cidr
from sixproof.policy.snapshot.snapshot import ClusterSnapshot

FLAWS = {
    flaw: FindingType(flaw.value, title, "RFC 4632 section 3.1, RFC 4291 section 2.3")
    for flaw, title in (
        (Flaw.UNPARSEABLE, "A network is written as an address and a prefix length"),
        (Flaw.HOST_BITS, "A network has no bits set beyond its prefix"),
        (Flaw.LEADING_ZEROS, "A network has no leading zeros"),
        (Flaw.MAPPED, "An IPv4 network is not written as an IPv4-mapped IPv6 network"),
    )
}
MORE_FINDINGS = FindingType("more-findings", "One object has no more findings than are listed")
STORED_DIRECTLY = FindingType(
    "storage-group",
    "Calico's objects are written to the API that validates them",
    "Calico API reference",
)
MANIFEST_REFUSED = FindingType(
    "manifest-refused",
    "The API accepts the policy",
    "NetworkPolicy v1, Calico API reference, KEP-2091",
)
ONE_FAMILY_NETS = FindingType("one-family-nets", "The networks of a policy cover both families")
MIXED_FAMILIES = FindingType(
    "mixed-families",
    "A rule names networks of one family only",
    "Calico API reference: EntityRule nets",
)
BARE_ADDRESS = FindingType(
    "bare-address", "A network has a prefix length", "Calico API reference: EntityRule nets"
)
TIER_PREFIX = FindingType(
    "tier-prefix", "A policy's name begins with its tier", "Calico API reference: Tier"
)
NAMED_PORT_UNSUPPORTED = FindingType(
    "named-port-unsupported", "The provider supports the kind of port that a rule names", "KEP-2091"
)
EQUAL_PRIORITY = FindingType(
    "equal-priority", "Priorities of cluster-wide policies differ", "KEP-2091"
)

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
    Flaw.LEADING_ZEROS: "drop the zeros",
    Flaw.MAPPED: "write the IPv4 network",
}


_MOST = 40
"""Findings about one object that are listed one by one."""


def audit(manifests: Iterable[object], profile: ProviderProfile = CALICO) -> tuple[Finding, ...]:
    """Findings about manifests of any kind, policies above all. Nothing in them raises."""
    values = list(objects(manifests))
    compiler = ManifestCompiler(profile, *own_tiers(profile))
    findings = [finding for value in values for finding in _bounded(value, compiler)]
    findings += _equal_priorities(values)
    findings += pitfalls(values)
    return tuple(findings)


def _bounded(value: object, compiler: ManifestCompiler) -> Iterator[Finding]:
    """The findings about one object, up to a readable number."""
    every = _of_one(value, compiler)
    yield from itertools.islice(every, _MOST)
    if more := sum(1 for _ in every):
        yield MORE_FINDINGS.found(
            severity=Severity.WARNING,
            subject=subject_of(value),
            seen=f"{more} further findings about it are not listed",
        )


def _of_one(value: object, compiler: ManifestCompiler) -> Iterator[Finding]:
    cidrs = list(_cidrs(value))
    yield from cidrs
    if _group(value) == STORAGE_GROUP:
        yield STORED_DIRECTLY.found(
            severity=Severity.ERROR,
            subject=subject_of(value),
            seen=f"is written to {STORAGE_GROUP}, which neither validates nor defaults",
            wanted=f"{CALICO_GROUP}/v3",
            remedy=f"set apiVersion: {CALICO_GROUP}/v3 and apply it to Calico's API server",
        )
    elif all(_is_taken(value, f.code) for f in cidrs) and _is_policy(value):
        yield from _refused(value, compiler)
    elif isinstance(value, Mapping):
        yield from _misnamed(value, compiler)
    yield from _one_family(value)
    yield from _mixed_families(value)
    yield from _bare_addresses(value)
    yield from _tier_prefix(value)
    yield from _named_ports(value, compiler.profile)


def _group(value: object) -> str:
    return text_at(value, "apiVersion").rpartition("/")[0]


def _is_policy(value: object) -> bool:
    """Whether this means to be one: policies of all kinds, and what else is in their API groups."""
    group = _group(value)
    return group in (CALICO_GROUP, ADMIN_GROUP) or (
        group == KUBERNETES_GROUP and "Policy" in text_at(value, "kind")
    )


def _refused(value: object, compiler: ManifestCompiler) -> Iterator[Finding]:
    if _group(value) == CALICO_GROUP and text_at(value, "kind") not in _CALICO_KINDS:
        return
    try:
        manifest = compiler.admit(value)
        compiler.put(value, manifest, Context(ClusterSnapshot.of(), compiler.profile))
    except ManifestError as bad:
        yield _refusal(value, bad)


def _misnamed(value: Mapping[object, object], compiler: ManifestCompiler) -> Iterator[Finding]:
    """What means to be a policy and is none, by a typo in its kind, or its API group."""
    try:
        if judged(keyed(value)):
            compiler.admit(value)
    except ManifestError as bad:
        yield _refusal(value, bad)


def _refusal(value: object, bad: ManifestError) -> Finding:
    return MANIFEST_REFUSED.found(
        severity=Severity.ERROR, subject=subject_of(value, bad.path), seen=bad.reason
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


def _cidrs(value: object) -> Iterator[Finding]:
    for leaf in leaves(value):
        if leaf.key not in _CIDRS | _LISTS or not isinstance(leaf.field.value, str):
            continue
        texts = leaf.field.value.split(",") if leaf.key in _LISTS else [leaf.field.value]
        for text in texts:
            try:
                read_cidr(Field(text.strip(), leaf.field.path), bare=leaf.key in _BARE)
            except CidrError as bad:
                yield _bad_cidr(value, text.strip(), bad)


def _bad_cidr(value: object, text: str, bad: CidrError) -> Finding:
    """A NetworkPolicy that strict validation (KEP-4858, on by default from Kubernetes 1.36) would
    refuse is valid before, with a warning. Calico's parser takes no octets with leading zeros: of
    the peer nothing is left then, and the rule allows every address; of its exceptions those before
    the first such one are left."""
    taken = _is_taken(value, bad.flaw)
    seen = bad.reason
    misread = taken and has_padded_octets(text)
    excepted = ".except" in bad.path
    if taken and not misread:
        seen += ": the API up to 1.35 takes it, and it is read so"
    if misread:
        seen += ": Calico cannot read it and then "
        seen += "ignores it and later exceptions" if excepted else "allows every address"
    return FLAWS[bad.flaw].found(
        severity=Severity.WARNING if taken and not misread else Severity.ERROR,
        subject=subject_of(value, bad.path),
        seen=seen,
        remedy=_REMEDIES[bad.flaw],
        families=() if not misread else (Family.IPV4,) if excepted else tuple(Family),
    )


def _is_taken(value: object, flaw: str) -> bool:
    """Whether a network with this flaw is read all the same, and the rest of its object with it."""
    of_kubernetes = _group(value) == KUBERNETES_GROUP and text_at(value, "kind") == "NetworkPolicy"
    return of_kubernetes and flaw != Flaw.UNPARSEABLE


def _families(value: object, *keys: str) -> frozenset[Family]:
    """The families of the valid CIDRs under these keys, anywhere below."""
    found = set()
    for leaf in leaves(value):
        if leaf.key in keys and isinstance(leaf.field.value, str):
            try:
                found.add(Family.of(read_cidr(leaf.field, bare=True, legacy=True)))
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
            yield ONE_FAMILY_NETS.found(
                severity=Severity.WARNING,
                subject=subject_of(value, f"spec.{direction}"),
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
                yield MIXED_FAMILIES.found(
                    severity=Severity.WARNING,
                    subject=subject_of(value, f"spec.{direction}[{i}]"),
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
                address = brief(leaf.field.value, 60)
                yield BARE_ADDRESS.found(
                    severity=Severity.WARNING,
                    subject=subject_of(value, leaf.field.path),
                    seen=f"{address} has no prefix length: Calico up to 3.31 refuses it",
                    remedy="write /32 or /128 behind it",
                )


def _tier_prefix(value: object) -> Iterator[Finding]:
    tier, name = text_at(value, "spec", "tier"), text_at(value, "metadata", "name")
    if _group(value) != CALICO_GROUP or tier in ("", "default"):
        return
    if name and not name.startswith(f"{tier}."):
        tier, name = brief(tier, 63), brief(name, 63)
        yield TIER_PREFIX.found(
            severity=Severity.WARNING,
            subject=subject_of(value, "metadata.name"),
            seen=f"the name does not begin with its tier, which Calico up to 3.31 wants: {tier}.",
            remedy=f"name it {tier}.{name}",
        )


def _named_ports(value: object, profile: ProviderProfile) -> Iterator[Finding]:
    if not profile.calico_api or _group(value) != ADMIN_GROUP:
        return
    for leaf in leaves(value):
        if leaf.key == "namedPort":
            yield NAMED_PORT_UNSUPPORTED.found(
                severity=Severity.WARNING,
                subject=subject_of(value, leaf.field.path),
                seen="Calico up to 3.31 does not know named ports here: the rule matches every "
                "port of every protocol",
                remedy="write the port's number",
            )


def _equal_priorities(values: list[object]) -> Iterator[Finding]:
    """Pairs of cluster-wide policies of which the API does not say which one wins."""
    ranked: dict[tuple[str, str, int], list[object]] = {}
    for value in values:
        kind, priority = text_at(value, "kind"), at(value, "spec", "priority")
        if kind in ("AdminNetworkPolicy", "ClusterNetworkPolicy") and isinstance(priority, int):
            key = kind, text_at(value, "spec", "tier"), priority
            ranked.setdefault(key, []).append(value)
    for (_, _, priority), some in ranked.items():
        for one, other in itertools.pairwise(some):
            yield EQUAL_PRIORITY.found(
                severity=Severity.WARNING,
                subject=subject_of(other),
                seen=f"has priority {shown(priority)}, as {described(one)} has: either may win",
                wanted="priorities that differ",
            )
