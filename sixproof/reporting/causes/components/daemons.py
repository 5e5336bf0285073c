"""Daemons: kube-proxy or Felix of a node does not follow, so that the node keeps old rules."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Iterator

from sixproof.agent.protocol import HealthSeen, NodeSeen
from sixproof.model import Disagreement, EndpointKind, Family, Flow, MatrixKind, Observation
from sixproof.probes.nodes import reader
from sixproof.reporting.causes.kernel.conntrack import is_full
from sixproof.reporting.conclusion.cause import Cause, CauseRule, Confidence, log_of, restart, since
from sixproof.reporting.conclusion.reach import alike, touches
from sixproof.reporting.conclusion.situation import Situation
from sixproof.reporting.matrix.grid import CellState, state_of

OF_FELIX = ("GET /", "Felix: ")
"""How questions begin that Felix of the destination's node answers itself (suites/felix)."""


def find(situation: Situation) -> Iterator[Cause]:
    """Each daemon of each node that does not answer its health port, or calls itself unhealthy;
    where connection tracking is full, that says nothing."""
    for node, seen in situation.nodes.items():
        if is_full(seen):
            continue  # a full table loses what is asked on loopback
        health = {one.asked: one for one in seen.health}
        proxy = situation.examination.of("kube-proxy", node)
        if proxy and (why := _sick(health.get(reader.KUBE_PROXY))):
            last = _last_update(situation.earlier.get(node))
            yield Cause(
                "kube-proxy",
                f"node {node}",
                "kube-proxy does not follow what the API server says of services, over IPv4 and "
                "IPv6 alike",
                f"See its log, then restart {proxy[0].name}",
                tuple(Family),
                Confidence.SHOWN,
                hits=_to_services(node),
                evidence=(
                    why,
                    *([f"the API server calls {proxy[0].name} Ready"] if proxy[0].ready else []),
                    *_services(situation, node),
                    *([f"it last followed at {last} or later"] if last else []),
                    *_others(situation, node, reader.KUBE_PROXY, "kube-proxy"),
                ),
                do=(log_of(proxy[0]), restart(proxy[0])),
                since=_since(situation, node, reader.KUBE_PROXY),
            )
        calico = situation.examination.of("calico-node", node)
        if calico and (why := _sick(health.get(reader.FELIX))):
            yield Cause(
                "felix",
                f"node {node}",
                "Felix does not follow: new and changed policies, pods and routes do not take "
                "effect there, over IPv4 and IPv6 alike",
                f"See its log, then restart {calico[0].name}",
                tuple(Family),
                Confidence.FITS,
                hits=_of_policies(node),
                evidence=(why, *_others(situation, node, reader.FELIX, "Felix")),
                briefer=(
                    "Felix does not follow: new policies, pods and routes have no effect there, "
                    "over IPv4 and IPv6 alike",
                ),
                do=(log_of(calico[0]), restart(calico[0])),
                since=_since(situation, node, reader.FELIX),
            )


def _services(situation: Situation, node: str) -> Iterator[str]:
    """How many of the services that were dialled at a node, or from there, failed."""

    def dialled(seen: Observation) -> bool:
        return seen.outcome.measured and _is_sent_on(seen.flow, node)

    wrong = [w for w in situation.wrong_of(MatrixKind.FLOWS) if dialled(w.observation)]
    leaks = {w.observation.flow for w in wrong if _is_leak(w)}
    failing = [w for w in wrong if not _is_leak(w)]
    bad = {_service(w.observation.flow) for w in failing}
    seen = [o.flow for o in situation.seen_of(MatrixKind.FLOWS) if dialled(o)]
    measured = bad | {_service(flow) for flow in seen if flow not in leaks}
    if bad:
        services = f"service{'' if len(measured) == 1 else 's'} dialled there"
        yield f"{len(bad)} of {len(measured)} {services} failed{alike(failing)}"


def _is_sent_on(flow: Flow, node: str) -> bool:
    """Whether kube-proxy's rules on a node send a flow on; a HostPort is the CNI's."""
    return flow.destination.kind is EndpointKind.SERVICE and touches(flow, node)


def _is_leak(wrong: Disagreement) -> bool:
    """Whether a flow was carried that a policy must deny."""
    return state_of(wrong.observation.outcome, wrong.expected) is CellState.LEAK


def _service(flow: Flow) -> tuple[str, str]:
    """A service by namespace and name, at whichever of its addresses it is dialled: ``web at
    worker`` and ``web (2)`` are ``web``."""
    return flow.destination.namespace, flow.destination.name.partition(" ")[0]


def _sick(health: HealthSeen | None) -> str:
    """Why a daemon is not well, "" where it is or is not there at all."""
    if health is None or health.status == 200:
        return ""
    if health.status:
        return f"its health port {health.asked} says {health.status}"
    return f"its health port {health.asked} gives {health.error or 'no answer'}"


def _since(situation: Situation, node: str, asked: str) -> str:
    earlier = situation.earlier.get(node)
    before = next((h for h in earlier.health if h.asked == asked), None) if earlier else None
    if before is None:
        return ""
    return since(bool(_sick(before)))


def _others(situation: Situation, node: str, asked: str, what: str) -> Iterator[str]:
    well = [
        other
        for other, seen in situation.nodes.items()
        if other != node and any(h.asked == asked and h.status == 200 for h in seen.health)
    ]
    if well:
        yield f"{what} is well on {', '.join(well)}"


def _last_update(seen: NodeSeen | None) -> str:
    """When kube-proxy had last updated its rules, by its health port; "" where it does not say."""
    body = next((h.body for h in seen.health if h.asked == reader.KUBE_PROXY), "") if seen else ""
    try:
        timestamp = str(json.loads(body)["lastUpdated"])
        when = datetime.datetime.strptime(timestamp[:19], "%Y-%m-%d %H:%M:%S")
    except (ValueError, KeyError, TypeError):
        return ""
    return when.strftime("%H:%M:%S UTC") if "UTC" in timestamp else ""


def _to_services(node: str) -> Callable[[Disagreement], bool]:
    def hits(wrong: Disagreement) -> bool:
        return _is_sent_on(wrong.observation.flow, node)

    return hits


def _of_policies(node: str) -> Callable[[Disagreement], bool]:
    def hits(wrong: Disagreement) -> bool:
        flow = wrong.observation.flow
        if flow.question.startswith(OF_FELIX):
            return flow.destination.node == node
        pods = EndpointKind.POD in (flow.source.kind, flow.destination.kind)
        return pods and touches(flow, node)

    return hits


RULES = (
    CauseRule(
        "kube-proxy",
        "kube-proxy of a node hangs or reports that it is unhealthy",
        "kube-proxy's health port 10256 on each node",
        find,
        ("R1",),
        "Kubernetes documentation, kube-proxy: --healthz-bind-address",
    ),
    CauseRule(
        "felix",
        "Felix of a node hangs or reports that it is unhealthy",
        "Felix's health port 9099 on each node",
        find,
        ("C2",),
        "Calico documentation, Felix configuration: HealthEnabled",
    ),
)
