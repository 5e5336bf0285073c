"""Where manifests end up while they are read: known kinds, compiled and sorted."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable, Iterator, Mapping

from sixproof.errors import ManifestError, Subject, brief
from sixproof.policy.calico import policies as calico
from sixproof.policy.engine.context import Context
from sixproof.policy.engine.provider import ProviderProfile, TieBreak
from sixproof.policy.engine.rules import Action, Policy, Tier
from sixproof.policy.kubernetes.admin_network_policy import (
    compile_admin,
    compile_baseline,
    compile_cluster,
)
from sixproof.policy.kubernetes.network_policy import compile_network_policy
from sixproof.policy.manifests.manifest import Field, Manifest, shown
from sixproof.policy.manifests.tree import at

KUBERNETES_GROUP = "networking.k8s.io"
ADMIN_GROUP = "policy.networking.k8s.io"
CALICO_GROUP = "projectcalico.org"
STORAGE_GROUP = "crd.projectcalico.org"
OLD_GROUP = "extensions"
"""The API group of NetworkPolicy until Kubernetes 1.15."""

KINDS = {
    (KUBERNETES_GROUP, "NetworkPolicy"): ("v1",),
    (ADMIN_GROUP, "AdminNetworkPolicy"): ("v1alpha1",),
    (ADMIN_GROUP, "BaselineAdminNetworkPolicy"): ("v1alpha1",),
    (ADMIN_GROUP, "ClusterNetworkPolicy"): ("v1alpha2",),
    **{
        (CALICO_GROUP, kind): ("v3",)
        for kind in [
            "NetworkPolicy",
            "GlobalNetworkPolicy",
            "StagedNetworkPolicy",
            "StagedGlobalNetworkPolicy",
            "StagedKubernetesNetworkPolicy",
            "Tier",
            "NetworkSet",
            "GlobalNetworkSet",
            "Profile",
            "HostEndpoint",
        ]
    },
}
"""The kinds that the oracle reads, with the versions of each."""

NAMESPACED = [
    "NetworkPolicy",
    "StagedNetworkPolicy",
    "StagedKubernetesNetworkPolicy",
    "NetworkSet",
]


def own_tiers(profile: ProviderProfile) -> tuple[dict[str, Tier], dict[str, str]]:
    """The provider's own tiers, and in which of them the kinds of the Kubernetes APIs are."""
    if profile.calico_api:
        kinds = {
            "NetworkPolicy": calico.DEFAULT_TIER,
            "AdminNetworkPolicy": "adminnetworkpolicy",
            "BaselineAdminNetworkPolicy": "baselineadminnetworkpolicy",
            "Admin": "kube-admin",
            "Baseline": "kube-baseline",
        }
        return dict(calico.BUILT_IN), kinds
    tiers = (
        Tier("Admin", 1, Action.PASS, always=True),
        Tier("NetworkPolicy", 2, Action.DENY, icmp=profile.icmp_policed),
        Tier("Baseline", 3, Action.PASS, always=True),
    )
    kinds = {"NetworkPolicy": "NetworkPolicy", "Admin": "Admin", "Baseline": "Baseline"}
    kinds |= {"AdminNetworkPolicy": "Admin", "BaselineAdminNetworkPolicy": "Baseline"}
    return {tier.name: tier for tier in tiers}, kinds


def objects(manifests: Iterable[object]) -> Iterator[object]:
    """The manifests, with lists (`List`, `NetworkPolicyList`) taken apart, lists in lists too."""
    yield from _apart(manifests, ())


def _apart(manifests: Iterable[object], around: tuple[int, ...]) -> Iterator[object]:
    for value in manifests:
        items = _items(value)
        if items is None or id(items) in around:
            yield value
            continue
        yield from _apart(_typed(value, items), (*around, id(items)))


def _items(value: object) -> list[object] | None:
    """The items of a list, None of anything else; lists of other kinds may hold what they like."""
    kind, items = (value.get(k) if isinstance(value, Mapping) else None for k in ("kind", "items"))
    if not isinstance(kind, str) or not isinstance(items, list) or not kind.endswith("List"):
        return None
    whole = kind == "List" or all(isinstance(item, Mapping) for item in items)
    return items if whole else None


def _typed(value: object, items: list[object]) -> Iterator[object]:
    """The items with the type that a list of one kind gives them."""
    kind = str(at(value, "kind"))
    typed = {} if kind == "List" else {"apiVersion": at(value, "apiVersion"), "kind": kind[:-4]}
    return ({**typed, **item} if isinstance(item, Mapping) else item for item in items)


def name_of(value: Mapping[str, object]) -> str:
    """The name of an object, behind that of its namespace, as far as it has them."""
    names = (at(value, "metadata", key) for key in ("namespace", "name"))
    return "/".join(brief(n, 63) for n in names if isinstance(n, str) and n)


def subject_of(value: object, part: str = "") -> Subject:
    """An object, or a part of it, by kind and name as far as it has them: at most 200 characters,
    and 160 of the part."""
    if not isinstance(value, Mapping):
        return Subject("", "a value that is no object", part=brief(part, 160))
    kind = value.get("kind", "an object without kind")
    kind = brief(kind, 64) if isinstance(kind, str) else shown(kind)
    return Subject(kind, name_of(value) or "without name", part=brief(part, 160))


