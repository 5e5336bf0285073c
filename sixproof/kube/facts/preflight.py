"""Can this cluster be tested at all? Findings from facts only, root causes first.

A BLOCKER stops the run: nothing could be measured, or everything would fail for that reason.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence

from sixproof.errors import Subject
from sixproof.kube.facts.permissions import Permissions
from sixproof.model import ClusterFacts, Family, Finding, FindingType, IPNetwork, Severity
from sixproof.model.family import IPAddress

PROBE_PODS = FindingType("probe-pods", "Every covered node runs a probe pod")
INJECTED = FindingType(
    "injected-container",
    "Probe pods run no container but their own",
    "Kubernetes admission webhooks",
)
LEFT_OUT = FindingType("node-left-out", "Nodes that the run does not cover, and why")
PERMISSIONS = FindingType("permissions", "The run has the permissions it needs", "Kubernetes RBAC")
KUBERNETES_VERSION = FindingType(
    "kubernetes-version", "Dual stack is stable in this version", "KEP-563"
)
NODES_READY = FindingType("nodes-ready", "Nodes are Ready")
NODE_FAMILY = FindingType("node-family", "A node has an InternalIP of the family", "KEP-563")
POD_FAMILY = FindingType("pod-family", "Pods have an address of the family", "KEP-563")
SERVICE_FAMILY = FindingType("service-family", "Services have a range of the family", "KEP-563")
RANGE_OVERLAP = FindingType("range-overlap", "Ranges of pods, services and nodes do not overlap")
RANGE_SCOPE = FindingType(
    "range-scope",
    "Ranges use routable addresses",
    "RFC 4193, RFC 4291 section 2.5.6, RFC 3849, RFC 3879",
)

POD_RANGE, SERVICE_RANGE = "pod range", "service range"
"""How the subjects of findings about ranges are called."""
DUAL_STACK_SINCE = (1, 23)  # KEP-563: stable, its feature gate gone

_DOCUMENTATION = "2001:db8::/32"


def check(
    facts: ClusterFacts, permissions: Permissions, required_families: Collection[Family]
) -> tuple[Finding, ...]:
    """What is wrong with a cluster, or will cause trouble; root causes before their consequences.

    `required_families` are those that the user requires. What discovery could not find out (no
    permission) is never held against the cluster.
    """
    wanted = tuple(family for family in Family if family in required_families)
    return (
        *_permissions(permissions),
        *_version(facts, wanted),
        *_nodes(facts, wanted),
        *_pods(facts, wanted),
        *_services(facts, wanted),
        *ranges(facts),
    )


def unseen(facts: ClusterFacts, permissions: Permissions) -> dict[str, str]:
    """The codes of findings whose absence proves nothing, each with what could not be seen.

    A check that looked at nothing has not passed.
    """
    unread = dict(facts.extra).get("unknown", "")[:200]
    because = f": {unread}" if unread else ""
    looked_at = {
        "permissions": ("the permissions", not permissions.unknown),
        "kubernetes-version": ("the API server's version", bool(facts.version)),
        "nodes-ready": ("the nodes", bool(facts.nodes)),
        "node-family": ("the nodes", bool(facts.nodes)),
        "pod-family": ("the families of pods", bool(facts.pod_families)),
        "service-family": ("the families of services", bool(facts.service_families)),
        "range-overlap": (
            "pod ranges, service ranges or nodes",
            bool(facts.pod_cidrs and facts.service_cidrs and facts.nodes),
        ),
        "range-scope": (
            "a range of pods or services",
            bool(facts.pod_cidrs or facts.service_cidrs),
        ),
    }
    said = {"permissions": f": {permissions.unknown[:200]}"}
    return {
        code: f"{what} could not be seen{said.get(code, because)}"
        for code, (what, seen) in looked_at.items()
        if not seen
    }


def root_cause(findings: Iterable[Finding]) -> Finding | None:
    """The finding that stops the run, None where nothing does."""
    return next((f for f in findings if f.severity is Severity.BLOCKER), None)


def _permissions(permissions: Permissions) -> Iterator[Finding]:
    for need in permissions.missing:
        yield PERMISSIONS.found(
            Severity.BLOCKER if need.required else Severity.NOTE,
            str(need),
            f"not allowed; needed for {need.purpose}",
            remedy="--six-plan prints the RBAC rules to grant",
        )
    if permissions.unknown:
        yield PERMISSIONS.found(
            Severity.WARNING, "permissions", f"not known: {permissions.unknown}"
        )


def _version(facts: ClusterFacts, wanted: Sequence[Family]) -> Iterator[Finding]:
    found = re.match(r"v?(\d+)\.(\d+)", facts.version)
    if found and len(wanted) > 1 and (int(found[1]), int(found[2])) < DUAL_STACK_SINCE:
        since = ".".join(map(str, DUAL_STACK_SINCE))
        yield KUBERNETES_VERSION.found(
            Severity.BLOCKER,
            "API server",
            f"Kubernetes {facts.version} has no stable dual stack",
            f"{since} or later",
            "upgrade, or require one family with --six-require-families",
        )


def _nodes(facts: ClusterFacts, wanted: Sequence[Family]) -> Iterator[Finding]:
    if not facts.nodes:
        return  # not readable; the missing permission is the finding
    ready = [node for node in facts.nodes if node.ready]
    if not ready:
        names = ", ".join(node.name for node in facts.nodes)
        yield NODES_READY.found(
            Severity.BLOCKER,
            names,
            "no node is Ready",
            "at least one Ready node",
            "kubectl describe node: a CNI that does not start keeps a node NotReady",
        )
        return
    for node in facts.nodes:
        if not node.ready:
            yield NODES_READY.found(Severity.WARNING, node.name, "not Ready; left out")
    for family in wanted:
        lacking = [node for node in ready if family not in node.families()]
        everywhere = len(lacking) == len(ready)
        for node in lacking:
            has = ", ".join(map(str, node.addresses)) or "none"
            yield NODE_FAMILY.found(
                Severity.BLOCKER if everywhere else Severity.ERROR,
                Subject.of_node(node.name),
                f"no {family} InternalIP (it has {has})",
                f"an {family} InternalIP",
                "start its kubelet with --node-ip=<IPv4>,<IPv6>; on a cloud provider enable the "
                "family on the instance's network interface",
            )


def _pods(facts: ClusterFacts, wanted: Sequence[Family]) -> Iterator[Finding]:
    if not facts.pod_families:
        return
    ranges = {Family.of(cidr) for cidr in facts.pod_cidrs}
    for family in wanted:
        if family in facts.pod_families:
            continue
        has_range = family in ranges
        yield POD_FAMILY.found(
            Severity.ERROR if has_range else Severity.BLOCKER,
            facts.cni or "CNI",
            f"no running pod has an {family} address, "
            + (
                "although a range exists" if has_range else "and there is no range to take one from"
            ),
            f"pods with {family} addresses",
            _pod_remedy(facts, family, has_range),
        )


def _pod_remedy(facts: ClusterFacts, family: Family, has_range: bool) -> str:
    if facts.cni in ("Calico", "Canal"):
        setting = (
            f'"assign_ipv{family.version}": "true" in the calico-ipam section of the CNI config'
        )
        if has_range:
            return f"{setting}; pods get the family when they are recreated"
        return f"create an {family} IPPool, and set {setting}"
    if has_range:
        return "enable the family in the CNI's configuration, then recreate the pods"
    return (
        "give kube-controller-manager --cluster-cidr=<IPv4>,<IPv6> and the CNI a range of its own"
    )


def _services(facts: ClusterFacts, wanted: Sequence[Family]) -> Iterator[Finding]:
    if not facts.service_families:
        return
    has = ", ".join(map(str, facts.service_cidrs)) or ", ".join(facts.service_families)
    for family in wanted:
        if family not in facts.service_families:
            yield SERVICE_FAMILY.found(
                Severity.BLOCKER,
                "API server",
                f"no service range of {family} (it has {has})",
                f"an {family} service range",
                "start kube-apiserver and kube-controller-manager with "
                "--service-cluster-ip-range=<IPv4>,<IPv6> (the IPv6 one /108 or longer), or add a "
                "ServiceCIDR where the API server already serves the family",
            )


def ranges(facts: ClusterFacts) -> Iterator[Finding]:
    """Ranges that overlap, and ranges that are not meant for this use."""
    pods = [(Subject(POD_RANGE, str(cidr)), cidr) for cidr in facts.pod_cidrs]
    services = [(Subject(SERVICE_RANGE, str(cidr)), cidr) for cidr in facts.service_cidrs]
    for subject, cidr in pods:
        for other, theirs in services:
            if _overlap(cidr, theirs):
                yield _collision(subject, f"overlaps {other.place}", cidr, other)
    for subject, cidr in (*pods, *services):
        for node in facts.nodes:
            for address in node.addresses:
                if address in cidr:
                    held = f"holds {address}, an address of node {node.name}"
                    yield _collision(subject, held, cidr)
        yield from _misuse(subject, cidr)


def _overlap(one: IPNetwork, other: IPNetwork) -> bool:
    return one.version == other.version and one.overlaps(other)


def _collision(subject: Subject, seen: str, cidr: IPNetwork, *others: Subject) -> Finding:
    return RANGE_OVERLAP.found(
        Severity.ERROR,
        subject,
        seen,
        "ranges apart from each other",
        "traffic for one is taken for the other; move one of the ranges",
        families=[Family.of(cidr)],
        others=others,
    )


def _misuse(subject: Subject, cidr: IPNetwork) -> Iterator[Finding]:
    kind = _not_for_pods(cidr.network_address)
    if kind:
        yield RANGE_SCOPE.found(
            Severity.ERROR if kind.startswith(("link-local", "multicast")) else Severity.WARNING,
            subject,
            f"is {kind}",
            "a unique local (fc00::/7, RFC 4193) or global range",
            "choose a range of the site's own",
        )


def _not_for_pods(address: IPAddress) -> str:
    """Why an address is unsuitable for pods or services, "" where it is not."""
    if address.is_link_local:
        return "link-local (RFC 4291 section 2.5.6): it does not leave a link"
    if address.is_multicast:
        return "multicast"
    if address.version == 6:
        if address.is_site_local:
            return "site-local, deprecated by RFC 3879"
        if address.packed[:4] == b"\x20\x01\x0d\xb8":
            return f"of the documentation prefix {_DOCUMENTATION} (RFC 3849), which is not routed"
    return ""
