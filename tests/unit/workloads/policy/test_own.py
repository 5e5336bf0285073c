"""Policies of the user's own: read strictly, and given the stand-ins that they mean."""

from __future__ import annotations

import json
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest
import yaml

from sixproof.errors import UsageError
from sixproof.model import Endpoint, EndpointKind, Family, Protocol
from sixproof.policy import CALICO as CALICO_PROFILE
from sixproof.policy import ClusterSnapshot, Node, Oracle, Verdict
from sixproof.workloads.policy import files
from sixproof.workloads.policy import stand_ins as policy_stage
from sixproof.workloads.policy.files import Given
from sixproof.workloads.policy.stand_ins import BYSTANDER, ELSEWHERE, STANDS_FOR
from sixproof.workloads.probe_pods import topology
from sixproof.workloads.probe_pods.ports import PortSpec

DNS = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: dns, namespace: prod}
spec:
  podSelector: {}
  policyTypes: [Egress]
  egress:
    - to:
        - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}
          podSelector: {matchLabels: {k8s-app: kube-dns}}
      ports: [{protocol: UDP, port: 53}, {port: 53}]
"""
WEB = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: prod}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress:
    - from:
        - podSelector: {matchExpressions: [{key: role, operator: In, values: [proxy, lb]}]}
        - namespaceSelector: {matchLabels: {team: ops}}
      ports: [{port: https}, {port: 8000, endPort: 8010}]
"""
CALICO = """
apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata: {name: db, namespace: data}
spec:
  selector: app == 'db' && !has(legacy)
  ingress:
    - action: Allow
      protocol: TCP
      source:
        selector: app in {'web', 'api'}
        namespaceSelector: projectcalico.org/name == 'prod'
      destination: {ports: [5432]}
"""


def given(directory: Path, *texts: str) -> Given:
    """What is read of a directory with these files."""
    for number, text in enumerate(texts):
        (directory / f"{number}.yaml").write_text(text)
    return files.read(directory)


def test_policies_are_found_namespaces_noted_and_the_rest_is_left_alone(tmp_path: Path) -> None:
    space = "apiVersion: v1\nkind: Namespace\nmetadata: {name: prod, labels: {env: live}}\n"
    other = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {any: thing}\n"
    found = given(tmp_path, f"{DNS}---\n{space}---\n{other}", CALICO)
    assert [p["metadata"]["name"] for p in found.policies] == ["dns", "db"]
    assert found.namespaces == {"prod": {"env": "live"}}
    assert found.left == ("Deployment web",)


