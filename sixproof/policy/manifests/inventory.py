"""What files hold for the oracle: policies, a cluster, and what is left out; with everything that
is wrong with them, not only the first of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator

from sixproof.errors import ManifestError, brief
from sixproof.policy.calico import policies as calico
from sixproof.policy.engine.context import Context
from sixproof.policy.engine.provider import ProviderProfile
from sixproof.policy.manifests.intake import Intake, Left, is_like_an_object, joined, take
from sixproof.policy.manifests.manifest import RENDER, shown
from sixproof.policy.manifests.manifest_compiler import ManifestCompiler, objects, own_tiers
from sixproof.policy.manifests.placed import Placed
from sixproof.policy.manifests.tree import leaves, text_at
from sixproof.policy.snapshot.cluster_objects import CLUSTER, Roster
from sixproof.policy.snapshot.snapshot import ClusterSnapshot


@dataclasses.dataclass(frozen=True, slots=True)
class Inventory:
    """The objects that matter, and why some cannot be read. `policies` have their places; `intake`
    says what else there is."""

    policies: tuple[Placed, ...]
    roster: Roster
    intake: Intake
    refusals: tuple[str, ...]

    @classmethod
    def of(cls, values: Iterable[Placed], namespace: str) -> Inventory:
        """The inventory of these objects; `namespace` is that of those which name none."""
        policies: list[Placed] = []
        intakes: list[Intake] = []
        refusals: list[str] = []
        roster = Roster(namespace)
        for one in values:
            for value in objects([one.value]):
                part = dataclasses.replace(one, value=value)
                try:
                    found = _taken(value, namespace, roster)
                except ManifestError as bad:
                    refusals.append(part.refusal(bad))
                    continue
                policies += [dataclasses.replace(part, value=p) for p in found.policies]
                intakes.append(found)
        return cls(tuple(policies), roster, joined(intakes), tuple(refusals))

    def left_out(self) -> tuple[str, ...]:
        """What was left out, in a few sentences, and what is given twice."""
        left = dataclasses.replace(self.intake, defaulted=()).notes()
        twice = (f"{one} is given twice, the last one counts" for one in self.roster.repeated)
        return (*left, *dict.fromkeys(twice))

    def wrong(self, profile: ProviderProfile) -> tuple[str, ...]:
        """Everything that is wrong with the objects, for a provider."""
        return (*self.refusals, *_checked(self.policies, profile))


def _taken(value: object, namespace: str, roster: Roster) -> Intake:
    """One object, sorted; a part of the cluster goes into the roster, and is not left out.

    Raises:
        ManifestError: it means to be a policy and is none, or it is of a template that is not
            rendered: what is in braces would be read as text.
    """
    if isinstance(value, list) and not any(map(is_like_an_object, value)):
        return Intake(left=(Left("", ""),))  # as the patches of a kustomization are
    found = take([value], namespace)
    for policy in found.policies:
        for leaf in leaves(policy.get("spec"), "spec"):
            if isinstance(leaf.field.value, str) and "{{" in leaf.field.value:
                raise leaf.field.error(f"{shown(leaf.field.value)} {RENDER}")
    if (text_at(value, "apiVersion"), text_at(value, "kind")) not in CLUSTER:
        return found
    taken = [roster.take(other) for other in found.others]
    return dataclasses.replace(found, left=()) if all(taken) else found


def _checked(policies: Iterable[Placed], profile: ProviderProfile) -> Iterator[str]:
    compiler = ManifestCompiler(profile, *own_tiers(profile))
    snapshot = ClusterSnapshot.of()
    context = Context(snapshot, profile)
    places: dict[int, Placed] = {}
    for one in policies:
        try:
            manifest = compiler.admit(one.value)
            if manifest.kind.endswith("NetworkSet"):
                calico.compile_network_set(manifest, snapshot)
            compiler.put(one.value, manifest, context)
        except ManifestError as bad:
            yield one.refusal(bad)
        places[id(one.value)] = one
    for value, policy in compiler.policies:
        if policy.tier not in compiler.tiers:
            tier = brief(policy.tier, 60)
            missing = f"no file holds tier {tier}, so its place is not known: add its Tier"
            reason = f"{missing}, or say --tier {tier}=ORDER"
            yield places[id(value)].refusal(ManifestError("spec.tier", reason))
