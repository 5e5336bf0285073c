"""How the policies of the cluster's owner restrict flows to services.

To policy, a flow to a service is a flow to each backend that may answer it, with the addresses that
translation leaves on it; if no backend may answer, it is a flow to the dialled address.
"""

from __future__ import annotations

import dataclasses

from sixproof.model import Endpoint, EndpointKind, Expectation, Flow
from sixproof.policy import Judgement, ServicePortSnapshot, ServiceSnapshot, Verdict
from sixproof.workloads.existing.policies import ExistingPolicies, closed_by, listed
from sixproof.workloads.probe_pods.topology import port_specs_of
from sixproof.workloads.services import manifests
from sixproof.workloads.services.routing import FrontendType, ServiceTarget

_AT_NODES = (FrontendType.NODE_PORT, FrontendType.HOST_PORT)


@dataclasses.dataclass(frozen=True, slots=True)
class Gate:
    """What policies say of one flow to a target, for each path that it may take."""

    judgements: tuple[Judgement, ...]

    @property
    def open(self) -> bool:
        """Whether no policy is known to block any path; if nothing can be judged, as where a
        HostEndpoint guards a node, none is known to."""
        return all(j.allowed or j.unknown for j in self.judgements)

    @property
    def closed(self) -> bool:
        """Whether every path is denied."""
        return all(j.verdict is Verdict.DENIED for j in self.judgements)

    @property
    def closed_by(self) -> str:
        """The policies that deny one of the paths, or what is not known of them; "" if open."""
        if self.open:
            return ""
        return listed(filter(None, map(closed_by, self.judgements)))

    def expectation(self, own: Expectation) -> Expectation:
        """The required outcome of the flow; `own` is the one without policies."""
        if self.open:
            return own
        because = "; ".join(dict.fromkeys(j.because for j in self.judgements if closed_by(j)))
        denied = frozenset(o for j in self.judgements for o in j.deny_outcomes)
        outcomes = denied if self.closed else own.outcomes | denied
        return Expectation(outcomes, because, by_policy=True, closed_by=self.closed_by)


def gate(policies: ExistingPolicies, flow: Flow, target: ServiceTarget) -> Gate:
    """What the policies say of a flow to a target."""
    behind = target.candidates(flow.source)
    if not behind:
        return Gate((policies.judge(_as_dialled(flow, target)),))
    if target.frontend is FrontendType.DIRECT:
        return Gate(tuple(policies.judge(_to(flow, backend)) for backend in behind))
    return Gate(
        tuple(
            policies.judge(_to(flow, backend), _before(flow, target, backend)) for backend in behind
        )
    )


def _to(flow: Flow, backend: Endpoint) -> Flow:
    return dataclasses.replace(flow, destination=backend)


def _as_dialled(flow: Flow, target: ServiceTarget) -> Flow:
    """Without backends, policy sees the dialled address: a node's, or one that no host has."""
    kind = EndpointKind.NODE if target.frontend in _AT_NODES else EndpointKind.OUTSIDE
    place = Endpoint(target.endpoint.name, kind, target.endpoint.addresses)
    if kind is EndpointKind.NODE:
        place = dataclasses.replace(place, node=target.endpoint.node)
    return _to(flow, place)


def _before(flow: Flow, target: ServiceTarget, backend: Endpoint) -> ServiceSnapshot:
    """The service of a target with one backend, as the oracle knows it."""
    at_node = target.frontend in _AT_NODES
    number = flow.port or 0
    port = ServicePortSnapshot(
        number,
        flow.protocol,
        _served(flow, target, backend),
        number if at_node else None,
    )
    return ServiceSnapshot(
        namespace=target.endpoint.namespace,
        name=target.endpoint.name,
        addresses=() if at_node else target.endpoint.addresses,
        ports=(port,),
        backends=(backend,),
        local=target.local or target.frontend is FrontendType.HOST_PORT,
    )


def _served(flow: Flow, target: ServiceTarget, backend: Endpoint) -> int | None:
    """The port at which the backend serves the one that is dialled, None if the same."""
    for port in target.ports:
        if port.protocol is flow.protocol and flow.port in (port.port, port.node_port):
            return _number(port, backend)
    return None


def _number(port: manifests.ServicePort, backend: Endpoint) -> int | None:
    if port.target.isdigit():
        return int(port.target)
    named = {port_spec.port_name: port_spec.port for port_spec in port_specs_of(backend)}
    return named.get(port.target)
