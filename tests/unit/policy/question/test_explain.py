"""``python -m sixproof explain``: questions asked by hand."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path
from typing import Any

import pytest

from sixproof.__main__ import main
from sixproof.errors import UsageError
from sixproof.model import EndpointKind, Protocol
from sixproof.policy.manifests.placed import Placed
from sixproof.policy.question.endpoint_text import AskedPort, parse_endpoint, parse_port
from sixproof.policy.question.question import Explanation, Question
from sixproof.policy.question.question import answer as answer_placed
from sixproof.policy.question.snapshot_file import read_snapshot

DENY = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: from-team-a}
spec: {podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: a}}}],
  ports: [{port: http}]}]}
"""

WEB = "shop/web,app=web,10.244.1.2,fd00:10:244::2,@worker"
DB = "default/db,app=db,10.244.1.3,fd00:10:244::3,port:http=tcp/8080"

WORLD = {
    "namespaces": {"shop": {"team": "a"}},
    "endpoints": {
        "web": {"namespace": "shop", "labels": {"app": "web"}, "node": "worker",
                "addresses": ["10.244.1.2", "fd00:10:244::2"], "serviceAccount": "front"},
        "db": {"namespace": "default", "pod": "db-0", "addresses": ["10.244.1.3"],
               "ports": {"http": "tcp/8080"}},
        "lan": {"kind": "outside", "addresses": ["192.0.2.1"]},
    },
    "nodes": {"worker": {"addresses": ["172.18.0.2"], "labels": {"zone": "a"}}},
    "services": {"default/db": {
        "addresses": ["10.96.0.9"], "external": ["203.0.113.9"], "backends": ["db"], "local": True,
        "ports": [{"port": 80, "target": "http", "nodePort": 30080},
                  {"port": 81, "target": 8081, "protocol": "UDP"}, {"port": 82}]}},
    "serviceAccounts": {"shop/front": {"role": "public"}},
}  # fmt: skip


@pytest.fixture
def policies(tmp_path: Path) -> str:
    """A file with a policy and a namespace."""
    path = tmp_path / "policies.yaml"
    path.write_text(
        f"{DENY}---\napiVersion: v1\nkind: Namespace\n"
        "metadata: {name: shop, labels: {team: a}}\n---\n"
    )
    return str(path)


@pytest.fixture
def snapshot(tmp_path: Path) -> str:
    """A cluster file."""
    path = tmp_path / "cluster.yaml"
    path.write_text(json.dumps(WORLD))
    return str(path)


def ask(policies: str, *more: str, source: str = WEB, to: str = DB, port: str = "8080") -> int:
    """Run the command line."""
    return main(["explain", policies, "--from", source, "--to", to, "--port", port, *more])


def answer(question: Question, values: list[Any], snapshot: Any = None) -> Explanation:
    """The answer to a question about objects without a place."""
    described = None if snapshot is None else Placed(snapshot)
    return answer_placed(question, map(Placed, values), described)


def test_both_families_are_judged_and_explained(
    policies: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(policies) == 0
    out = capsys.readouterr().out
    assert "shop/web -> default/db over IPv4 tcp/8080 (10.244.1.3:8080): ALLOWED" in out
    assert "shop/web -> default/db over IPv6 tcp/8080 ([fd00:10:244::3]:8080): ALLOWED" in out
    assert "default/from-team-a ingress[0] allows it" in out


def test_json_expectation_and_family(policies: str, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["--json", "--family", "IPv6", "--reject", "--expect", "allowed"]
    assert ask(policies, *asked, port="udp/53") == 1
    (line,) = capsys.readouterr().out.splitlines()
    answer = json.loads(line)
    assert (answer["source"], answer["destination"]) == ("shop/web", "default/db")
    assert answer["verdict"] == "DENIED"
    assert answer["denyOutcomes"] == ["DROPPED", "REJECTED"]
    assert ask(policies, "--expect", "denied", port="udp/53") == 0


def test_names_and_services_of_a_cluster_file(
    policies: str, snapshot: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(policies, "--cluster", snapshot, source="web", to="svc:default/db", port="80") == 0
    assert (
        "shop/web -> svc:default/db over IPv4 tcp/80 (10.96.0.9:80): ALLOWED"
        in capsys.readouterr().out
    )
    by_address = ["--cluster", snapshot, "--via", "203.0.113.9"]
    assert ask(policies, *by_address, source="lan", to="db", port="80") == 0
    assert (
        "lan -> default/db-0 over IPv4 tcp/80 (203.0.113.9:80): DENIED" in capsys.readouterr().out
    )


def test_policies_from_standard_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(DENY.encode())))
    assert ask("-", "--all", "-n", "other", "--provider", "kubernetes") == 0
    out = capsys.readouterr().out
    assert "does not select it: pods of namespace other with everything" in out


def test_what_was_left_out_and_what_is_odd_is_noted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("""
{apiVersion: v1, kind: ConfigMap, metadata: {name: web}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: p, namespace: default}
spec: {podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8}}]}]}
""")
    assert ask(str(path)) == 0
    err = capsys.readouterr().err
    assert "note: ConfigMap web is no policy, and was left out" in err
    assert "note: NetworkPolicy default/p spec.ingress: its networks are IPv4 only" in err


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{a: [", "no readable YAML"),
        ("7", "must be an object, is 7"),
        ("{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: [], spec: {}}",
         "metadata: must be an object"),
        ("{apiVersion: networking.k8s.io/v1, kind: OtherPolicy}", "is no policy that can be"),
        ("{apiVersion: crd.projectcalico.org/v1, kind: Tier}", "write projectcalico.org/v3"),
    ],
)  # fmt: skip
def test_bad_files_end_with_status_2_and_the_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, reason: str
) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    assert ask(str(path)) == 2
    assert reason in capsys.readouterr().err


