"""policy.networking.k8s.io: AdminNetworkPolicy and BaselineAdminNetworkPolicy (v1alpha1),
ClusterNetworkPolicy (v1alpha2).

Source: sigs.k8s.io/network-policy-api, the type documentation and the CRDs' validation.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from sixproof.policy.engine.context import Context, PortName, PortRange, to_ports
from sixproof.policy.engine.provider import ProviderAnswer
from sixproof.policy.engine.rules import (
    Action,
    Direction,
    Policy,
    PolicyRef,
    Rule,
)
from sixproof.policy.kubernetes.cluster_peers import Draft, finish, read_peer, read_subject
from sixproof.policy.kubernetes.network_policy import PROTOCOLS, read_port_name
from sixproof.policy.manifests.manifest import Field, Manifest

Port = PortRange | PortName

_PEERS = {Direction.INGRESS: "from", Direction.EGRESS: "to"}


@dataclasses.dataclass(frozen=True, slots=True)
class Dialect:
    """How one of the kinds writes its rules."""

    ports: str
    read_port: Callable[[Field], Port]
    actions: dict[str, Action]
    at_most: int
    both_selectors: bool = True


def _numbered(field: Field) -> Port:
    """A port of v1alpha1: portNumber, portRange or namedPort."""
    kinds = ("portNumber", "portRange", "namedPort")
    chosen = field.fields(*kinds).only_one(*kinds)
    if chosen.path.endswith(".namedPort"):
        return PortName(read_port_name(chosen))
    if chosen.path.endswith(".portNumber"):
        found = chosen.fields("protocol", "port")
        first = last = found.need("port").integer(1, 65535)
    else:
        found = chosen.fields("protocol", "start", "end")
        first = found.need("start").integer(1, 65535)
        last = found.need("end").integer(first, 65535)
    protocol = found.get("protocol")
    number = PROTOCOLS["TCP" if protocol is None else protocol.choice(*PROTOCOLS)]
    return PortRange(number, first, last)


def _protocol(field: Field) -> Port:
    """A protocol of v1alpha2: tcp, udp or sctp with a destination port, or a named port."""
    kinds = ("tcp", "udp", "sctp", "destinationNamedPort")
    chosen = field.fields(*kinds).only_one(*kinds)
    kind = chosen.path.rpartition(".")[2]
    if kind == "destinationNamedPort":
        return PortName(read_port_name(chosen))
    number = PROTOCOLS[kind.upper()]
    port = chosen.fields("destinationPort").get("destinationPort")
    if port is None:
        return PortRange(number)
    span = port.fields("number", "range").only_one("number", "range")
    if span.path.endswith(".number"):
        first = span.integer(1, 65535)
        return PortRange(number, first, first)
    ends = span.fields("start", "end")
    first = ends.need("start").integer(1, 65534)
    return PortRange(number, first, ends.need("end").integer(first + 1, 65535))


_ADMIN = Dialect("ports", _numbered, {a: Action(a) for a in ("Allow", "Deny", "Pass")}, 100)
_BASELINE = Dialect("ports", _numbered, {a: Action(a) for a in ("Allow", "Deny")}, 100)
_CLUSTER = Dialect(
    "protocols",
    _protocol,
    {"Accept": Action.ALLOW, "Deny": Action.DENY, "Pass": Action.PASS},
    25,
    both_selectors=False,
)


def compile_admin(manifest: Manifest, tier: str, context: Context) -> Policy:
    """The policy of an AdminNetworkPolicy.

    Raises:
        ManifestError: the API server would refuse it.
    """
    spec = manifest.spec.fields("priority", "subject", "ingress", "egress")
    priority = spec.need("priority").integer(0, 1000)
    return _policy(manifest, tier, _ADMIN, priority, context)


def compile_baseline(manifest: Manifest, tier: str, context: Context) -> Policy:
    """The policy of a BaselineAdminNetworkPolicy.

    Raises:
        ManifestError: the API server would refuse it.
    """
    manifest.spec.fields("subject", "ingress", "egress")
    if manifest.name != "default":
        raise Field(manifest.name, "metadata.name").error("must be default, there is only one")
    return _policy(manifest, tier, _BASELINE, 0, context)


def compile_cluster(manifest: Manifest, tiers: dict[str, str], context: Context) -> Policy:
    """The policy of a ClusterNetworkPolicy; `tiers` names its tiers Admin and Baseline.

    Raises:
        ManifestError: the API server would refuse it.
    """
    spec = manifest.spec.fields("tier", "priority", "subject", "ingress", "egress")
    tier = tiers[spec.need("tier").choice(*tiers)]
    priority = spec.need("priority").integer(0, 1000)
    return _policy(manifest, tier, _CLUSTER, priority, context)


def _policy(
    manifest: Manifest, tier: str, dialect: Dialect, priority: int, context: Context
) -> Policy:
    spec = manifest.spec.mapping()
    subject, selects = read_subject(spec.need("subject"), both=dialect.both_selectors)
    rules = {
        direction: tuple(
            _rule(field, i, direction, dialect, context)
            for i, field in enumerate(spec.list(direction.value, dialect.at_most))
        )
        for direction in Direction
    }
    return Policy(
        ref=PolicyRef(manifest.kind, "", manifest.name),
        tier=tier,
        subject=subject,
        selects=selects,
        rules={direction: some for direction, some in rules.items() if some},
        order=float(priority),
        undefined_ties=True,
    )


def _rule(
    field: Field, index: int, direction: Direction, dialect: Dialect, context: Context
) -> Rule:
    found = field.fields("name", "action", _PEERS[direction], dialect.ports)
    action = dialect.actions[found.need("action").choice(*dialect.actions)]
    ports = tuple(map(dialect.read_port, found.list(dialect.ports, dialect.at_most)))
    listed = found.need(_PEERS[direction])
    both = dialect.both_selectors
    peers = [read_peer(f, direction, context, both=both) for f in listed.items(dialect.at_most)]
    if not peers:
        raise listed.error("needs at least one peer")
    if any(isinstance(p, PortName) for p in ports) and not all(p.is_pods for p in peers):
        raise field.error("named ports are for pods: networks, nodes and names have none")
    if dialect.ports == "ports" and context.profile.admin_named_ports is ProviderAnswer.NO:
        ports = () if any(isinstance(p, PortName) for p in ports) else ports
    draft = Draft(index, direction, action, found.text("name"), to_ports(ports) if ports else None)
    return finish(draft, peers)
