"""All policies of a cluster, in order, and the plans that follow for its endpoints."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from sixproof.policy.calico import policies as calico
from sixproof.policy.engine.context import Context, NetworkSet
from sixproof.policy.engine.decision import Decision, Verdict
from sixproof.policy.engine.packet import PolicyPeer
from sixproof.policy.engine.plan import EvaluationPlan, TierPlan, groups_of
from sixproof.policy.engine.provider import ProviderProfile
from sixproof.policy.engine.rules import Direction, Policy, PolicyRef, Tier
from sixproof.policy.manifests.manifest_compiler import ManifestCompiler, naming, objects, own_tiers
from sixproof.policy.snapshot.snapshot import ClusterSnapshot


@dataclasses.dataclass(frozen=True, slots=True)
class CompiledPolicies:
    """Tiers with their policies, in order; profiles by name; nodes that host endpoints guard."""

    tiers: tuple[tuple[Tier, tuple[Policy, ...]], ...]
    profiles: Mapping[str, Policy]
    guarded: frozenset[str]
    stages: dict[tuple[Direction, str, tuple[PolicyRef, ...]], TierPlan]

    @classmethod
    def of(
        cls, manifests: Iterable[object], snapshot: ClusterSnapshot, profile: ProviderProfile
    ) -> CompiledPolicies:
        """The compiled policies of these manifests.

        Raises:
            ManifestError: one is malformed; the reason names the object.
        """
        compiler = ManifestCompiler(profile, *own_tiers(profile))
        admitted = []
        sets: list[NetworkSet] = []
        for value in objects(manifests):
            with naming(value):
                manifest = compiler.admit(value)
                admitted.append((value, manifest))
                if manifest.kind.endswith("NetworkSet"):
                    sets.append(calico.compile_network_set(manifest, snapshot))
        context = Context(snapshot, profile, tuple(sets))
        for value, manifest in admitted:
            with naming(value):
                compiler.put(value, manifest, context)
        return cls(compiler.sorted(), compiler.profiles, frozenset(compiler.guarded), {})

    def plan(self, direction: Direction, subject: PolicyPeer) -> EvaluationPlan:
        """Everything that decides one direction of a subject."""
        space, account = subject.namespace, subject.endpoint.service_account
        names = (f"kns.{space}", f"ksa.{space}.{account}")
        profiles = tuple(self.profiles[name] for name in names if name in self.profiles)
        replaced = names[0] in self.profiles
        tiers = (*self.tiers, (calico.PROFILES, profiles)) if replaced else self.tiers
        selecting = []
        for tier, policies in tiers:
            some = [p for p in policies if not p.inert and direction in p.rules]
            if chosen := [p for p in some if p.selects(subject)]:
                selecting.append((tier, groups_of(chosen)))
        note = "no policy that selects {subject} decides" if selecting else ""
        note = note or f"no policy selects {{subject}} for {direction}"
        return EvaluationPlan(
            direction=direction,
            selecting=tuple(selecting),
            stages=tuple(self._stage(direction, tier, groups) for tier, groups in selecting),
            final=Decision(Verdict.ALLOWED, direction, note=note),
        )

    def _stage(
        self, direction: Direction, tier: Tier, groups: tuple[tuple[Policy, ...], ...]
    ) -> TierPlan:
        """The stage of these policies, one for all subjects that they select together."""
        key = direction, tier.name, tuple(policy.ref for group in groups for policy in group)
        found = self.stages.get(key)
        if found is None:
            found = self.stages[key] = TierPlan.of(direction, tier, groups)
        return found
