"""Items of the check-list that the API server answers: pods, Felix, pools, blocks, BGP."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

from sixproof.calico import ipam
from sixproof.calico.bgp import node_status
from sixproof.calico.state import CalicoState
from sixproof.kube.api import json_fields
from sixproof.kube.api.json_fields import Manifest
from sixproof.kube.facts import diagnostics, events
from sixproof.kube.facts.components import COMPONENTS
from sixproof.model import Family
from sixproof.reporting.bundle.evidence import RunEvidence
from sixproof.reporting.bundle.judged import Item, ItemFault, Judged

COMPONENT_PODS = Item(
    "components",
    "The pods of calico-node, kube-proxy and CoreDNS are ready",
    ("components/pods.json", "events.json"),
    "kubectl describe pod, and its log with --previous",
)
POD_ADDRESSES = Item(
    "pod-addresses",
    "Every probe pod has an address of each family of the cluster's pods",
    ("run/pods.json",),
    "look at the CNI configuration (assign_ipv6), the pools and calico-node's log on its node",
)
FELIX = Item(
    "felix-ipv6",
    "Felix does IPv6 on every node",
    ("calico/settings.json", "calico/felixconfigurations.json", "components/daemonsets.json"),
    "ipv6Support: true in FelixConfiguration, and FELIX_IPV6SUPPORT of calico-node",
)
POOLS = Item(
    "pools",
    "An enabled IP pool of each family is there",
    ("calico/ippools.json",),
    "enable or create an IPPool of the family",
)
BLOCKS = Item(
    "blocks",
    "Every node with pods has an IPAM block of each family",
    ("calico/blockaffinities.json", "calico/ipamblocks.json"),
    "look for a used-up pool, a nodeSelector, and the log of calico-node there",
)
BGP = Item(
    "bgp-sessions",
    "BGP sessions are established",
    ("calico/caliconodestatuses.json", "calico/bgppeers.json", "events.json"),
    "TCP 179 between the nodes, AS numbers, passwords, and calico-node's log (bird)",
)
STALE = datetime.timedelta(minutes=5)
"""Age at which a CalicoNodeStatus, which calico-node writes every 10 s, or an event of a probe that
fails is out of date."""
_NO_SESSION = "BGP not established with"


def judge(evidence: RunEvidence) -> Iterator[Judged]:
    """All of them."""
    yield _component_pods(evidence)
    yield _pod_addresses(evidence)
    for item, judge_state in ((FELIX, _felix), (POOLS, _pools), (BLOCKS, _blocks), (BGP, _bgp)):
        if not evidence.has_calico:
            yield item.unused(f"the CNI is {evidence.facts.cni or 'not known'}")
        elif evidence.calico is None:
            yield item.unseen("Calico's settings could not be read")
        else:
            yield judge_state(evidence, evidence.calico)


def _component_pods(evidence: RunEvidence) -> Judged:
    part = evidence.part(diagnostics.PODS)
    if part is None:
        return COMPONENT_PODS.unseen("pods were not read")
    wanted = dict(COMPONENTS)
    if not evidence.has_calico:
        del wanted["calico-node"]
    if evidence.facts.kube_proxy_mode == "none":
        del wanted["kube-proxy"]
    by_label: dict[str, list[Manifest]] = {label: [] for label in wanted}
    for pod in part.objects:
        if json_fields.text(pod, "metadata", "deletionTimestamp"):
            continue
        by_label.setdefault(json_fields.labels(pod).get("k8s-app", ""), []).append(pod)
    wrong = [
        ItemFault(f"{json_fields.name(pod)} on {node or 'no node'} is not ready", node=node)
        for label in wanted
        for pod in by_label[label]
        for node in (json_fields.text(pod, "spec", "nodeName"),)
        if json_fields.text(json_fields.condition(pod, "Ready"), "status") != "True"
    ]
    why = "; ".join(part.problems) or "no pod has this label (k8s-app)"
    unseen = {what: why for label, what in wanted.items() if not by_label[label]}
    summary = ", ".join(f"{len(by_label[label])} of {what}" for label, what in wanted.items())
    return COMPONENT_PODS.of_places(wrong, unseen, list(wanted), summary)


def _pod_addresses(evidence: RunEvidence) -> Judged:
    wrong = [
        ItemFault(f"{pod.name} has no {family} address", family, pod.node)
        for pod in evidence.pods
        for family in evidence.facts.families()
        if family not in pod.families()
    ]
    names = [pod.name for pod in evidence.pods]
    return POD_ADDRESSES.of_places(wrong, {}, names, f"{len(names)} probe pods")


def _felix(_: RunEvidence, state: CalicoState) -> Judged:
    if not state.pools_of(Family.IPV6) and state.pools:
        return FELIX.unused("there is no IPv6 pool")
    if unread := _unread(state, "felixconfigurations", "daemonsets"):
        return FELIX.unseen(unread)
    everywhere = ItemFault("ipv6Support is off: no policy is enforced for IPv6", Family.IPV6)
    wrong = [] if state.felix.ipv6 else [everywhere]
    wrong += [
        ItemFault(f"node {own.node}: ipv6Support is off", Family.IPV6, own.node)
        for own in state.felix.per_node
        if not own.ipv6
    ]
    return FELIX.of_places(wrong, {}, ["Felix"], "ipv6Support is on")


def _pools(evidence: RunEvidence, state: CalicoState) -> Judged:
    if unread := _unread(state, "ippools"):
        return POOLS.unseen(unread)
    if not state.pools:
        return POOLS.unseen("there is no pool: addresses come from elsewhere (host-local IPAM)")
    wrong = [
        ItemFault(f"no {f} pool for pods", f) for f in evidence.families if not state.pools_of(f)
    ]
    summary = ", ".join(f"{p.name} {p.cidr}" for f in evidence.families for p in state.pools_of(f))
    return POOLS.of_places(wrong, {}, ["pools"], summary)


def _blocks(evidence: RunEvidence, state: CalicoState) -> Judged:
    part = evidence.part(diagnostics.AFFINITIES)
    if part is None or part.problems:
        return BLOCKS.unseen(*(part.problems if part else ("not read",)))
    owned = ipam.ipam((), part.objects).affinities
    if not owned:
        return BLOCKS.unseen("no node has a block: addresses come from elsewhere (host-local IPAM)")
    has = {(node, Family.of(cidr)) for cidr, node in owned.items()}
    wrong: list[ItemFault] = []
    unseen: dict[str, str] = {}
    nodes = sorted({pod.node for pod in evidence.pods})
    for node in nodes:
        for family in evidence.families:
            pools = state.pools_of(family)
            if (node, family) in has or not pools:
                continue
            if part.cut or all(pool.node_selector != "all()" for pool in pools):
                why = "too many to read" if part.cut else "the nodeSelector of its pools decides"
                unseen[f"{node}, {family}"] = f"no block was seen, {why}"
            else:
                wrong.append(ItemFault(f"{node} has no {family} block of its own", family, node))
    summary = f"{len(owned)} blocks of {len(set(owned.values()))} nodes"
    return BLOCKS.of_places(wrong, unseen, nodes, summary)


def _bgp(evidence: RunEvidence, state: CalicoState) -> Judged:
    if not state.bgp.enabled:
        return BGP.unused(f"calico-node runs without BGP (backend {state.backend})")
    if unread := _unread(state, "daemonsets", "configmaps"):
        return BGP.unseen(unread)
    ready = [node.name for node in evidence.facts.nodes if node.ready]
    if len(ready) < 2 and not state.bgp.peers:
        return BGP.unused("one node, no BGPPeer: there is no peer")
    warnings = evidence.part(diagnostics.EVENTS)
    wrong = [
        ItemFault(json_fields.one_line(json_fields.text(event, "message"), 200))
        for event in (warnings.objects if warnings else ())
        if _NO_SESSION in json_fields.text(event, "message")
        and evidence.taken - events.last_seen(event) <= STALE
    ]
    part = evidence.part(diagnostics.NODE_STATUSES)
    unseen = dict.fromkeys(ready, "there is no CalicoNodeStatus with class BGP")
    good: list[str] = []
    for status in part.objects if part else ():
        node = json_fields.text(status, "spec", "node")
        if node not in unseen:
            continue
        if _is_stale(status, evidence.taken):
            unseen[node] = "its CalicoNodeStatus is old"
            continue
        sessions = _sessions(status)
        if sessions:
            del unseen[node]
            good.append(node)
        wrong += [
            ItemFault(f"{node}: {peer} is {how}", family, node)
            for family, peer, how in sessions
            if how != node_status.ESTABLISHED
        ]
    return BGP.of_places(wrong, unseen, good, f"on {len(good)} nodes")


def _sessions(status: Manifest) -> list[tuple[Family, str, str]]:
    """Peers of a node with the state of the session, in BIRD's words."""
    return [
        (
            family,
            json_fields.text(peer, "peerIP"),
            json_fields.text(peer, "state") or "without a state",
        )
        for family, key in node_status.PEERS.items()
        for peer in json_fields.entries(status, "status", "bgp", key)
    ]


def _is_stale(status: Manifest, now: datetime.datetime) -> bool:
    updated = json_fields.time_of(status, "status", "lastUpdated")
    return updated is None or now - updated > STALE


def _unread(state: CalicoState, *plurals: str) -> str:
    """Why what an item is about could not be read, "" where it was."""
    return "; ".join(u for u in state.unknown if any(plural in u for plural in plurals))
