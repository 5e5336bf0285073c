"""What the cluster-wide policy APIs share: subjects, peers, and failing closed.

Source: sigs.k8s.io/network-policy-api, apis/v1alpha1 and apis/v1alpha2.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from sixproof.policy.engine.context import Context, pods_of
from sixproof.policy.engine.packet import PolicyPeer
from sixproof.policy.engine.provider import ProviderAnswer
from sixproof.policy.engine.rules import (
    Action,
    Condition,
    Direction,
    Needs,
    PacketSide,
    PeerTest,
    Rule,
    about,
    any_of,
)
from sixproof.policy.kubernetes.labels import LabelSelector, read_label_selector
from sixproof.policy.manifests.manifest import Field, shown
from sixproof.policy.snapshot.networks import Networks, read_cidr


@dataclasses.dataclass(frozen=True, slots=True)
class ClusterPeer:
    """A peer in words and as a test; `unsupported` where the provider does not implement it."""

    text: str
    test: PeerTest
    is_pods: bool = True
    unsupported: bool = False


def read_subject(field: Field, *, both: bool) -> tuple[str, Callable[[PolicyPeer], bool]]:
    """The pods that a cluster-wide policy selects, never hostNetwork pods. With `both`, pods are
    chosen by two selectors, neither of which may be left out (v1alpha1).

    Raises:
        ManifestError: it has not exactly one of `namespaces` and `pods`.
    """
    chosen = field.fields("namespaces", "pods").only_one("namespaces", "pods")
    return _pods(chosen, both=both)


def _pods(field: Field, *, both: bool) -> tuple[str, Callable[[PolicyPeer], bool]]:
    if field.path.endswith(".namespaces"):
        spaces, pods = read_label_selector(field), LabelSelector()
    else:
        found = field.fields("namespaceSelector", "podSelector")
        space = found.need("namespaceSelector") if both else found.get("namespaceSelector")
        spaces = read_label_selector(space)
        pods = read_label_selector(found.need("podSelector"))
    return f"pods with {pods} in namespaces with {spaces}", pods_of(spaces, pods)


def read_peer(field: Field, direction: Direction, context: Context, *, both: bool) -> ClusterPeer:
    """One peer of a rule; `both` as in `read_subject`.

    Raises:
        ManifestError: it has not exactly one of the kinds of peer of that direction.
    """
    kinds = ["namespaces", "pods"]
    if direction is Direction.EGRESS:
        kinds += ["networks", "nodes", "domainNames"]
    chosen = field.fields(*kinds).only_one(*kinds)
    match chosen.path.rpartition(".")[2]:
        case "networks":
            return _networks(chosen, context)
        case "nodes":
            return _nodes(chosen, context)
        case "domainNames":
            return _domains(chosen, context)
        case _:
            return ClusterPeer(*_pods(chosen, both=both))


def _networks(field: Field, context: Context) -> ClusterPeer:
    """Networks match pods too: the API says so, whatever the provider does with ipBlocks."""
    items = field.items(at_most=25)
    for item in items:
        if ":" in item.text() and "." in item.text():
            raise item.error(f"{shown(item.value)} mixes the notations of IPv4 and IPv6")
    networks = Networks.of(map(read_cidr, items))
    always = dataclasses.replace(context.profile, ip_block_matches_pods=ProviderAnswer.YES)
    test = dataclasses.replace(context, profile=always).in_networks(networks)
    return ClusterPeer(f"in {networks}", test, is_pods=False)


def _nodes(field: Field, context: Context) -> ClusterPeer:
    selector = read_label_selector(field)
    addresses = frozenset(
        address
        for node in context.snapshot.nodes.values()
        if selector.matches(dict(node.labels))
        for address in node.addresses
    )
    text = f"nodes with {selector}"
    match context.profile.node_peers:
        case ProviderAnswer.YES:
            return ClusterPeer(text, lambda peer: peer.address in addresses, is_pods=False)
        case ProviderAnswer.NO:
            return ClusterPeer(text, lambda _: False, is_pods=False, unsupported=True)
        case _:
            return ClusterPeer(f"{text} (experimental)", lambda _: None, is_pods=False)


def _domains(field: Field, context: Context) -> ClusterPeer:
    names = ", ".join(item.text() for item in field.items(at_most=25))
    if context.profile.domain_peers is ProviderAnswer.NO:
        return ClusterPeer(names, lambda _: False, is_pods=False, unsupported=True)
    return ClusterPeer(f"{names} (not resolved here)", lambda _: None, is_pods=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Draft:
    """A cluster-wide rule before its peers are looked at."""

    index: int
    direction: Direction
    action: Action
    name: str
    ports: Condition | None


def finish(draft: Draft, peers: list[ClusterPeer]) -> Rule:
    """The rule of a draft. With a peer that the provider does not know, it fails closed: Allow
    matches nothing, Deny and Pass deny everything."""
    if any(peer.unsupported for peer in peers):
        if draft.action is Action.ALLOW:
            never = Condition("a peer that this provider knows", lambda _: False, Needs.PORT)
            return Rule(draft.index, draft.action, (never,), draft.name)
        return Rule(draft.index, Action.DENY, (), draft.name)
    ingress = draft.direction is Direction.INGRESS
    side = PacketSide.SOURCE if ingress else PacketSide.DESTINATION
    wanted = f"{side} is {' or '.join(peer.text for peer in peers)}"
    who = about(side, wanted, any_of(peer.test for peer in peers))
    conditions = (who,) if draft.ports is None else (draft.ports, who)
    return Rule(draft.index, draft.action, conditions, draft.name)
