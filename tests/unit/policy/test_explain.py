"""``python -m sixproof explain``: questions asked by hand."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from sixproof.__main__ import main
from sixproof.errors import UsageError
from sixproof.model import EndpointKind, Protocol
from sixproof.policy.question import Question, answer
from sixproof.policy.scene import parse_endpoint, parse_lane, read_world

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
def world(tmp_path: Path) -> str:
    """A world file."""
    path = tmp_path / "world.yaml"
    path.write_text(json.dumps(WORLD))
    return str(path)


def ask(policies: str, *more: str, source: str = WEB, to: str = DB, port: str = "8080") -> int:
    """Run the command line."""
    return main(["explain", policies, "--from", source, "--to", to, "--port", port, *more])


def test_both_families_are_judged_and_explained(
    policies: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(policies) == 0
    out = capsys.readouterr().out
    assert "web -> db over IPv4 tcp/8080 (10.244.1.3:8080): ALLOWED" in out
    assert "web -> db over IPv6 tcp/8080 ([fd00:10:244::3]:8080): ALLOWED" in out
    assert "default/from-team-a ingress[0] allows it" in out


def test_json_expectation_and_family(policies: str, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["--json", "--family", "IPv6", "--reject", "--expect", "allowed"]
    assert ask(policies, *asked, port="udp/53") == 1
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["verdict"] == "DENIED"
    assert json.loads(line)["denyOutcomes"] == ["DROPPED", "REJECTED"]
    assert ask(policies, "--expect", "denied", port="udp/53") == 0


def test_names_and_services_of_a_world_file(
    policies: str, world: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(policies, "--world", world, source="web", to="svc:default/db", port="80") == 0
    assert "web -> db over IPv4 tcp/80 (10.96.0.9:80): ALLOWED" in capsys.readouterr().out
    by_address = ["--world", world, "--via", "203.0.113.9"]
    assert ask(policies, *by_address, source="lan", to="db", port="80") == 0
    assert "lan -> db over IPv4 tcp/80 (203.0.113.9:80): DENIED" in capsys.readouterr().out


def test_policies_from_standard_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(DENY))
    assert ask("-", "--all", "-n", "other", "--provider", "kubernetes") == 0
    out = capsys.readouterr().out
    assert "does not select it: pods of namespace other with everything" in out


def test_what_was_left_out_and_what_is_odd_is_noted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("""
{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: p, namespace: default}
spec: {podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8}}]}]}
""")
    assert ask(str(path)) == 0
    err = capsys.readouterr().err
    assert "note: Deployment web is no policy, and was left out" in err
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


def test_an_empty_world_file_is_an_empty_world(tmp_path: Path, policies: str) -> None:
    path = tmp_path / "world.yaml"
    path.write_text("# nothing\n")
    assert ask(policies, "--world", str(path), "--expect", "ALLOWED") == 0


def test_help_names_the_ways_to_write_endpoints(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["explain", "--help"])
    assert "sa:SERVICEACCOUNT" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (Question("web", "db", "80"), "'web' is no endpoint of the world file (known: none)"),
        (Question(WEB, "svc:a/b", "80"), "svc:a/b: the world file has no such service"),
        (Question(WEB, DB, "80", via="x"), "--via x: is not an IP address"),
        (Question(WEB, "shop/db", "80"), "do not both have an address of the same family"),
        (Question(WEB, "shop/db,10.0.0.1", "80", family="IPv6"), "an address of IPv6"),
        (Question(WEB, DB, "http"), "'http' is no port"),
        (Question(WEB, DB, "tcp/70000"), "'tcp/70000' is no port"),
        (Question(WEB, DB, "sctp"), "'sctp' is no port"),
    ],
)
def test_questions_that_cannot_be_read_say_why(asked: Question, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        answer(asked, [], {})
    assert reason in str(caught.value)


def test_namespaces_come_from_the_question_the_world_and_the_objects() -> None:
    bare = {"apiVersion": "v1", "kind": "Namespace"}
    objects: list[Any] = [
        {**bare, "metadata": {"name": "one", "labels": {"team": "a", "n": 1}}},
        {**bare, "metadata": {"name": "two", "labels": None}},
        bare,
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
        ("a/b,10.0.0.1,10.0.0.2", "two addresses of one family"),
        ("a/b,port:x=icmp", "a named port has a number"),
        ("a/b,port:x", "is no port"),
    ],
)
def test_lines_that_describe_no_endpoint_say_why(text: str, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_endpoint(text)
    assert reason in str(caught.value)


def test_lanes() -> None:
    assert parse_lane("80") == (Protocol.TCP, 80)
    assert parse_lane("SCTP/9") == (Protocol.SCTP, 9)
    assert parse_lane("ICMPv6") == (Protocol.ICMP, None)


def test_worlds_are_read() -> None:
    world = read_world(WORLD)
    (service,) = world.services
    assert [(p.port, p.protocol, p.target, p.node_port) for p in service.ports] == [
        (80, Protocol.TCP, "http", 30080),
        (81, Protocol.UDP, 8081, None),
        (82, Protocol.TCP, None, None),
    ]
    assert [world.target(port, service.backends[0]) for port in service.ports] == [8080, 8081, 82]
    assert service.local
    assert world.nodes["worker"].labels == (("zone", "a"),)
    assert world.service_accounts["shop", "front"] == {"role": "public"}
    assert [e.kind for e in world.endpoints][2] is EndpointKind.OUTSIDE


@pytest.mark.parametrize(
    ("value", "path", "reason"),
    [
        ({"endpoint": {}}, "endpoint", "did you mean endpoints?"),
        ({"endpoints": {"a": {}}}, "endpoints.a.namespace", "is required"),
        ({"endpoints": {"a": {"kind": "service"}}}, "endpoints.a.kind", "is not one of"),
        ({"nodes": {"a": {"addresses": ["x"]}}}, "nodes.a.addresses[0]", "not an IP address"),
        ({"services": {"a": {}}}, "services.a", "is named NAMESPACE/NAME"),
        ({"services": {"a/b": {"backends": ["c"]}}}, "services[a/b].backends[0]", "no endpoint"),
        ({"services": {"a/b": {"ports": [{}]}}}, "services[a/b].ports[0].port", "is required"),
    ],
)
def test_worlds_that_cannot_be_read_say_where(value: Any, path: str, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_world(value)
    assert str(caught.value).startswith(f"{path}: ")
    assert reason in str(caught.value)
