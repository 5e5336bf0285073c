"""Hints: where no rule names a cause, those that fit, and the commands that tell them apart."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

from sixproof.errors import Subject
from sixproof.model import Disagreement, EndpointKind, Family, Flow, MatrixKind, Outcome
from sixproof.probes.pmtu.probe import SMALL
from sixproof.reporting.conclusion.cause import Command, log_of
from sixproof.reporting.conclusion.situation import Situation
from sixproof.reporting.diagnosis.category import Category
from sixproof.reporting.diagnosis.faults import FailingPlace
from sixproof.reporting.matrix.grid import CellState
from sixproof.reporting.results.test_record import Case, CaseOutcome

_SILENT = (Outcome.DROPPED, Outcome.REPLY_LOST)
_LAST_SEEN = "while it is tried: where is the packet seen last?"
_COREDNS_LOG = Command("kubectl -n kube-system logs -l k8s-app=kube-dns --prefix")
_COREFILE = Command("kubectl -n kube-system get configmap coredns -o yaml")
_POOLS = Command("kubectl get ippools.projectcalico.org -o yaml")
_SLICES = Command("kubectl get endpointslices -A")
_WHILE = "while the policy is there"
_EACH = "ask each replica alone"
_REJECT = "REJECT rules"
_CALICO_PODS = "kubectl get pods -A -o wide -l k8s-app=calico-node"


@dataclasses.dataclass(frozen=True)
class Hints:
    """Causes that would explain what is seen (`fits`), and the commands that tell them `apart`."""

    fits: tuple[str, ...] = ()
    apart: tuple[Command, ...] = ()

    @classmethod
    def of(cls, *hints: str | Command) -> Hints:
        """Those of one list: causes are sentences."""
        return cls(
            tuple(hint for hint in hints if isinstance(hint, str)),
            tuple(hint for hint in hints if isinstance(hint, Command)),
        )


@dataclasses.dataclass(frozen=True)
class _Seen:
    """A flow of a place as hints speak of it; `source` and `node` are where it starts and ends."""

    address: str
    back: str
    family: Family
    source: str
    node: str
    flow: Flow
    situation: Situation

    @classmethod
    def of(cls, wrong: Disagreement, situation: Situation) -> _Seen:
        flow = wrong.observation.flow
        family = Family.of(flow.address)
        source = flow.source.node or "the client"
        back = str(flow.source.address(family) or "the client's address")
        node = flow.destination.node or source
        return cls(str(flow.address), back, family, source, node, flow, situation)

    @property
    def both(self) -> str:
        """The nodes at both ends."""
        return " and ".join(dict.fromkeys((self.source, self.node)))

    @property
    def small_pass(self) -> bool:
        """Whether a small packet passed on the path of the flow."""
        ends = (self.flow.source.name, self.flow.address)
        return any(
            seen.outcome.works and (seen.flow.source.name, seen.flow.address) == ends
            for seen in self.situation.seen_of(MatrixKind.PATHS)
            if seen.flow.question == f"{SMALL} bytes"
        )

    def tables(self, on: str, note: str = "", *, nat: bool = False) -> Command:
        """The command that prints iptables of the family, or of its nat table alone."""
        six = "6" if self.family is Family.IPV6 else ""
        return Command(f"ip{six}tables-save{' -t nat' if nat else ''}", on, note)

    def ip(self, what: str, on: str, note: str = "") -> Command:
        """``ip`` for the family."""
        return Command(f"ip -{self.family.version} {what}", on, note)

    def route(self, note: str = "") -> Command:
        """The way of its packets from where it starts."""
        return self.ip(f"route get {self.address}", self.source, note)

    def capture(self, address: str, note: str = _LAST_SEEN, options: str = "-ni") -> Command:
        """The capture that shows how far packets of an address come."""
        return Command(f"tcpdump {options} any host {address}", self.both, note)

    def calico_log(self, node: str) -> Command:
        """The log of calico-node on a node."""
        return _calico_log(self.situation, node)


def fits(fault: FailingPlace, situation: Situation) -> Hints:
    """What would explain a fault; nothing for what was not measured."""
    pattern = fault.pattern
    if not fault.measured or not pattern.cells:
        return Hints()
    seen = _Seen.of(pattern.cells[0], situation)
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
    return of_outcome(seen) if of_outcome else Hints()


def of_tests(cases: Sequence[Case], situation: Situation) -> Hints:
    """What would explain failed tests without a matrix: by their class, else where to look at what
    they are about. A test that broke is no result."""
    if any(case.outcome is not CaseOutcome.FAILED for case in cases):
        return Hints()
    classes = {category for case in cases for category in case.categories}
    for category, hints in _BY_CLASS.items():
        if category.value in classes:
            return hints
    subjects = dict.fromkeys(s for case in cases for s in case.subjects)
    return Hints(apart=tuple(c for s in list(subjects)[:1] for c in _look(s, situation)))


def _look(subject: Subject, situation: Situation) -> tuple[Command, ...]:
    """Where to look at a node or an object. A pod that is named with its node is one of the run,
    which is gone by now; what its node did is in the log."""
    if subject.kind == "node" or (subject.node and subject.name.endswith(f" on {subject.node}")):
        describe = Command.of("kubectl", "describe", "node", subject.node)
        return _calico_log(situation, subject.node), describe
    namespace, slash, name = subject.name.rpartition("/")
    where = ("-n", namespace) if slash else ()
    return (Command.of("kubectl", "describe", subject.kind, *where, name),)


def _calico_log(situation: Situation, node: str) -> Command:
    """The log of calico-node on a node; where it is not known which pod that is, its pods."""
    for pod in situation.examination.of("calico-node", node):
        return log_of(pod)
    return Command(_CALICO_PODS, note=f"then read the log of the one on {node}")


def _allowed_by_policy(wrong: Disagreement) -> bool:
    """Whether a policy decides that such a flow passes."""
    return wrong.expected.by_policy and Outcome.ALLOWED in wrong.expected.outcomes


def _leak(seen: _Seen) -> Hints:
    return Hints.of(
        "Felix there has not written the rules of the policy, or something removes them",
        "the CNI does not enforce this policy over this family",
        "a rule before Calico's accepts such packets",
        seen.tables(seen.node, "does chain FORWARD lead to cali-FORWARD first?"),
        seen.calico_log(seen.node),
    )


def _denied_otherwise(seen: _Seen) -> Hints:
    return Hints.of(
        "a packet filter of another program answers before Calico's rules",
        "Felix is set to reject instead of drop, or the CNI denies so",
        "nothing listens at the server, and the policy is not enforced",
        seen.tables(seen.both, "who has REJECT rules?"),
    )


def _over_block(seen: _Seen) -> Hints:
    return Hints.of(
        f"Calico's rules or IP sets on {seen.node} or {seen.source} lack these peers over "
        f"{seen.family}: Felix has not written them, or something emptied them",
        "a packet filter on either node that takes just these flows",
        Command(f"ipset list | grep cali{seen.family.version}0", seen.node, _WHILE),
        seen.tables(seen.node, _WHILE),
        seen.calico_log(seen.node),
    )


def _dns(_: _Seen) -> Hints:
    return Hints.of(
        "a DNS replica that has lost its watch of the API server: it alone is wrong",
        "a rule of the Corefile (rewrite, template, dns64): all replicas are wrong alike",
        Command("dig @ADDRESS NAME AAAA", note=_EACH),
        _COREDNS_LOG,
        _COREFILE,
    )


def _lookups(seen: _Seen) -> Hints:
    pod = f"{seen.source}, in the pod"
    complete = "with the name complete"
    return Hints.of(
        "the search list or options of the pod's resolv.conf",
        "the answers of the DNS service itself, for one type (A or AAAA) or both",
        Command("cat /etc/resolv.conf", pod),
        Command("dig NAME A", pod, complete),
        Command("dig NAME AAAA", pod, complete),
    )


def _late_lookups(seen: _Seen) -> Hints:
    return Hints.of(
        "a DNS replica that gives no answer: lookups that come to it wait and are asked again",
        "connection tracking that loses one of two questions sent at once from one socket "
        "(kubernetes/kubernetes 56903)",
        Command("dig @ADDRESS NAME", note=_EACH),
        Command("conntrack -S", seen.source, "does insert_failed rise?"),
    )


def _sizes(seen: _Seen) -> Hints:
    says = "pmtu is the smaller MTU; 'no reply' where no router reports it"
    return Hints.of(
        "a device or route of a smaller MTU on the way: smaller packets pass",
        "Packet Too Big dropped on the way back, so that the sender does not learn of it",
        *(() if seen.small_pass else ("packets of every size lost on the way, the smallest too",)),
        Command(f"tracepath -{seen.family.version} {seen.address}", seen.source, says),
        Command("ip -s link", seen.both, "MTU and drops of each device"),
    )


def _crafted(seen: _Seen) -> Hints:
    return Hints.of(
        "a packet filter that takes just such packets (fragments, options, flags)",
        "a device or tunnel on the way that does not carry them",
        Command("nft list ruleset", seen.both),
        seen.capture(seen.address),
    )


def _sources(seen: _Seen) -> Hints:
    return Hints.of(
        "natOutgoing of the IP pool: on where it must be off, or the other way round",
        "a masquerade rule of another program, or of a cloud's agent, that takes too much",
        seen.tables(seen.source, "whose MASQUERADE or SNAT rule matches?", nat=True),
        _POOLS,
    )


def _backends(seen: _Seen) -> Hints:
    return Hints.of(
        "kube-proxy's rules on the client's node are old: a backend is missing, or one is gone",
        "an EndpointSlice of the service has an endpoint too many, or one is not ready",
        _SLICES,
        seen.tables(seen.source, "does it have the same endpoints?", nat=True),
    )


def _routes(seen: _Seen) -> Hints:
    return Hints.of(
        "a policy rule or route of another program comes before Calico's",
        "calico-node has not written the route, or for another encapsulation than the pool has now",
        seen.ip("rule", seen.source),
        seen.route(),
        seen.calico_log(seen.source),
    )


def _addresses(seen: _Seen) -> Hints:
    return Hints.of(
        "the IP pool was changed, or made again, after the pod got its address",
        "another IPAM plugin than calico-ipam, or an annotation of the pod, chose the address",
        Command(f"calicoctl ipam show --ip={seen.address}"),
        _POOLS,
        Command("kubectl get pods -A -o yaml", note="annotations of the pod"),
    )


def _sessions(seen: _Seen) -> Hints:
    six = "6" if seen.family is Family.IPV6 else ""
    asked = f"birdcl -s /var/run/calico/bird{six}.ctl show protocols all"
    return Hints.of(
        "TCP port 179 is filtered, or the peer's address cannot be reached over this family",
        "the two sides differ: AS number, password, or no peer configured there",
        Command(asked, f"{seen.source}, in calico-node", "its last error"),
    )


def _announcements(seen: _Seen) -> Hints:
    six = "6" if seen.family is Family.IPV6 else ""
    asked = f"birdcl -s /var/run/calico/bird{six}.ctl show route all"
    return Hints.of(
        "calico-node's confd has not followed a change of BGPConfiguration, pools or blocks",
        "a BGPConfiguration of the node itself (node.NAME) says otherwise than the default one",
        Command("kubectl get bgpconfigurations.projectcalico.org -o yaml"),
        Command(asked, f"{seen.source}, in calico-node", "what BIRD knows"),
    )


def _health(seen: _Seen) -> Hints:
    port = "the service's healthCheckNodePort, from the node itself and from another"
    where = f"[{seen.address}]" if seen.family is Family.IPV6 else seen.address
    return Hints.of(
        "kube-proxy on the node does not listen there over this family, or is stuck",
        "a packet filter on the node that takes the health check's port",
        Command(
            f"curl -g http://{where}:PORT/",
            seen.node,
            f"{port}: only the second fails where a filter takes it",
        ),
    )


def _felix(seen: _Seen) -> Hints:
    return Hints.of(
        "Felix there hangs, or cannot reach its datastore",
        "Felix cannot write what it wants: an error of the dataplane, or another program",
        Command("curl localhost:9099/readiness", seen.node),
        seen.calico_log(seen.node),
    )


def _refused(seen: _Seen) -> Hints:
    return Hints.of(
        "nothing listens there over this family (a server on 0.0.0.0)",
        "a packet filter rejects, or a service has no endpoints of this family",
        Command("ss -lntu", f"{seen.node}, in the pod at {seen.address}"),
        _SLICES,
        seen.tables(seen.node, _REJECT),
    )


def _rejected(seen: _Seen) -> Hints:
    return Hints.of(
        "a packet filter rejects with an ICMP error, or a policy does",
        "a route of type unreachable or prohibit on the way",
        seen.route(),
        seen.tables(seen.both, _REJECT),
    )


def _unroutable(seen: _Seen) -> Hints:
    return Hints.of(
        "no route to it, or one that refuses it",
        "a neighbour that does not answer, or IPv6 off on an interface",
        seen.route("an error: it is the route"),
        seen.ip("neigh", seen.source, "FAILED: it is the neighbour"),
    )


def _silent_service(seen: _Seen) -> Hints:
    return Hints.of(
        "kube-proxy has no rules for it on that node, or old ones",
        "a backend drops it, or the way to the backend does",
        _SLICES,
        seen.tables(
            seen.source,
            "then connect to a backend's own address: where that works, it is kube-proxy",
            nat=True,
        ),
    )


def _dropped(seen: _Seen) -> Hints:
    return Hints.of(
        "a packet filter on either node",
        "the tunnel or the underlay between them, or a route on the way there",
        seen.capture(seen.address),
    )


def _reply_lost(seen: _Seen) -> Hints:
    return Hints.of(
        f"the route back: {seen.node} sends answers another way, or nowhere",
        "a packet filter, or reverse path filtering, that takes answers only",
        seen.ip(f"route get {seen.back}", seen.node),
        seen.capture(seen.back, "while it is tried: where is the answer seen last?"),
    )


def _corrupted(seen: _Seen) -> Hints:
    return Hints.of(
        "checksum offload of a device, mostly with a tunnel: the receiver gets damaged packets",
        "a proxy or another program on the way that rewrites what it carries",
        seen.capture(seen.address, "where is the checksum first wrong?", "-vv -ni"),
        Command("ethtool -k DEVICE", seen.both, "each device on the way"),
    )


def _misrouted(seen: _Seen) -> Hints:
    return Hints.of(
        "two endpoints have the same address",
        "a DNAT rule, old or of another program, sends it elsewhere",
        Command(f"kubectl get pods -A -o wide | grep {seen.address}"),
        seen.tables(seen.source, nat=True),
        seen.route(),
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
    MatrixKind.ANNOUNCEMENTS: _announcements,
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
_LATE = Hints.of(
    "Felix on a node is late, or does not follow at all",
    "the API server, or Typha, is late with what it says to Felix",
    Command(_CALICO_PODS, note="is it ready on the node? then its log"),
    Command("kubectl get pods -A -o wide -l k8s-app=calico-typha"),
)
_BY_CLASS: Mapping[Category, Hints] = {
    Category.LEAK: _LATE,
    Category.OVER_BLOCK: _LATE,
    Category.DNS: Hints.of(
        "the DNS service, its pods or its EndpointSlices lack a family",
        "DNS gives other addresses than the API server has",
        Command("kubectl -n kube-system get service,endpointslices -o wide"),
        _COREFILE,
    ),
    Category.MTU: Hints.of(
        "a device has kept the MTU that it was made with; the setting was changed later",
        "the underlay of a node, or its tunnel's overhead, is another than on the others",
        Command("ip -d link", note="on each node, and in the pod"),
        Command("kubectl get felixconfigurations.projectcalico.org default -o yaml"),
    ),
}
