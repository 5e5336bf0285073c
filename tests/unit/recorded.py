"""One of everything that a run writes: what may be left out, and what could be confused."""

from __future__ import annotations

import ipaddress

from fixtures.run.state import RunState
from sixproof.model import (
    ClusterFacts,
    Endpoint,
    EndpointKind,
    Expectation,
    Family,
    Finding,
    Flow,
    IcmpError,
    Matrix,
    MatrixKind,
    NodeFacts,
    Observation,
    Outcome,
    Protocol,
    Severity,
)
from sixproof.reporting.results.matrices.measured import Measured
from sixproof.reporting.results.results_json import Results
from sixproof.reporting.results.test_record import (
    Case,
    CaseOutcome,
    Convergence,
    Foreign,
    RunRecord,
)
from sixproof.workloads.probe_pods import identity
from sixproof.workloads.probe_pods.outside import Outside
from sixproof.workloads.probe_pods.topology import ProbeTopology

ip, net = ipaddress.ip_address, ipaddress.ip_network

NODE = NodeFacts(
    "worker",
    (ip("fd00::2"), ip("192.0.2.2")),
    (net("fd00:1::/64"), net("10.0.1.0/24")),
    ready=False,
    schedulable=False,
    taints=("dedicated=gpu:NoSchedule",),
    kernel="6.1",
    os_image="Debian",
    runtime="containerd://2",
    kubelet="v1.37.0",
    os="linux",
    architecture="arm64",
)
FACTS = ClusterFacts(
    "https://[fd00::1]:6443",
    "v1.37.0",
    (NODE, NodeFacts("bare", ())),
    (Family.IPV6, Family.IPV4),
    (Family.IPV4, Family.IPV6),
    (net("fd00:2::/112"), net("10.96.0.0/16")),
    (net("fd00:1::/56"),),
    "calico",
    "v3.31.0",
    "nftables",
    ((Family.IPV6, "VXLAN"), (Family.IPV4, "")),
    1430,
    "nftables",
    True,
    (("tier", "default"), ("tier", "")),
)
BARE = ClusterFacts("https://api", "", ())

CLIENT = Endpoint(
    "a@worker",
    EndpointKind.POD,
    (ip("10.0.1.7"), ip("fd00:1::7")),
    "six-1-a",
    "a-1",
    "worker",
    (("app", "a"), ("sixproof.dev/run", "1")),
    "default",
)
HOST = Endpoint("host@worker", EndpointKind.HOST, (ip("fd00::2"),), node="worker")
OUTSIDE = Endpoint("outside", EndpointKind.OUTSIDE, (ip("2001:db8::1"), ip("192.0.2.9")))
NOWHERE = Endpoint("far", EndpointKind.SERVICE)

FINDING = Finding("mtu", Severity.BLOCKER, "pool", 'MTU "9000"', "1430", "set it", "ü", "RFC 8201")
SHORT = Finding("mtu", Severity.NOTE, "pool", "")
CASE = Case(
    "t.py::test[IPv6]",
    CaseOutcome.NOT_PROVEN,
    1.23456,
    "Pods reach pods",
    "closed",
    "--six-raw on",
    "first\nsecond",
    ("S1", "F2/M3"),
    Family.IPV6,
    (Family.IPV4, Family.IPV6),
    ("DNS",),
)
PLAIN = Case("t.py::other", CaseOutcome.PASSED)
TIME = Convergence("deny all", 0.87654, Family.IPV4, 3, "t.py::other")
AT_ONCE = Convergence("allow", 0.0)
FOREIGN = Foreign("h/w", "node w", 20, 0)
RUN = RunRecord("six-1", "2026-11-23T02:00:00Z", "2026-11-23T02:01:00Z", 60.00049, "0.1.0", 1)
UNDER_WAY = RunRecord("six-2")

_ECHO = Flow(CLIENT, HOST, ip("fd00::2"), Protocol.ICMP)
_NAME = Flow(
    CLIENT, OUTSIDE, ip("192.0.2.9"), Protocol.UDP, 53, "web.shop.svc AAAA", about=Family.IPV6
)
_LOST = Flow(HOST, OUTSIDE, ip("2001:db8::1"), Protocol.TCP, 8080)
_SERVICE = Flow(CLIENT, NOWHERE, ip("10.96.0.1"), Protocol.TCP, 80)
OBSERVATIONS = (
    Observation(
        _ECHO,
        Outcome.TOO_BIG,
        "too big",
        3,
        1.23456789,
        0.00041239,
        ip("fd00:1::7"),
        40_000,
        "host-1",
        True,
        "n0",
        IcmpError(Family.IPV6, 2, 0, "fd00::1", 1280),
    ),
    Observation(_NAME, Outcome.DNS_FAILED, icmp=IcmpError(Family.IPV6, 1, 4)),
    Observation(_LOST, Outcome.UNKNOWN, "the agent was stalled", 0, arrived=False, stalled=1.5),
    Observation(_SERVICE, Outcome.ALLOWED, latency=0.0, peer_port=0),
)
MATRIX = Matrix.of("all of it", OBSERVATIONS, MatrixKind.DNS_ANSWERS)
EXPECTED = dict(
    zip(
        MATRIX.cells,
        (
            Expectation(frozenset({Outcome.TOO_BIG, Outcome.ALLOWED}), "a policy", by_policy=True),
            Expectation(frozenset({Outcome.ALLOWED}), "open", closed_by="GlobalNetworkPolicy x"),
            Expectation.allowed("open"),
            Expectation.allowed("", by_policy=True),
        ),
        strict=True,
    )
)
JUDGED = Measured(MATRIX, EXPECTED, "t.py::other", headline=True)
UNJUDGED = Measured(Matrix("nothing", {}))

PARTS = (
    *(FACTS, BARE, FINDING, SHORT, CASE, PLAIN, TIME, AT_ONCE, FOREIGN, JUDGED),
    *(UNJUDGED, Measured(MATRIX)),
)

RESULTS = Results(
    RUN,
    (("Kubernetes", "v1.37.0"), ("CNI", "")),
    FACTS,
    (FINDING, SHORT),
    (CASE, PLAIN),
    (TIME, AT_ONCE),
    (JUDGED, UNJUDGED),
    ("gw1.jsonl line 3: cut off",),
)
HOLLOW = Results(UNDER_WAY)

STATE = RunState(
    "abc123",
    FACTS,
    (FINDING,),
    ProbeTopology(
        identity.Run("abc123", "k3y"),
        (CLIENT,),
        (HOST,),
        (("worker2", "not asked for"),),
        (("worker3", "image: pull failed"),),
    ),
    "registry.example/agent:1",
    "pull",
    "/home/k",
    "kind",
    (("preflight", 1.23456), ("pods", 2.0)),
    Outside(OUTSIDE, ("ssh", "far"), (NOWHERE,), ("ip", "route", "flush", "cache")),
    Outside(OUTSIDE, ("ssh", "behind")),
    (("nodes-ready", "not to be seen"),),
    "reports/latest",
)
BLOCKED = RunState("abc123", BARE, (), None, "", "", "", "")
