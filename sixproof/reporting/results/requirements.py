"""The rows of the guide that a run may cover: codes and titles, without any pytest.

A test names rows by code: ``S1``. A row may have cases: ``F2/M3`` is case M3 of row F2.
The cases of path MTU and DNS may be named without their row where the code is theirs alone (``M3``,
``D5``); M1 and D1 by themselves are rows.
"""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One row; `topic` groups rows in reports."""

    code: str
    title: str
    topic: str


_ROWS = {
    "Preparation": {
        "P1": "Nodes have IPv6 on, forward it, keep their default route and send no redirects",
        "P2": "Version, service ranges and API server offer every wanted family",
        "P3": "Nodes have an InternalIP and a pod range of each family",
        "M1": "The cluster's mode is recognised: IPv6 only, dual stack, IPv4 only",
    },
    "Installation": {
        "I1": "The nodes run what the operator's Installation asks for",
        "I2": "The address Calico chose for each node is reachable and stays",
    },
    "Addresses": {
        "L1": "Pools: addresses, block size, encapsulation and NAT as configured",
        "L2": "Pools bound to nodes by label are used there and nowhere else",
        "L3": "Pools named by annotation are used; an unusable one is an error with a reason",
        "L4": "Pod, endpoint, block and route agree about every address",
        "L5": "Ranges do not overlap; ULA and GUA are used where they belong",
    },
    "BGP": {
        "B1": "A peer sees the AS number, the mesh and the advertised service addresses",
        "B2": "A router outside peers over IPv6 with the nodes meant for it",
        "B3": "Route reflectors carry all pods' routes without the mesh",
        "B4": "A session that is down is named with node, peer and last error",
    },
    "Services": {
        "S1": "Family policy and order of families: addresses, slices and traffic",
        "S2": "A load balancer address of each family answers from outside",
        "S3": "Ports, node ports, headless, affinity and hairpin in each family",
    },
    "Policy": {
        "N1": "Kubernetes NetworkPolicy, each family against the oracle",
        "N2": "Calico NetworkPolicy, each family against the oracle",
        "N3": "GlobalNetworkPolicy: inside allowed, outside denied except for a label",
        "N4": "Tiers, order, Pass, staged policies and ICMPv6 rules",
    },
    "Dataplane": {
        "F1": "Felix: IPv6 support, health, metrics and their settings take effect",
        "F2": "Path MTU: right size on every link, Packet Too Big sent and honoured",
        "F3": "WireGuard: devices and peers of each family, nothing in clear text",
        "F4": "The eBPF dataplane is recognised and judged by its own rules",
    },
    "DNS": {"D1": "A and AAAA answers, over each family, match the services' addresses"},
    "Diagnosis": {
        "T1": "One bundle of diagnostics, evaluated and not only collected",
        "T2": "The usual mistakes are found and named with their remedy",
        "T3": "Felix metrics can be scraped over IPv6",
    },
    "Scenario": {"X1": "A complete dual-stack application with its policies"},
}

_MTU = {
    1: "every pod interface has the size that the encapsulation leaves",
    2: "every link that carries IPv6 is at least 1280",
    3: "a full-size packet passes at the first try, one byte more is refused at once",
    4: "no route exception if no link has a smaller MTU",
    5: "Packet Too Big comes from the right hop with the exact size",
    6: "a socket honours Packet Too Big",
    7: "Packet Too Big passes policies that allow only the flow",
    8: "TCP segments fit the path",
    9: "bulk transfer through the bottleneck, both ways, without a stall",
    10: "UDP settles within a few sends",
    11: "fragments arrive, and none passes a deny rule",
    12: "the same through services, node ports and masquerade",
    13: "an exception ages out or can be flushed",
    14: "sizes below 1280 and unknown flows are ignored",
    15: "jumbo frames where the underlay has them",
    16: "no exception is left for node addresses",
}
_DNS = {
    1: "record sets per service kind and family",
    2: "headless records follow readiness",
    3: "SRV records, with targets that resolve",
    4: "reverse names of IPv6 addresses",
    5: "UDP and TCP to every server address of each family",
    6: "large answers: truncation, EDNS, TCP",
    7: "the C library's resolver, glibc and musl",
    8: "the pod's nameserver is of a family that the pod has",
    9: "DNS allowed alone, and DNS denied, per family",
    10: "mixed case, search list, partial names",
}
_CASES = {f"F2/M{n}": title for n, title in _MTU.items()} | {
    f"D1/D{n}": title for n, title in _DNS.items()
}

ROWS = {
    code: Row(code, title, topic) for topic, rows in _ROWS.items() for code, title in rows.items()
}
CASES = {
    code: Row(code, f"{code.partition('/')[2]}: {title}", ROWS[code.partition("/")[0]].topic)
    for code, title in _CASES.items()
}


def canonical(code: str) -> str:
    """A code as rows and cases are listed: ``M3`` is ``F2/M3``, an unknown code stays as it is."""
    if code in ROWS or code in CASES:
        return code
    return next((case for case in CASES if case.partition("/")[2] == code), code)


def row_of(code: str) -> str:
    """The row that a code belongs to: ``F2`` for ``F2/M3``."""
    return canonical(code).partition("/")[0]
