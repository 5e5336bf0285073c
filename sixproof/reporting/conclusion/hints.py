"""Hints: where no rule names a cause, those that fit, and the command that tells them apart."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

from sixproof.errors import Subject
from sixproof.model import Disagreement, EndpointKind, Family, MatrixKind, Outcome
from sixproof.reporting.diagnosis.category import Category
from sixproof.reporting.diagnosis.faults import FailingPlace
from sixproof.reporting.matrix.grid import CellState
from sixproof.reporting.results.test_record import Case, CaseOutcome

Hints = tuple[str, ...]
"""Causes that fit, then what would tell them apart."""

_SILENT = (Outcome.DROPPED, Outcome.REPLY_LOST)


@dataclasses.dataclass(frozen=True)
class _Seen:
    """A flow of a place as hints speak of it; `source` and `node` are where it starts and ends."""

    address: str
    back: str
    family: Family
    source: str
    node: str

    @classmethod
    def of(cls, wrong: Disagreement) -> _Seen:
        flow = wrong.observation.flow
        family = Family.of(flow.address)
        source = flow.source.node or "the client"
        back = str(flow.source.address(family) or "the client's address")
        return cls(str(flow.address), back, family, source, flow.destination.node or source)

    @property
    def both(self) -> str:
        """The nodes at both ends."""
        return " and ".join(dict.fromkeys((self.source, self.node)))

    @property
    def tables(self) -> str:
        """The command that prints iptables of the family."""
        return f"ip{'6' if self.family is Family.IPV6 else ''}tables-save"

    @property
    def ip(self) -> str:
        """``ip`` for the family."""
        return f"ip -{self.family.version}"


def fits(fault: FailingPlace) -> Hints:
    """What would explain a fault, the command last; nothing for what was not measured."""
    pattern = fault.pattern
    if not fault.measured or not pattern.cells:
        return ()
    seen = _Seen.of(pattern.cells[0])
    outcome = pattern.outcomes.most_common(1)[0][0]
    if pattern.state is CellState.LEAK:
        return _leak(seen)
    if pattern.state is CellState.OTHER and pattern.kind is MatrixKind.FLOWS:
        return _denied_otherwise(seen)
    if outcome in _SILENT and all(_allowed_by_policy(cell) for cell in pattern.cells):
        return _over_block(seen)
    if pattern.kind is MatrixKind.LOOKUPS and outcome is Outcome.WRONG:
        return _late_lookups(seen)
    if of_kind := _BY_KIND.get(pattern.kind):
        return of_kind(seen)
    to_service = pattern.cells[0].observation.flow.destination.kind is EndpointKind.SERVICE
    if outcome in _SILENT and to_service:
        return _silent_service(seen)
    of_outcome = _BY_OUTCOME.get(outcome)
    return of_outcome(seen) if of_outcome else ()


def of_tests(cases: Sequence[Case]) -> Hints:
    """What would explain failed tests without a matrix: by their class, else where to look at what
    they are about. A test that broke is no result."""
    if any(case.outcome is not CaseOutcome.FAILED for case in cases):
        return ()
    classes = {category for case in cases for category in case.categories}
    for category, hints in _BY_CLASS.items():
        if category.value in classes:
            return hints
    subjects = dict.fromkeys(s for case in cases for s in case.subjects)
    return tuple(f"to find out: {_look(subject)}" for subject in list(subjects)[:1])


def _look(subject: Subject) -> str:
    """Where to look at a node or an object. A pod that is named with its node is one of the run,
    which is gone by now; what its node did is in the log."""
    if subject.kind == "node" or (subject.node and subject.name.endswith(f" on {subject.node}")):
        return f"the log of calico-node on {subject.node}, and kubectl describe node {subject.node}"
    namespace, slash, name = subject.name.rpartition("/")
    where = f"-n {namespace} " if slash else ""
    return f"kubectl describe {subject.kind} {where}{name}"


def _allowed_by_policy(wrong: Disagreement) -> bool:
    """Whether a policy decides that such a flow passes."""
    return wrong.expected.by_policy and Outcome.ALLOWED in wrong.expected.outcomes


def _leak(seen: _Seen) -> Hints:
    return (
        "Felix there has not written the rules of the policy, or something removes them",
        "the CNI does not enforce this policy over this family",
        "a rule before Calico's accepts such packets",
        f"to find out: {seen.tables} on {seen.node}, chain FORWARD (does it lead to cali-FORWARD "
        "first?), and the log of calico-node there",
    )


def _denied_otherwise(seen: _Seen) -> Hints:
    return (
        "a packet filter of another program answers before Calico's rules",
        "Felix is set to reject instead of drop, or the CNI denies so",
        "nothing listens at the server, and the policy is not enforced",
        f"to find out: {seen.tables} on {seen.both} (who has REJECT rules?)",
    )


def _over_block(seen: _Seen) -> Hints:
    return (
        f"Calico's rules or IP sets on {seen.node} or {seen.source} lack these peers over "
        f"{seen.family}: Felix has not written them, or something emptied them",
        "a packet filter on either node that takes just these flows",
        f"to find out: ipset list | grep cali{seen.family.version}0 and {seen.tables} on "
        f"{seen.node}, while the policy is there; the log of calico-node on {seen.node}",
    )


def _dns(_: _Seen) -> Hints:
    return (
        "a DNS replica that has lost its watch of the API server: it alone is wrong",
        "a rule of the Corefile (rewrite, template, dns64): all replicas are wrong alike",
        "to find out: ask each replica alone (dig @ADDRESS NAME AAAA); kubectl -n kube-system logs "
        "-l k8s-app=kube-dns; kubectl -n kube-system get configmap coredns -o yaml",
    )


def _lookups(seen: _Seen) -> Hints:
    return (
        "the search list or options of the pod's resolv.conf",
        "the answers of the DNS service itself, for one type (A or AAAA) or both",
        f"to find out: cat /etc/resolv.conf in the pod on {seen.source}; there dig NAME A and dig "
        "NAME AAAA, with the name complete",
    )


def _late_lookups(seen: _Seen) -> Hints:
    return (
        "a DNS replica that gives no answer: lookups that come to it wait and are asked again",
        "connection tracking that loses one of two questions sent at once from one socket "
        "(kubernetes/kubernetes 56903)",
        f"to find out: ask each replica alone (dig @ADDRESS NAME); conntrack -S on {seen.source} "
        "(does insert_failed rise?)",
    )


def _sizes(seen: _Seen) -> Hints:
    return (
        "a device or route of a smaller MTU on the way: smaller packets pass",
        "Packet Too Big dropped on the way back, so that the sender does not learn of it",
        "packets of every size lost on the way, the smallest too",
        f"to find out: tracepath -{seen.family.version} {seen.address} on {seen.source} (pmtu is "
        "the smaller MTU, 'no reply' where nobody says so); ip -s link on the way",
    )


def _crafted(seen: _Seen) -> Hints:
    return (
        "a packet filter that takes just such packets (fragments, options, flags)",
        "a device or tunnel on the way that does not carry them",
        f"to find out: nft list ruleset on {seen.both}; tcpdump -ni any host "
        f"{seen.address} on both nodes while it is tried (where is it last seen?)",
    )


def _sources(seen: _Seen) -> Hints:
    return (
        "natOutgoing of the IP pool: on where it must be off, or the other way round",
        "a masquerade rule of another program, or of a cloud's agent, that takes too much",
        f"to find out: {seen.tables} -t nat on {seen.source} (whose MASQUERADE or SNAT rule "
        "matches?); kubectl get ippools -o yaml",
    )


def _backends(seen: _Seen) -> Hints:
    return (
        "kube-proxy's rules on the client's node are old: a backend is missing, or one is gone",
        "an EndpointSlice of the service has an endpoint too many, or one is not ready",
        f"to find out: kubectl get endpointslices, against {seen.tables} -t nat on {seen.source}",
    )


def _routes(seen: _Seen) -> Hints:
    return (
        "a policy rule or route of another program comes before Calico's",
        "calico-node has not written the route, or for another encapsulation than the pool has now",
        f"to find out: {seen.ip} rule and {seen.ip} route get {seen.address} on {seen.source}; the "
        "log of calico-node there",
    )


def _addresses(seen: _Seen) -> Hints:
    return (
        "the IP pool was changed, or made again, after the pod got its address",
        "another IPAM plugin than calico-ipam, or an annotation of the pod, chose the address",
        f"to find out: calicoctl ipam show --ip={seen.address}; kubectl get ippools -o yaml; the "
        "pod's annotations (kubectl get pod -o yaml)",
    )


def _sessions(seen: _Seen) -> Hints:
    return (
        "TCP port 179 is filtered, or the peer's address cannot be reached over this family",
        "the two sides differ: AS number, password, or no peer configured there",
        f"to find out: birdcl -s /var/run/calico/bird{'6' if seen.family is Family.IPV6 else ''}"
        f".ctl show protocols all in calico-node on {seen.source} (its last error)",
    )


def _health(seen: _Seen) -> Hints:
    return (
        "kube-proxy on the node does not listen there over this family, or is stuck",
        "a packet filter on the node that takes the health check's port",
        f"to find out: curl the healthCheckNodePort on {seen.node} itself and from another node "
        "(only the second fails: a filter)",
    )


def _felix(seen: _Seen) -> Hints:
    return (
        "Felix there hangs, or cannot reach its datastore",
        "Felix cannot write what it wants: an error of the dataplane, or another program",
        f"to find out: curl localhost:9099/readiness on {seen.node}; the log of calico-node there",
    )


def _refused(seen: _Seen) -> Hints:
    return (
        "nothing listens there over this family (a server on 0.0.0.0)",
        "a packet filter rejects, or a service has no endpoints of this family",
        f"to find out: ss -lntu in the pod at {seen.address}; kubectl get endpointslices; "
        f"{seen.tables} on {seen.node} (REJECT rules)",
    )


def _rejected(seen: _Seen) -> Hints:
    return (
        "a packet filter rejects with an ICMP error, or a policy does",
        "a route of type unreachable or prohibit on the way",
        f"to find out: {seen.ip} route get {seen.address} on {seen.source}; {seen.tables} there "
        f"and on {seen.node} (REJECT rules)",
    )


def _unroutable(seen: _Seen) -> Hints:
    return (
        "no route to it, or one that refuses it",
        "a neighbour that does not answer, or IPv6 off on an interface",
        f"to find out: {seen.ip} route get {seen.address} on {seen.source} (an error: the route), "
        f"then {seen.ip} neigh there (FAILED: the neighbour)",
    )


def _silent_service(seen: _Seen) -> Hints:
    return (
        "kube-proxy has no rules for it on that node, or old ones",
        "a backend drops it, or the way to the backend does",
        f"to find out: kubectl get endpointslices; {seen.tables} -t nat on {seen.source}; connect "
        "to a backend's own address from there (it works: kube-proxy)",
    )


def _dropped(seen: _Seen) -> Hints:
    return (
        "a packet filter on either node",
        "the tunnel or the underlay between them, or a route on the way there",
        f"to find out: tcpdump -ni any host {seen.address} on {seen.both} while "
        "it is tried (where is the packet last seen?)",
    )


def _reply_lost(seen: _Seen) -> Hints:
    return (
        f"the route back: {seen.node} sends answers another way, or nowhere",
        "a packet filter, or reverse path filtering, that takes answers only",
        f"to find out: {seen.ip} route get {seen.back} on {seen.node}; tcpdump -ni any host "
        f"{seen.back} on {seen.both} (where is the answer last seen?)",
    )


def _corrupted(seen: _Seen) -> Hints:
    return (
        "checksum offload of a device, mostly with a tunnel: the receiver gets damaged packets",
        "a proxy or another program on the way that rewrites what it carries",
        f"to find out: tcpdump -vv -ni any host {seen.address} on {seen.both} "
        "(where is the checksum first wrong?); ethtool -k of the devices",
    )


def _misrouted(seen: _Seen) -> Hints:
    return (
        "two endpoints have the same address",
        "a DNAT rule, old or of another program, sends it elsewhere",
        f"to find out: kubectl get pods -A -o wide | grep {seen.address}; {seen.tables} -t nat on "
        f"{seen.source}; {seen.ip} route get {seen.address} there",
    )


_BY_KIND: Mapping[MatrixKind, Callable[[_Seen], Hints]] = {
    MatrixKind.DNS_ANSWERS: _dns,
    MatrixKind.LOOKUPS: _lookups,
    MatrixKind.PATHS: _sizes,
    MatrixKind.PACKETS: _crafted,
    MatrixKind.SOURCES: _sources,
    MatrixKind.BACKENDS: _backends,
    MatrixKind.ROUTES: _routes,
    MatrixKind.ADDRESSES: _addresses,
    MatrixKind.SESSIONS: _sessions,
    MatrixKind.HEALTH: _health,
    MatrixKind.FELIX: _felix,
}
_BY_OUTCOME: Mapping[Outcome, Callable[[_Seen], Hints]] = {
    Outcome.TOO_BIG: _sizes,
    Outcome.REFUSED: _refused,
    Outcome.REJECTED: _rejected,
    Outcome.UNROUTABLE: _unroutable,
    Outcome.DROPPED: _dropped,
    Outcome.REPLY_LOST: _reply_lost,
    Outcome.CORRUPTED: _corrupted,
    Outcome.MISROUTED: _misrouted,
}
_LATE = (
    "Felix on a node is late, or does not follow at all",
    "the API server, or Typha, is late with what it says to Felix",
    "to find out: the log of calico-node on the node that is named; its readiness (kubectl get "
    "pods -o wide), and that of calico-typha",
)
_BY_CLASS: Mapping[Category, Hints] = {
    Category.LEAK: _LATE,
    Category.OVER_BLOCK: _LATE,
    Category.DNS: (
        "the DNS service, its pods or its EndpointSlices lack a family",
        "DNS gives other addresses than the API server has",
        "to find out: kubectl -n kube-system get service,endpointslices -o wide; kubectl -n "
        "kube-system get configmap coredns -o yaml",
    ),
    Category.MTU: (
        "a device has kept the MTU that it was made with; the setting was changed later",
        "the underlay of a node, or its tunnel's overhead, is another than on the others",
        "to find out: ip -d link on each node and in the pod; the MTU of the Installation, or "
        "kubectl get felixconfigurations default -o yaml",
    ),
}
