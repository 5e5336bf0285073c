"""``python -m sixproof audit``: the errors that readers of a guide copy are found, with place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sixproof.__main__ import main

POOLS = """
apiVersion: projectcalico.org/v3
kind: IPPool
metadata: {name: pods}
spec: {cidr: "fd00:10:244::/48", blockSize: 122, vxlanMode: Always, natOutgoing: true}
---
apiVersion: projectcalico.org/v3
kind: IPPool
metadata: {name: dmz}
spec: {cidr: "fd00:10:244:2::/64", blockSize: 64, ipipMode: Always}
"""
GOOD = POOLS.partition("---")[0]


def test_keys_that_are_no_text_are_none_of_the_api(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """YAML reads ``on`` as true."""
    text = "apiVersion: projectcalico.org/v3\nkind: FelixConfiguration\n"
    assert audited(capsys, tmp_path, text + "metadata: {name: default}\nspec: {on: 1}") == (0, [])


@pytest.mark.parametrize("written", ["networking.k8s.io/v1", "extensions/v1beta1", "v1"])
def test_what_means_to_be_a_policy_and_is_none_is_found(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, written: str
) -> None:
    """By a typo in its kind, or another API group: no API server enforces it."""
    kind = "Networkpolicy" if "networking" in written else "NetworkPolicy"
    text = f"apiVersion: {written}\nkind: {kind}\nmetadata: {{name: x}}\nspec: {{}}\n"
    status, found = audited(capsys, tmp_path, text)
    assert (status, [one["code"] for one in found]) == (1, ["manifest-refused"])


@pytest.mark.parametrize("text", ["[]", "foo", "3"])
def test_a_text_without_an_object_is_an_error(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str
) -> None:
    """Nothing was found because nothing was there."""
    path = tmp_path / "given.yaml"
    path.write_text(text, encoding="utf-8")
    assert main(["audit", str(path)]) == 2
    assert "there is no object in what was given" in capsys.readouterr().err


def test_a_kubeconfig_is_not_audited(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """'Nothing found' would be read as a healthy cluster."""
    path = tmp_path / "config"
    path.write_text("apiVersion: v1\nkind: Config\nclusters: []\n", encoding="utf-8")
    assert main(["audit", str(path)]) == 2
    assert "is a kubeconfig, and audit asks no cluster" in capsys.readouterr().err


def test_many_files_that_cannot_be_read_are_counted(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Twenty are named."""
    for number in range(120):
        (tmp_path / f"{number}.yaml").write_text("a: [", encoding="utf-8")
    assert main(["audit", str(tmp_path)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert (len(lines), lines[-1]) == (21, "error: and 100 more")


def audited(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str, *options: str
) -> tuple[int, list[dict[str, str]]]:
    """The exit status, and what is said of a file."""
    path = tmp_path / "given.yaml"
    path.write_text(text, encoding="utf-8")
    status = main(["audit", str(path), "--json", *options])
    return status, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize(
    ("text", "code", "severity"),
    [
        (
            'kind: IPPool\nmetadata: {name: a}\nspec: {cidr: "fd00:prod::/48"}',
            "cidr-unparseable",
            "error",
        ),
        (
            "kind: ClusterConfiguration\nnetworking: {podSubnet: 'fd00:10:244::1/48'}",
            "cidr-host-bits",
            "error",
        ),
        (
            "apiVersion: crd.projectcalico.org/v1\nkind: FelixConfiguration\n"
            "metadata: {name: default}",
            "storage-group",
            "error",
        ),
        ("kind: KubeletConfiguration\nfeatureGates: {IPv6DualStack: true}", "feature-gate-gone",
         "error"),
        (GOOD.replace("true", "false"), "ula-without-nat", "warning"),
        (f"{GOOD}---\nkind: FelixConfiguration\nmetadata: {{name: default}}\n"
         "spec: {ipv6Support: false}", "calico-felix-ipv6", "error"),
        (f"{GOOD}---\nkind: FelixConfiguration\nmetadata: {{name: default}}\n"
         "spec: {mtu: 1500}", "mtu-without-room", "warning"),
        ("kind: FelixConfiguration\nmetadata: {name: default}\nspec: {failsafeInboundHostPorts: "
         "[{protocol: tcp, port: 22, net: 0.0.0.0/0}]}", "failsafe-one-family", "warning"),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: s}\ndata: {s: "
         '"net.ipv6.conf.all.forwarding=1\\nnet.ipv6.conf.all.accept_ra=1"}',
         "router-advertisements-ignored", "warning"),
        ("apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p, namespace: a}"
         "\nspec: {podSelector: {}, egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8}}]}]}",
         "one-family-nets", "warning"),
        ("kind: Cluster\nnetworking: {podSubnet: 10.244.0.0/16, serviceSubnet: 10.244.96.0/20}",
         "range-overlap", "error"),
        ("kind: Installation\nmetadata: {name: default}\nspec: {calicoNetwork: {ipPools: [{cidr: "
         '"fd00::/64", encapsulation: IPIP, natOutgoing: Enabled}]}}', "calico-pool-encapsulation",
         "error"),
    ],
    ids=lambda value: value if isinstance(value, str) and "\n" not in value else "",
)  # fmt: skip
def test_the_errors_of_a_guide_are_found(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str, code: str, severity: str
) -> None:
    """By the code, and only an error fails the command."""
    status, found = audited(capsys, tmp_path, text)
    assert (code, severity) in {(f["code"], f["severity"]) for f in found}
    assert status == (1 if "error" in {f["severity"] for f in found} else 0)


def test_a_good_pool_has_no_finding(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """And the command says how much it looked at."""
    path = tmp_path / "good.yaml"
    path.write_text(GOOD, encoding="utf-8")
    assert main(["audit", str(path)]) == 0
    assert capsys.readouterr().out == "1 object (1 IPPool): nothing found\n"


def test_each_finding_says_where_why_and_what_to_do(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Errors first, one thing once, with the document and line of its object."""
    path = tmp_path / "pools.yaml"
    path.write_text(POOLS, encoding="utf-8")
    assert main(["audit", str(path)]) == 1
    out = capsys.readouterr().out
    assert "error [calico-pool-overlap] IPPool dmz: fd00:10:244:2::/64 overlaps" in out
    assert "pools.yaml: document 2, line 7" in out
    assert "  do: two pods could get one address; delete one of the pools" in out
    assert out.endswith("2 objects (2 IPPool): 3 errors, 1 warning\n")
    assert out.count("natOutgoing") == 1 + out.count("wanted: natOutgoing")


def test_lists_are_taken_apart(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """As kubectl prints them; each object has the place of its document."""
    text = json.dumps(
        {
            "apiVersion": "v1",
            "kind": "List",
            "items": [{"kind": "IPPool", "metadata": {"name": "a"}, "spec": {"cidr": "x"}}],
        }
    )
    status, found = audited(capsys, tmp_path, text)
    assert status == 1
    assert {f["subject"] for f in found} == {"IPPool a spec.cidr"}
    assert {f["place"].rpartition("given.yaml: ")[2] for f in found} == {"document 1, line 1"}


def test_ranges_that_overlap_are_placed_where_each_is_written(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Both documents, each once."""
    text = (
        "kind: Cluster\nnetworking: {podSubnet: 10.1.0.0/16}\n---\n"
        "kind: Cluster\nnetworking: {serviceSubnet: 10.1.128.0/20}\n"
    )
    _, found = audited(capsys, tmp_path, text)
    (place,) = {f["place"] for f in found if f["code"] == "range-overlap"}
    assert [p.rpartition("given.yaml: ")[2] for p in place.split("; ")] == [
        "document 1, line 1",
        "document 2, line 4",
    ]


def test_a_range_is_not_found_in_the_text_of_another(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """110.1.0.0/16 holds the characters of 10.1.0.0/16; a list of ranges holds each of them."""
    text = (
        "kind: Cluster\nnetworking: {podSubnet: 110.1.0.0/16}\n---\n"
        "kind: Cluster\nnetworking: {podSubnet: 'fd00::/64,10.1.0.0/16', "
        "serviceSubnet: 10.1.128.0/20}\n"
    )
    _, found = audited(capsys, tmp_path, text)
    (place,) = {f["place"] for f in found if f["code"] == "range-overlap"}
    assert place.endswith("given.yaml: document 2, line 4")


@pytest.mark.parametrize(
    ("level", "status"), [("error", 0), ("warning", 1), ("note", 1), ("never", 0)]
)
def test_what_fails_is_chosen(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, level: str, status: int
) -> None:
    """A warning fails the command only where it shall."""
    assert audited(capsys, tmp_path, GOOD.replace("true", "false"), "--fail-on", level)[0] == status


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("---\n# nothing\n", "is empty"),
        ("a: [", "no readable YAML"),
        ("a: &a [*a]", "no readable YAML: anchor a holds itself"),
    ],
)
def test_what_cannot_be_judged_is_an_error(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str, said: str
) -> None:
    """Never a traceback, and never green by absence."""
    path = tmp_path / "odd.yaml"
    path.write_text(text, encoding="utf-8")
    assert main(["audit", str(path)]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    "value",
    ["3", "[1, 2]", "kind: [IPPool]", "kind: IPPool", "kind: IPPool\nspec: 7",
     "kind: IPPool\nspec: {cidr: {a: b}, blockSize: many}",
     "kind: Installation\nspec: {calicoNetwork: 3}",
     "kind: Installation\nspec: {calicoNetwork: {ipPools: [3, {cidr: [], encapsulation: 9}]}}",
     "kind: FelixConfiguration\nmetadata: {name: node.w1}\nspec: {ipv6Support: [false]}",
     "kind: Cluster\nnetworking: {podSubnet: 9, serviceSubnet: ',,'}",
     "? {a: b}\n: c"],
)  # fmt: skip
def test_nothing_in_a_file_raises(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, value: str
) -> None:
    """Files are untrusted."""
    path = tmp_path / "odd.yaml"
    path.write_text(value, encoding="utf-8")
    assert main(["audit", str(path)]) in (0, 1, 2)
    assert "Traceback" not in capsys.readouterr().err
