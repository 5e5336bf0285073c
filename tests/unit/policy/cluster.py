"""A small dual-stack cluster, and a notation for what must happen in it.

``web -> db v6 tcp/5432: DENIED`` names source, destination, families (v4, v6, v46), port and
verdict; ``web -> db via shop-db v4 tcp/80`` dials the service of that name, ``via @10.1.2.3`` an
address.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping

import yaml

from sixproof.model import Endpoint, EndpointKind, Family, Flow, IPAddress, Protocol
from sixproof.policy import (
    CALICO,
    ClusterSnapshot,
    Icmp,
    Judgement,
    NamedPort,
    Node,
    Oracle,
    ProviderProfile,
    ServicePortSnapshot,
    ServiceSnapshot,
)


def addresses(*texts: str) -> tuple[IPAddress, ...]:
    """Addresses of these texts."""
    return tuple(map(ipaddress.ip_address, texts))


def pod(
    name: str, namespace: str, n: int, node: str, account: str = "default", **labels: str
) -> Endpoint:
    """A dual-stack pod."""
    return Endpoint(
        name=name,
        kind=EndpointKind.POD,
        addresses=addresses(f"10.244.1.{n}", f"fd00:10:244:1::{n:x}"),
        namespace=namespace,
        pod=name,
        node=node,
        labels=tuple(sorted(labels.items())),
        service_account=account,
    )


WEB = pod("web", "shop", 2, "worker", "frontend", app="web", tier="front")
DB = pod("db", "shop", 3, "worker", app="db", tier="back")
API = pod("api", "shop", 4, "worker2", app="api", tier="back")
BLOG = pod("blog", "blog", 5, "worker2", app="web")
BARE = pod("bare", "blog", 6, "worker")

HOST = Endpoint("host", EndpointKind.HOST, addresses("172.18.0.3", "fd00:18::3"), "shop",
                "host", "worker2", (("app", "web"),))  # fmt: skip
LOCAL_HOST = Endpoint("local-host", EndpointKind.HOST, addresses("172.18.0.2", "fd00:18::2"),
                      "shop", "local-host", "worker", (("app", "web"),))  # fmt: skip
WORKER = Endpoint("worker", EndpointKind.NODE, addresses("172.18.0.2", "fd00:18::2"))
WORKER2 = Endpoint("worker2", EndpointKind.NODE, addresses("172.18.0.3", "fd00:18::3"))
OUTSIDE = Endpoint("outside", EndpointKind.OUTSIDE, addresses("192.0.2.1", "2001:db8::1"))

ENDPOINTS = {
    e.name: e for e in (WEB, DB, API, BLOG, BARE, HOST, LOCAL_HOST, WORKER, WORKER2, OUTSIDE)
}

SERVICES = (
    ServiceSnapshot(
        "shop",
        "shop-db",
        addresses("10.96.0.10", "fd00:10:96::a"),
        addresses("203.0.113.10", "2001:db8:1::a"),
        (
            ServicePortSnapshot(80, Protocol.TCP, "sql", 30080),
            ServicePortSnapshot(81, Protocol.UDP),
            ServicePortSnapshot(82, Protocol.TCP, 5432),
        ),
        (DB,),
    ),
    ServiceSnapshot(
        "shop",
        "local",
        addresses("10.96.0.11", "fd00:10:96::b"),
        (),
        (ServicePortSnapshot(80, Protocol.TCP, 5432, 30081),),
        (DB,),
        local=True,
    ),
    ServiceSnapshot(
        "shop",
        "pair",
        addresses("10.96.0.12", "fd00:10:96::c"),
        (),
        (ServicePortSnapshot(80, Protocol.TCP, 5432),),
        (DB, API),
    ),
    ServiceSnapshot(
        "shop",
        "on-host",
        addresses("10.96.0.13", "fd00:10:96::d"),
        (),
        (ServicePortSnapshot(80, Protocol.TCP, 5432),),
        (LOCAL_HOST,),
    ),
    ServiceSnapshot(
        "shop", "empty", addresses("10.96.0.14", "fd00:10:96::e"), (), (ServicePortSnapshot(80),)
    ),
)

ENDPOINTS |= {
    s.name: Endpoint(s.name, EndpointKind.SERVICE, s.addresses, s.namespace) for s in SERVICES
}

WORLD = ClusterSnapshot.of(
    {"shop": {"team": "a"}, "blog": {"team": "b"}, "kube-system": {}},
    ports={
        ("shop", "db"): [
            NamedPort("sql", Protocol.TCP, 5432),
            NamedPort("dns", Protocol.UDP, 53),
            NamedPort("dns", Protocol.TCP, 5353),
        ],
        ("shop", "api"): [NamedPort("sql", Protocol.TCP, 15432)],
    },
    nodes=[
        Node("worker", (*WORKER.addresses, *addresses("10.244.1.0")), (("zone", "a"),)),
        Node("worker2", (*WORKER2.addresses, *addresses("10.244.2.0")), (("zone", "b"),)),
    ],
    services=SERVICES,
    service_accounts={("shop", "frontend"): {"role": "public"}},
    endpoints=ENDPOINTS.values(),
)

_NOTATION = re.compile(
    r"(?P<source>\S+) -> (?P<to>\S+)(?: via (?P<via>\S+))? (?P<families>v4|v6|v46) "
    r"(?P<port_spec>\S+): (?P<verdict>\w+)"
)

_FAMILIES = {"v4": [Family.IPV4], "v6": [Family.IPV6], "v46": list(Family)}


def manifests(text: str) -> list[Mapping[str, object]]:
    """The objects of YAML text."""
    return [value for value in yaml.safe_load_all(text) if value is not None]


def flow_of(found: re.Match[str], family: Family, endpoints: Mapping[str, Endpoint]) -> Flow:
    """The flow that the notation asks for, in one family."""
    destination, via = endpoints[found["to"]], found["via"]
    if via is None:
        address = destination.address(family)
    elif via.startswith("@"):
        address = ipaddress.ip_address(via[1:])
    else:
        address = endpoints[via].address(family)
    assert address is not None
    name, _, port = found["port_spec"].partition("/")
    protocol = Protocol(name.upper())
    return Flow(endpoints[found["source"]], destination, address, protocol, int(port or 0) or None)


def judgements(
    text: str,
    asked: str,
    profile: ProviderProfile = CALICO,
    snapshot: ClusterSnapshot = WORLD,
    icmp: Icmp | None = None,
) -> list[tuple[str, Judgement]]:
    """What is wanted and what the oracle says, for each line and family asked about."""
    oracle = Oracle.of(manifests(text), snapshot, profile)
    endpoints = {**ENDPOINTS, **{e.name: e for e in snapshot.endpoints}}
    answers = []
    for line in filter(None, map(str.strip, asked.splitlines())):
        found = _NOTATION.fullmatch(line)
        assert found is not None, line
        for family in _FAMILIES[found["families"]]:
            answer = oracle.judge(flow_of(found, family, endpoints), icmp)
            answers.append((found["verdict"], answer))
    assert answers
    return answers


def check(
    text: str,
    asked: str,
    profile: ProviderProfile = CALICO,
    snapshot: ClusterSnapshot = WORLD,
    icmp: Icmp | None = None,
) -> None:
    """Assert that the oracle says what is wanted of every flow asked about."""
    answers = judgements(text, asked, profile, snapshot, icmp)
    wrong = [f"wanted {want}: {got}" for want, got in answers if got.verdict != want]
    assert not wrong, "\n".join(wrong)


def judge(
    text: str, line: str, profile: ProviderProfile = CALICO, snapshot: ClusterSnapshot = WORLD
) -> Judgement:
    """The judgement of one flow in one family; its verdict is checked too."""
    check(text, line, profile, snapshot)
    return judgements(text, line, profile, snapshot)[0][1]


def network_policy(name: str, spec: str, namespace: str = "shop") -> str:
    """A NetworkPolicy with a spec in YAML's flow style."""
    return _object("networking.k8s.io/v1", "NetworkPolicy", name, spec, namespace)


def calico(kind: str, name: str, spec: str, namespace: str = "", labels: str = "{}") -> str:
    """An object of projectcalico.org/v3 with a spec in YAML's flow style."""
    return _object("projectcalico.org/v3", kind, name, spec, namespace, labels)


def cluster_wide(kind: str, name: str, spec: str, version: str = "v1alpha1") -> str:
    """An object of policy.networking.k8s.io with a spec in YAML's flow style."""
    return _object(f"policy.networking.k8s.io/{version}", kind, name, spec, "")


def _object(api: str, kind: str, name: str, spec: str, namespace: str, labels: str = "{}") -> str:
    space = f", namespace: {namespace}" if namespace else ""
    return f"""---
apiVersion: {api}
kind: {kind}
metadata: {{name: {name}{space}, labels: {labels}}}
spec: {spec}
"""