def described(value: object) -> str:
    """The same of the whole object in words."""
    return subject_of(value).place


def read(value: object, profile: ProviderProfile) -> Manifest:
    """The parts of an object that all have, and whether the oracle reads its kind.

    Raises:
        ManifestError: it is malformed, of another kind, or not for this provider.
    """
    top = Field(value).mapping()
    written, kind = top.need("apiVersion"), top.need("kind")
    group, _, version = written.text().rpartition("/")
    versions = KINDS.get((group, kind.text()))
    if group == STORAGE_GROUP:
        storage = "is Calico's own storage, without defaults and validation"
        raise written.error(f"{written.text()} {storage}: write {CALICO_GROUP}/v3")
    if (group, kind.text()) == (OLD_GROUP, "NetworkPolicy"):
        wanted = f"write {KUBERNETES_GROUP}/v1"
        raise written.error(f"{written.text()} is not served since Kubernetes 1.16: {wanted}")
    if versions is None:
        raise kind.error(f"{written.text()} {kind.text()} is no policy that can be judged")
    if version not in versions:
        known = f"{group}/{versions[0]}"
        raise written.error(f"{kind.text()} is read as {known}, not as {written.text()}")
    if group == CALICO_GROUP and not profile.calico_api:
        raise written.error(f"provider {profile.name} does not enforce {group}")
    return Manifest.read(value, namespaced=kind.text() in NAMESPACED)


@dataclasses.dataclass(slots=True)
class ManifestCompiler:
    """Where manifests end up while they are read."""

    profile: ProviderProfile
    tiers: dict[str, Tier]
    kinds: dict[str, str]
    policies: list[tuple[object, Policy]] = dataclasses.field(default_factory=list)
    profiles: dict[str, Policy] = dataclasses.field(default_factory=dict)
    guarded: set[str] = dataclasses.field(default_factory=set)
    seen: set[tuple[str, str, str, str]] = dataclasses.field(default_factory=set)

    def admit(self, value: object) -> Manifest:
        """The manifest of an object that was not seen before."""
        manifest = read(value, self.profile)
        key = manifest.group, manifest.kind, manifest.namespace, manifest.name
        if key in self.seen:
            raise Field(manifest.name, "metadata.name").error("is given twice")
        self.seen.add(key)
        return manifest

    def put(self, value: object, manifest: Manifest, context: Context) -> None:
        """Compile one manifest that is no network set, and keep it."""
        match manifest.kind:
            case "NetworkSet" | "GlobalNetworkSet":
                return
            case "Tier":
                self.tiers[manifest.name] = calico.compile_tier(manifest)
            case "Profile":
                self.profiles[manifest.name] = calico.compile_profile(manifest, context)
            case "HostEndpoint":
                self.guarded.add(calico.read_host_endpoint(manifest))
            case _:
                self.policies.append((value, self._policy(manifest, context)))

    def _policy(self, manifest: Manifest, context: Context) -> Policy:
        if manifest.group == CALICO_GROUP:
            if manifest.kind == "StagedKubernetesNetworkPolicy":
                return calico.compile_staged_kubernetes(manifest, context)
            return calico.compile_policy(manifest, context)
        if manifest.kind == "ClusterNetworkPolicy":
            return compile_cluster(manifest, self.kinds, context)
        tier = self.kinds[manifest.kind]
        if manifest.kind == "AdminNetworkPolicy":
            return compile_admin(manifest, tier, context)
        if manifest.kind == "BaselineAdminNetworkPolicy":
            return compile_baseline(manifest, tier, context)
        return compile_network_policy(manifest, tier, context)

    def sorted(self) -> tuple[tuple[Tier, tuple[Policy, ...]], ...]:
        """The policies by tier, both in order."""
        by_tier: dict[str, list[Policy]] = {name: [] for name in self.tiers}
        for value, policy in self.policies:
            if policy.tier not in by_tier:
                with naming(value):
                    missing = "is not among the manifests, so its place is not known"
                    raise Field(policy.tier, "spec.tier").error(
                        f"tier {brief(policy.tier, 60)} {missing}"
                    )
            by_tier[policy.tier].append(policy)
        tie = _by_name if self.profile.tie_break is TieBreak.NAME else _by_key
        return tuple(
            (tier, tuple(sorted(by_tier[tier.name], key=lambda p: (p.order, tie(p)))))
            for tier in sorted(self.tiers.values(), key=lambda t: t.rank)
        )


def _by_name(policy: Policy) -> str:
    ref = policy.ref
    kind = ref.kind if ref.calico else f"Kubernetes{ref.kind}"
    return f"{ref.name}/{ref.namespace}/{kind}"


def _by_key(policy: Policy) -> str:
    """The key of Calico's storage, where names carry their tier and Kubernetes' a prefix."""
    ref = policy.ref
    prefix = f"{policy.tier}." if ref.calico else f"knp.{policy.tier}."
    name = ref.name if ref.name.startswith(prefix) else prefix + ref.name
    return f"{ref.namespace}/{name}" if ref.namespace else name


@contextlib.contextmanager
def naming(value: object) -> Iterator[None]:
    """Name the object in errors about it."""
    try:
        yield
    except ManifestError as bad:
        raise ManifestError(bad.path, f"{bad.reason} (in {described(value)})") from bad
