"""Policies compiled to predicates: conditions, rules, policies, tiers."""

from __future__ import annotations

import dataclasses
import enum
import math
from collections.abc import Callable, Iterable
from operator import attrgetter

from sixproof.policy.engine.packet import Packet, PolicyPeer
from sixproof.policy.engine.provider import ProviderAnswer

Test = Callable[[Packet], bool | None]
"""A question about a packet; None where the answer cannot be known."""

PeerTest = Callable[[PolicyPeer], bool | None]


class Direction(enum.StrEnum):
    """The side of a flow at which a policy acts."""

    EGRESS = "egress"
    INGRESS = "ingress"


class PacketSide(enum.StrEnum):
    """An end of a packet."""

    SOURCE = "source"
    DESTINATION = "destination"


class Action(enum.StrEnum):
    """What a rule does. ClusterNetworkPolicy's Accept is read as Allow."""

    ALLOW = "Allow"
    DENY = "Deny"
    PASS = "Pass"  # on to the next tier  # noqa: S105  # no password
    LOG = "Log"  # nothing, evaluation goes on


class Needs(enum.StrEnum):
    """What the answer to a condition hangs on."""

    PORT = "port"  # the family, the protocol, the port
    SOURCE = "source"
    DESTINATION = "destination"
    PACKET = "packet"  # several of these


@dataclasses.dataclass(frozen=True, slots=True)
class Condition:
    """One thing that a rule asks for; `wanted` says what, in a few words. `ask` is the question
    about the one end that it needs, None where it needs something else."""

    wanted: str
    test: Test
    needs: Needs = Needs.PACKET
    ask: PeerTest | None = None


_NEW = object()


def about(side: PacketSide, wanted: str, test: PeerTest) -> Condition:
    """A condition on one end of a packet, which is remembered per peer."""
    peer_of: Callable[[Packet], PolicyPeer] = attrgetter(side.value)

    def ask(peer: PolicyPeer) -> bool | None:
        answer = peer.memo.get(ask, _NEW)
        if answer is _NEW:
            answer = peer.memo[ask] = test(peer)
        return answer  # type: ignore[return-value]  # mypy does not know that only one is `_NEW`

    return Condition(wanted, lambda packet: ask(peer_of(packet)), Needs(side.value), ask)


def any_of(tests: Iterable[PeerTest]) -> PeerTest:
    """Whether any test holds; unknown where none holds for sure."""
    listed = tuple(tests)

    def test(peer: PolicyPeer) -> bool | None:
        found: bool | None = False
        for one in listed:
            answer = one(peer)
            if answer:
                return True
            if answer is None:
                found = None
        return found

    return test


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a manifest; `index` is its place in the list of its direction."""

    index: int
    action: Action
    conditions: tuple[Condition, ...] = ()
    name: str = ""


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class PolicyRef:
    """A policy by kind and name; `namespace` is empty for cluster-wide kinds."""

    kind: str
    namespace: str
    name: str
    calico: bool = False

    def __str__(self) -> str:
        if self.kind == "NetworkPolicy":
            prefix = "Calico " if self.calico else ""
            return f"{prefix}{self.namespace}/{self.name}"
        return f"{self.kind} {f'{self.namespace}/' if self.namespace else ''}{self.name}"


@dataclasses.dataclass(frozen=True, slots=True)
class Policy:
    """A policy: which endpoints it selects, in which directions, with which rules.

    `order` sorts it within its tier; where `undefined_ties`, the API leaves open which of two
    policies of equal order wins. `inert` says why a policy is never enforced on pods.
    """

    ref: PolicyRef
    tier: str
    subject: str
    selects: Callable[[PolicyPeer], bool]
    rules: dict[Direction, tuple[Rule, ...]]
    order: float = math.inf
    undefined_ties: bool = False
    inert: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Tier:
    """A tier; `default` applies to what it selects and no rule matches.

    `always`: it applies to pods that reach themselves via a service, whatever the provider does.
    `icmp` is the answer to whether it applies to ICMP.
    """

    name: str
    order: float
    default: Action
    always: bool = False
    icmp: ProviderAnswer = ProviderAnswer.YES

    @property
    def rank(self) -> tuple[float, str]:
        """Tiers go by order, then by name."""
        return self.order, self.name
