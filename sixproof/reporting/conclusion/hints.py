"""Hints: where no rule names a cause, those that fit, and the command that tells them apart."""

from __future__ import annotations

from sixproof.model import Disagreement, EndpointKind, Family, MatrixKind, Outcome
from sixproof.reporting.diagnosis.faults import FailingPlace
from sixproof.reporting.matrix.grid import CellState

_SILENT = (Outcome.DROPPED, Outcome.REPLY_LOST)


def _allowed_by_policy(wrong: Disagreement) -> bool:
    """Whether a policy decides that such a flow passes."""
    return wrong.expected.by_policy and Outcome.ALLOWED in wrong.expected.outcomes


def fits(fault: FailingPlace) -> tuple[str, ...]:
    """What would explain a fault, the command last; nothing for what was not measured."""
    pattern = fault.pattern
    if not fault.measured or not pattern.cells:
        return ()
    flow = pattern.cells[0].observation.flow
    outcome = pattern.outcomes.most_common(1)[0][0]
    version = Family.of(flow.address).version
    tables = f"ip{'6' if version == 6 else ''}tables-save"
    source = flow.source.node or "the client"
    node = flow.destination.node or source
    if pattern.state is CellState.LEAK:
        return (
            "Felix there has not written the rules of the policy, or something removes them",
            "the CNI does not enforce this policy over this family",
            f"to find out: the log of calico-node on {node}, and {tables} there, chain FORWARD",
        )
    if outcome in _SILENT and all(_allowed_by_policy(cell) for cell in pattern.cells):
        family = Family.of(flow.address)
        return (
            f"Calico's rules or IP sets on {node} or {source} lack these peers over {family}: "
            f"Felix has not written them, or something emptied them",
            "a packet filter on either node that takes just these flows",
            f"to find out: ipset list | grep cali{family.version}0 and {tables} on {node}, while "
            f"the policy is there; the log of calico-node on {node}",
        )
    if pattern.kind in (MatrixKind.DNS_ANSWERS, MatrixKind.LOOKUPS):
        return (
            "a DNS replica that has lost its watch of the API server, or a rule of the Corefile",
            "to find out: kubectl -n kube-system logs -l k8s-app=kube-dns; ask each replica alone",
        )
    if pattern.kind is MatrixKind.PATHS or outcome is Outcome.TOO_BIG:
        return (
            "a device or route of a smaller MTU on the way, or Packet Too Big dropped on it",
            f"to find out: tracepath -{version} {flow.address} on {source}; ip -s link on the way",
        )
    if pattern.kind is MatrixKind.SOURCES:
        return (
            "a masquerade rule that takes too much or too little (natOutgoing of the IP pool)",
            f"to find out: {tables} -t nat on {source}",
        )
    if outcome is Outcome.REFUSED:
        return (
            "nothing listens there, a packet filter rejects, or a service has no endpoints",
            f"to find out: ss -lntu in the pod at {flow.address}; kubectl get endpointslices",
        )
    if outcome is Outcome.UNROUTABLE:
        return (
            "no route, a neighbour that does not answer, or IPv6 off on an interface",
            f"to find out: ip -{version} route get {flow.address} and ip -{version} neigh on "
            f"{source}",
        )
    if outcome in _SILENT and flow.destination.kind is EndpointKind.SERVICE:
        return (
            "kube-proxy has no rules for it on that node, or the backend drops",
            f"to find out: kubectl get endpointslices; {tables} -t nat on {source}",
        )
    if outcome in _SILENT:
        return (
            "a packet filter on either node, the tunnel between them, or a route back",
            f"to find out: tcpdump -ni any host {flow.address} on both nodes while it is tried",
        )
    return ()