def test_files_that_cannot_be_read_end_with_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(str(tmp_path / "none.yaml")) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_a_cluster_file_without_a_document_is_an_error(
    tmp_path: Path, policies: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What should have written it has failed; its labels must not count as none."""
    path = tmp_path / "cluster.yaml"
    path.write_text("# nothing\n")
    assert ask(policies, "--cluster", str(path), "--expect", "ALLOWED") == 2
    assert f"{path}: is empty" in capsys.readouterr().err


def test_help_names_the_ways_to_write_endpoints(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["explain", "--help"])
    assert "sa:front" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (Question("web", "db", "80"), "'web' is no endpoint (no file has any): write"),
        (Question(WEB, "svc:a/b", "80"), "svc:a/b: no file has such a service"),
        (Question(WEB, DB, "80", via="x"), "--via: 'x' is not an IP address"),
        (Question(WEB, DB, "80", via="::ffff:8.8.8.8"), "IPv4-mapped address"),
        (Question("a/b,10.0.0.1", "a/c,fd00::1", "80"), "an address of the same family"),
        (Question(WEB, "shop/db,10.0.0.1", "80", family="IPv6"), "an address of IPv6"),
        (Question("outside", DB, "80"), "no address is known of outside: give one"),
        (Question(WEB, DB, "sql"), "default/db has no port named 'sql' (named ports: http)"),
        (Question(WEB, "a/b", "sql"), "a/b has no port named 'sql' (named ports: none is known)"),
        (Question(WEB, DB, "udp/http"), "default/db has no port named 'http'"),
        (Question(WEB, DB, "tcp/70000"), "'tcp/70000' is no port: numbers go from 1 to 65535"),
        (Question(WEB, DB, "0"), "'0' is no port"),
        (Question(WEB, DB, "sctp"), "'sctp' is no port"),
        (Question(WEB, DB, "tcp/udp"), "'tcp/udp' is no port"),
        (Question(WEB, DB, "tcp/80/tcp"), "'tcp/80/tcp' is no port"),
        (Question(WEB, DB, "tcp/--"), "'tcp/--' is no port"),
        (Question(WEB, f"{DB},port:dns=udp/53,port:dns=tcp/53", "dns"), "tcp/53, udp/53"),
    ],
)
def test_questions_that_cannot_be_read_say_why(asked: Question, reason: str) -> None:
    asked = dataclasses.replace(asked, no_policies=True)
    with pytest.raises(UsageError) as caught:
        answer(asked, [], {})
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_namespaces_come_from_the_question_the_cluster_file_and_the_objects() -> None:
    bare = {"apiVersion": "v1", "kind": "Namespace"}
    objects: list[Any] = [
        {**bare, "metadata": {"name": "one", "labels": {"team": "a"}}},
        {**bare, "metadata": {"name": "two", "labels": None}},
    ]
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "p", "namespace": "default"},
        "spec": {
            "podSelector": {},
            "ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"team": "a"}}}]}],
        },
    }
    wanted = {"one/p,10.0.0.1": "ALLOWED", "two/p,10.0.0.1": "DENIED",
              "two/p,10.0.0.1,ns:team=a": "ALLOWED", "three/p,10.0.0.1": "DENIED"}  # fmt: skip
    for source, verdict in wanted.items():
        found = answer(Question(source, "default/db,10.0.0.2", "80"), [*objects, policy], {})
        assert [j.verdict for j in found.judgements] == [verdict]


def test_endpoints_are_described_on_one_line() -> None:
    found = parse_endpoint("shop/web, app=web,tier=,10.0.0.1,fd00::1,@n1,sa:front,ns:a=b,"
                           "port:dns=udp/53")  # fmt: skip
    assert found.endpoint.kind is EndpointKind.POD
    assert found.endpoint.name == "shop/web"
    assert (found.endpoint.namespace, found.endpoint.pod) == ("shop", "web")
    assert dict(found.endpoint.labels) == {"app": "web", "tier": ""}
    assert (found.endpoint.node, found.endpoint.service_account) == ("n1", "front")
    assert found.namespace_labels == (("a", "b"),)
    assert [(p.name, p.protocol, p.number) for p in found.ports] == [("dns", Protocol.UDP, 53)]
    assert parse_endpoint("host:shop/web").endpoint.kind is EndpointKind.HOST
    assert parse_endpoint("node:n1").endpoint.node == "n1"
    assert parse_endpoint("outside,::1").endpoint.kind is EndpointKind.OUTSIDE
    assert parse_endpoint("shop/web").endpoint.service_account == "default"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("web", "'web' is no endpoint"),
        ("a/b/c", "'a/b/c' is no endpoint"),
        ("/b", "'/b' is no endpoint"),
        ("a/", "'a/' is no endpoint"),
        ("pod:a/b", "'pod:a/b' is no endpoint"),
        ("node:", "'node:' is no endpoint"),
        ("a/b,", "'' cannot be read"),
        ("a/b,@", "'@' cannot be read"),
        ("a/b,label", "'label' cannot be read"),
        ("a/b,=x", "'=x' cannot be read"),
        ("a/b,sa:", "'sa:' cannot be read"),
        (
            "a/b,::ffff:8.8.8.8",
            "'::ffff:8.8.8.8' is an IPv4-mapped address, which no packet carries: write 8.8.8.8",
        ),
        ("a/b,fe80::1%eth0", "'fe80::1%eth0' has a zone, which no packet carries: write fe80::1"),
        ("a/b,::", "'::' is the unspecified address, which no host has"),
        ("a/b,10.0.0.1,10.0.0.2", "two addresses of one family"),
        ("a/b,port:x=icmp", "a named port has a number"),
        ("a/b,port:x", "is no port"),
    ],
)
def test_lines_that_describe_no_endpoint_say_why(text: str, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_endpoint(text)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_a_line_cannot_say_is_quoted_in_bounded_length() -> None:
    """An endpoint of a megabyte must not make an error of a megabyte."""
    for text in ("x" * 1_000_000, "a/b," + "x" * 1_000_000, "a/b,port:" + "x" * 1_000_000):
        with pytest.raises(UsageError) as caught:
            parse_endpoint(text)
        assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    ("text", "port_spec"),
    [
        ("80", AskedPort(Protocol.TCP, 80)),
        ("SCTP/9", AskedPort(Protocol.SCTP, 9)),
        ("9093/tcp", AskedPort(Protocol.TCP, 9093)),
        ("53/UDP", AskedPort(Protocol.UDP, 53)),
        ("http", AskedPort(None, "http")),
        ("udp/dns", AskedPort(Protocol.UDP, "dns")),
        ("dns-tcp/tcp", AskedPort(Protocol.TCP, "dns-tcp")),
        ("ICMPv6", AskedPort(Protocol.ICMP, None)),
    ],
)
def test_ports(text: str, port_spec: AskedPort) -> None:
    assert parse_port(text) == port_spec


def test_a_port_by_name_is_the_destinations() -> None:
    """The name is resolved at the pod, or at the service, that is asked for."""
    snapshot = {
        **WORLD,
        "services": {
            "default/db": {
                "addresses": ["10.96.0.9"],
                "backends": ["db"],
                "ports": [{"port": 80, "target": "http"}],
            }
        },
    }
    found = answer(Question("web", "db", "http", no_policies=True), [], snapshot)
    assert [j.flow.port for j in found.judgements] == [8080]
    with pytest.raises(UsageError, match="svc:default/db has no port named 'http'"):
        answer(Question("web", "svc:default/db", "http", no_policies=True), [], snapshot)


def test_cluster_files_are_read() -> None:
    snapshot = read_snapshot(WORLD)
    (service,) = snapshot.services
    assert [(p.port, p.protocol, p.target, p.node_port) for p in service.ports] == [
        (80, Protocol.TCP, "http", 30080),
        (81, Protocol.UDP, 8081, None),
        (82, Protocol.TCP, None, None),
    ]
    assert [snapshot.target(port, service.backends[0]) for port in service.ports] == [
        8080,
        8081,
        82,
    ]
    assert service.local
    assert snapshot.nodes["worker"].labels == (("zone", "a"),)
    assert snapshot.service_accounts["shop", "front"] == {"role": "public"}
    assert [e.kind for e in snapshot.endpoints][2] is EndpointKind.OUTSIDE


@pytest.mark.parametrize(
    ("value", "path", "reason"),
    [
        ({"endpoint": {}}, "endpoint", "did you mean endpoints?"),
        ({"endpoints": {"a": {}}}, "endpoints.a.namespace", "is required"),
        ({"endpoints": {"a": {"kind": "service"}}}, "endpoints.a.kind", "is not one of"),
        ({"nodes": {"a": {"addresses": ["x"]}}}, "nodes.a.addresses[0]", "not an IP address"),
        ({"nodes": {"a": {"addresses": ["::ffff:1.2.3.4"]}}}, "nodes.a.addresses[0]", "1.2.3.4"),
        ({"services": {"a": {}}}, "services.a", "is named NAMESPACE/NAME"),
        ({"services": {"a/b": {"backends": ["c"]}}}, "services[a/b].backends[0]", "no endpoint"),
        ({"services": {"a/b": {"ports": [{}]}}}, "services[a/b].ports[0].port", "is required"),
    ],
)
def test_cluster_files_that_cannot_be_read_say_where(value: Any, path: str, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_snapshot(value)
    assert str(caught.value).startswith(f"{path}: ")
    assert reason in str(caught.value)