REFUSED = {
    "unknown field": (WEB.replace("port: https", "prot: https"), "ingress[0].ports[0].prot"),
    "second document": (
        f"{DNS}---\n{WEB}".replace("app: web", "app: -"),
        "document 2, line 15: spec.podS",
    ),
    "selector": (CALICO.replace("has(legacy)", "has(legacy"), "spec.selector"),
    "cluster-wide": (CALICO.replace("kind: Net", "kind: GlobalNet"), "only NetworkPolicy"),
    "tier": (CALICO.replace("spec:", "spec:\n  tier: security"), "spec.tier"),
    "storage": (CALICO.replace("projectcalico.org/v3", "crd.projectcalico.org/v1"), "only Net"),
    "aliases that multiply": (
        "a: &a [1,1,1,1,1,1,1,1,1,1]\n"
        + "".join(f"{c}: &{c} [{','.join([f'*{chr(ord(c) - 1)}'] * 10)}]\n" for c in "bcdefgh")
        + WEB,
        "document 1, line 5: its aliases expand to",
    ),
    "raw template": (WEB.replace("name: web", "name: {{ .Release.Name }}"), "render it first"),
    "template in a name": (WEB.replace("name: web", "name: '{{ .x }}'"), "render it first"),
    "wrong case": (WEB.replace("kind: Net", "kind: net"), "did you mean NetworkPolicy?"),
    "wrong case in a large file": (
        WEB.replace("kind: NetworkP", "kind: Networkp") + "#" * (1 << 20),
        "did you mean Netw",
    ),
    "misspelt group": (WEB.replace("k8s.io", "k8.io"), "NetworkPolicy is of networking.k8s.io/v1"),
    "list of policies": ("- " + WEB.strip().replace("\n", "\n  "), "must be an object"),
    "name": (WEB.replace("name: web", "name: Web"), "is no name that the API takes"),
    "host bits in Calico's": (
        CALICO.replace("selector: app in", "nets: [10.0.0.1/8]\n        selector: app in"),
        "has bits set beyond its prefix",
    ),
    "namespace without name": ("{apiVersion: v1, kind: Namespace, metadata: {}}", "metadata.name"),
    "no YAML": ("{", "no readable YAML"),
    "deep": ("[" * 5000, "no readable YAML"),
    "control character": ("kind: \x07", "no readable YAML"),
    "text": ("text", "must be an object"),
    "no version": ("kind: NetworkPolicy", "apiVersion"),
    "labels": ("apiVersion: v1\nkind: Namespace\nmetadata: {name: a, labels: [b]}", "data.labels"),
    "no policy": ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}", "holds no NetworkPolicy"),
    "twice": (f"{WEB}---{WEB}", "given twice"),
    "large": (WEB + "#" * (16 << 20), "larger than 16 MiB: give its policies alone"),
    "nothing": ("# nothing\n", "holds no NetworkPolicy"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_tried_is_refused_with_its_place(tmp_path: Path, what: str) -> None:
    text, said = REFUSED[what]
    with pytest.raises(UsageError) as refused:
        given(tmp_path, text)
    assert said in str(refused.value)
    assert str(tmp_path) in str(refused.value)


ALONE = {
    "kustomization": "{apiVersion: kustomize.config.k8s.io/v1beta1, kind: Kustomization}",
    "kustomization without kind": "resources: [web.yaml]\nnamespace: shop\n",
    "values": "networkPolicy: {enabled: true}\nkind: {a: 1}\n8080: http\nx: &x [1]\ny: *x\n",
    "patch": "- {op: replace, path: /spec/replicas, value: 2}\n",
    "other policies": "{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: a}}",
    "without name": "{apiVersion: v1, kind: Pod}",
    "large": "a: '" + "x" * (1 << 20) + "'\n",
    "large and no YAML": "{" * (1 << 21),
    "large, of other kinds": f"kind: ConfigMap\ndata: {{a: {{{{}}\n---\n# {'x' * (1 << 20)}",
}


@pytest.mark.parametrize("what", ALONE)
def test_what_stands_beside_policies_is_left_alone(tmp_path: Path, what: str) -> None:
    found = given(tmp_path, ALONE[what], WEB)
    assert [p["metadata"]["name"] for p in found.policies] == ["web"]
    assert len(found.left) == 1
    assert found.notes == ()


def test_a_large_file_is_read_where_it_holds_policies(tmp_path: Path) -> None:
    filler = f"kind: ConfigMap\ndata: {{{{ not read }}}}\n# {'x' * (1 << 20)}\n"
    space = "apiVersion: v1\nkind: Namespace\nmetadata: {name: prod, labels: {env: live}}\n"
    bad = WEB.replace("name: web", "name: bad").replace("app: web", "app: -")
    text = f"{filler}---\n{WEB.strip()}\n--- # next\n{space}---\n{filler}"
    found = given(tmp_path, text)
    assert [p["metadata"]["name"] for p in found.policies] == ["web"]
    assert found.namespaces == {"prod": {"env": "live"}}
    assert found.left == ("documents of other kinds in 0.yaml",)
    with pytest.raises(UsageError, match=r"document 5, line 24: spec\.podSelector"):
        given(tmp_path, f"{text}---{bad}")


def test_policies_without_a_namespace_stand_in_default_and_that_is_reported(tmp_path: Path) -> None:
    found = given(tmp_path, WEB.replace(", namespace: prod", ""))
    assert [files.home_of(p) for p in found.policies] == ["default"]
    (note,) = found.notes
    assert note.endswith("NetworkPolicy default/web names no namespace: default is meant")
    assert "document 1, line 2" in note


def test_bits_beyond_a_prefix_and_repeated_keys_are_reported(tmp_path: Path) -> None:
    peer = "- ipBlock: {cidr: 10.0.0.1/8}\n        - podSelector: {"
    text = WEB.replace("- podSelector: {", peer) + "  policyTypes: [Egress]\n" * 2
    found = given(tmp_path, text)
    repeated, masked = found.notes
    assert "line 14: key 'policyTypes' is given twice, the last one counts" in repeated
    assert "write 10.0.0.0/8: the API up to 1.35 takes it" in masked
    standing = files.existing(found.policies)
    assert standing.notes == (masked.partition("line 2: ")[2],)
    assert standing.findings == found.findings
    assert [f.code for f in found.findings] == ["cidr-host-bits"]


def test_lists_in_lists_are_read(tmp_path: Path) -> None:
    one = {"apiVersion": "v1", "kind": "List", "items": [yaml.safe_load(WEB)]}
    (tmp_path / "list.json").write_text(json.dumps({**one, "items": [one]}))
    assert len(files.read(tmp_path).policies) == 1


def test_a_directory_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        files.read(tmp_path / "absent")


def test_policies_as_they_stand_are_read_as_strictly_and_may_stand_in_tiers() -> None:
    held = {**yaml.safe_load(CALICO), "status": None}
    held["metadata"] |= {"uid": "u", "resourceVersion": "7", "creationTimestamp": "x"}
    held["spec"] |= {"tier": "security", "types": ["Ingress"]}
    tier = {"apiVersion": "projectcalico.org/v3", "kind": "Tier", "spec": {"order": 5.0}}
    tier["metadata"] = {"name": "security"}
    found = files.existing([held], [tier])
    assert [files.home_of(p) for p in found.policies] == ["data"]
    with pytest.raises(UsageError, match=r"NetworkPolicy data/db: spec\.tier"):
        files.existing([held])
    with pytest.raises(UsageError, match="there is no NetworkPolicy"):
        files.existing([])


def test_everybody_whom_a_policy_means_stands_on_the_stage(tmp_path: Path) -> None:
    stage = policy_stage.build(given(tmp_path, DNS, WEB, CALICO), {"prod": {"env": "live"}})
    homes = {home.name: home for home in stage.homes}
    assert set(homes) == {"data", "prod", "kube-system", "(peer-2)", ELSEWHERE}
    assert homes["prod"].labels == {"env": "live", STANDS_FOR: "prod"}
    assert homes["kube-system"].labels == {STANDS_FOR: "kube-system"}
    assert homes["(peer-2)"].labels == {"team": "ops"}
    assert homes[ELSEWHERE].labels == {}
    cast = {name: [dict(p) for p in home.pods.values()] for name, home in homes.items()}
    assert cast["prod"] == [{}, {"app": "web"}, {"role": "lb"}, {"app": "api"}]
    assert cast["kube-system"] == [{}, {"k8s-app": "kube-dns"}]
    assert cast["data"] == [{}, {"app": "db"}]
    assert all(BYSTANDER in home.pods for home in homes.values())


def test_pods_serve_the_ports_that_policies_name_and_one_that_none_does(tmp_path: Path) -> None:
    stage = policy_stage.build(given(tmp_path, DNS, WEB, CALICO), {})
    (https,) = stage.named
    assert (https.name, https.protocol) == ("https", Protocol.TCP)
    ports = {port_spec.port for port_spec in stage.port_specs}
    assert ports == {53, 5432, 8000, 8010, 9002, https.number}
    assert PortSpec(Protocol.UDP, 53) in stage.port_specs
    assert stage.left_out == ()


def test_ports_beyond_the_most_are_reported(tmp_path: Path) -> None:
    ports = ", ".join(f"{{port: {n}}}" for n in range(100, 110))
    stage = policy_stage.build(given(tmp_path, WEB.replace("{port: https}", ports)), {})
    assert len(stage.left_out) == 6


def test_a_stage_that_would_be_too_large_is_refused(tmp_path: Path) -> None:
    many = [WEB.replace("name: web", f"name: w{n}").replace("app: web", f"app: w{n}")
            for n in range(30)]  # fmt: skip
    with pytest.raises(UsageError, match="24 are the most"):
        policy_stage.build(given(tmp_path, *many), {})


def test_namespaces_by_name_become_a_label_and_nothing_else_changes(tmp_path: Path) -> None:
    dns, calico = given(tmp_path, DNS, CALICO).policies
    seen = policy_stage.translated(dns)
    (rule,) = seen["spec"]["egress"]
    assert rule["to"][0]["namespaceSelector"] == {"matchLabels": {STANDS_FOR: "kube-system"}}
    assert rule["ports"] == dns["spec"]["egress"][0]["ports"]
    source = policy_stage.translated(calico)["spec"]["ingress"][0]["source"]
    assert source["namespaceSelector"] == f"{STANDS_FOR} == 'prod'"


def test_the_stage_shows_what_policies_allow_and_what_they_deny(tmp_path: Path) -> None:
    found = given(tmp_path, DNS, WEB, CALICO)
    stage = policy_stage.build(found, {})
    pods = tuple(
        Endpoint(
            name=f"{home.name}/{name}",
            kind=EndpointKind.POD,
            addresses=(IPv4Address(f"10.0.{row}.{column}"), IPv6Address(f"fd00::{row}:{column}")),
            namespace=home.name,
            pod=name,
            node=f"n{(row + column) % 3}",
            labels=tuple(labels.items()),
        )
        for row, home in enumerate(stage.homes)
        for column, (name, labels) in enumerate(home.pods.items(), 1)
    )
    snapshot = ClusterSnapshot.of(
        {home.name: home.labels for home in stage.homes},
        nodes=[Node(f"n{i}", (IPv4Address(f"192.0.2.{i + 1}"),)) for i in range(3)],
        ports={(p.namespace, p.pod): stage.named for p in pods},
        endpoints=pods,
    )
    oracle = Oracle.of(map(policy_stage.translated, found.policies), snapshot, CALICO_PROFILE)
    by_policy: dict[str, set[Verdict]] = {}
    for flow in topology.flows(pods, pods, list(Family), stage.port_specs):
        seen = oracle.judge(flow)
        for side in (seen.egress, seen.ingress):
            if side is not None and side.policy is not None:
                by_policy.setdefault(side.policy.name, set()).add(side.verdict)
    assert by_policy.keys() >= {"dns", "web", "db"}
    assert all(some >= {Verdict.ALLOWED} for some in by_policy.values())
    verdicts = {
        oracle.judge(f).verdict for f in topology.flows(pods, pods, list(Family), stage.port_specs)
    }
    assert verdicts == {Verdict.ALLOWED, Verdict.DENIED}
