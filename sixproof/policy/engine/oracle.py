"""The oracle: policies and a cluster, compiled once, asked about flows."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from sixproof.model import Endpoint, EndpointKind, Flow, IPAddress
from sixproof.policy.engine.compiled_policies import CompiledPolicies
from sixproof.policy.engine.decision import Decision, Verdict, agreed
from sixproof.policy.engine.judgement import Judgement, SideJudgement
from sixproof.policy.engine.packet import Icmp, Packet, PolicyPeer
from sixproof.policy.engine.plan import Decisions, EvaluationPlan
from sixproof.policy.engine.provider import CALICO, HostAction, ProviderProfile
from sixproof.policy.engine.route import EnforcementPoint, Route, node_name
from sixproof.policy.engine.router import Router
from sixproof.policy.engine.rules import Direction, Policy
from sixproof.policy.snapshot.snapshot import ClusterSnapshot

_MOST_PEERS = 100_000


@dataclasses.dataclass(frozen=True, slots=True)
class Oracle:
    """Judges flows; build it with `Oracle.of`. Judging changes nothing but its memory."""

    compiled_policies: CompiledPolicies
    snapshot: ClusterSnapshot
    profile: ProviderProfile
    peers: dict[tuple[Endpoint, IPAddress], PolicyPeer] = dataclasses.field(default_factory=dict)
    known: dict[tuple[int, int], tuple[Endpoint, IPAddress, PolicyPeer]] = dataclasses.field(
        default_factory=dict
    )
    """Pods' peers by the identities of their endpoint and address, which an entry keeps alive:
    hashing these takes longer than to judge a flow."""
    egress: dict[PolicyPeer, EvaluationPlan] = dataclasses.field(default_factory=dict)
    ingress: dict[PolicyPeer, EvaluationPlan] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(
        cls,
        manifests: Iterable[Mapping[str, object]],
        snapshot: ClusterSnapshot,
        profile: ProviderProfile = CALICO,
    ) -> Oracle:
        """The oracle of these manifests (parsed YAML or JSON; lists are taken apart).

        Raises:
            ManifestError: one of them is malformed, of no policy kind, or not for this provider.
        """
        return cls(CompiledPolicies.of(manifests, snapshot, profile), snapshot, profile)

    def within(self, snapshot: ClusterSnapshot) -> Oracle:
        """The same policies in another state of the cluster, of which nothing is known yet."""
        return Oracle(self.compiled_policies, snapshot, self.profile)

    @property
    def policies(self) -> tuple[Policy, ...]:
        """Every policy, in the order in which they are looked at."""
        return tuple(policy for _, some in self.compiled_policies.tiers for policy in some)

    def judge(self, flow: Flow, icmp: Icmp | None = None) -> Judgement:
        """What must happen to a flow. An ICMP flow is an echo request unless `icmp` says else."""
        guarded = self._guarded(flow)
        routes = Router(self.snapshot, self.profile, self.peer).routes(flow, icmp)
        if unknown := guarded or routes.unknown:
            return self._unknown(flow, unknown)
        sides = [(self._egress(flow, way), self._ingress(way)) for way in routes.ways]
        if len(sides) == 1:
            egress, ingress = sides[0]
            verdict = _both(egress, ingress)
        else:
            verdict = agreed({_both(out, into) for out, into in sides})
            egress, ingress = (_merged(some) for some in zip(*sides, strict=True))
        return Judgement(flow, verdict, egress, ingress, self.profile.deny_outcomes)

    def peer(self, endpoint: Endpoint, address: IPAddress) -> PolicyPeer:
        """The endpoint at an address, as rules see it."""
        identity = id(endpoint), id(address)
        if known := self.known.get(identity):
            return known[2]
        key = endpoint, address
        found = self.peers.get(key)
        if found is None:
            if len(self.peers) >= _MOST_PEERS:
                self._forget()
            found = self.peers[key] = PolicyPeer(endpoint, address, self.snapshot)
        if endpoint.kind is EndpointKind.POD:
            if len(self.known) >= _MOST_PEERS:
                self.known.clear()
            self.known[identity] = endpoint, address, found
        return found

    def _forget(self) -> None:
        for memory in (self.peers, self.known, self.egress, self.ingress):
            memory.clear()
        self.compiled_policies.stages.clear()

    def _guarded(self, flow: Flow) -> str:
        """Why a flow cannot be judged: a host endpoint guards the node that it touches."""
        if not self.compiled_policies.guarded:
            return ""
        for end in (flow.source, flow.destination):
            node = node_name(end)
            on_node = end.kind in (EndpointKind.HOST, EndpointKind.NODE)
            if on_node and node in self.compiled_policies.guarded:
                return f"a HostEndpoint guards node {node}; host endpoints are not judged"
        return ""

    def _unknown(self, flow: Flow, why: str) -> Judgement:
        egress, ingress = (
            SideJudgement(d, Verdict.UNDEFINED, end.name, (), (why,), None, ())
            for d, end in (
                (Direction.EGRESS, flow.source),
                (Direction.INGRESS, flow.destination),
            )
        )
        outcomes = self.profile.deny_outcomes
        return Judgement(flow, Verdict.UNDEFINED, egress, ingress, outcomes, why)

    def _egress(self, flow: Flow, way: Route) -> SideJudgement:
        side = self._side(Direction.EGRESS, flow.source.name, way.egress)
        if not way.own_node or self.profile.pods_reach_own_node is HostAction.ACCEPT:
            return side
        drop = self.profile.pods_reach_own_node is HostAction.DROP
        verdict = Verdict.DENIED if drop else Verdict.UNDEFINED
        note = "traffic of {subject} to its own node meets defaultEndpointToHostAction "
        note += self.profile.pods_reach_own_node
        after = Decision(verdict, Direction.EGRESS, note=note)
        passed = any(d.verdict is Verdict.ALLOWED for d in side.decisions)
        kept = [d for d in side.decisions if d.verdict is Verdict.DENIED]
        decisions = (*kept, *([after] if passed else []))
        verdict = agreed({d.verdict for d in decisions})
        return dataclasses.replace(side, decisions=decisions, verdict=verdict)

    def _ingress(self, way: Route) -> SideJudgement:
        hop = way.ingress
        name = hop.packets[0].destination.endpoint.name if hop.packets else ""
        return self._side(Direction.INGRESS, name, hop)

    def _side(self, direction: Direction, subject: str, hop: EnforcementPoint) -> SideJudgement:
        found = Decisions()
        if hop.exempt:
            found.decisions.append(Decision(Verdict.ALLOWED, direction, note=hop.exempt))
        plan = None
        for packet in hop.packets:
            plan = self._plan(direction, packet)
            plan.decide(packet, found)
        if hop.open:
            found.open.append(hop.open)
        decisions = tuple(found.decisions)
        if len(decisions) == 1:
            verdict = decisions[0].verdict
        else:
            verdict = agreed({decision.verdict for decision in decisions})
        return SideJudgement(
            direction, verdict, subject, decisions, tuple(found.open), plan, hop.packets
        )

    def _plan(self, direction: Direction, packet: Packet) -> EvaluationPlan:
        if direction is Direction.EGRESS:
            plans, subject = self.egress, packet.source
        else:
            plans, subject = self.ingress, packet.destination
        plan = plans.get(subject)
        if plan is None:
            plan = plans[subject] = self.compiled_policies.plan(direction, subject)
        return plan


def _both(egress: SideJudgement, ingress: SideJudgement) -> Verdict:
    """The verdict of a flow: either side may deny it, both must allow it."""
    verdicts = (egress.verdict, ingress.verdict)
    if Verdict.DENIED in verdicts:
        return Verdict.DENIED
    return Verdict.UNDEFINED if Verdict.UNDEFINED in verdicts else Verdict.ALLOWED


def _merged(sides: tuple[SideJudgement, ...]) -> SideJudgement:
    """One side over all the ways of a flow; a way that is not allowed is the one that is walked."""
    first = next((side for side in sides if side.verdict is not Verdict.ALLOWED), sides[0])
    return dataclasses.replace(
        first,
        subjects=tuple(side.subject for side in sides for _ in side.decisions),
        verdict=agreed({side.verdict for side in sides}),
        decisions=tuple(d for side in sides for d in side.decisions),
        open=("which endpoint of the service answers", *(o for s in sides for o in s.open)),
    )
