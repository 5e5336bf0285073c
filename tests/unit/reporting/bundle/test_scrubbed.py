"""Secrets that are planted in every place where a cluster may hold them come through nowhere."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest

from sixproof.kube.facts import diagnostics
from sixproof.kube.facts.diagnostics import Part
from sixproof.model import Finding, Severity
from sixproof.reporting.bundle import archive, scrubbed
from sixproof.reporting.bundle.scrubbed import LEFT_OUT
from sixproof.reporting.bundle.trimmed import trimmed
from tests.unit.reporting.bundle.made import PARTS, evidence
from tests.unit.reporting.bundle.unpacked import unpacked

WORD = "hunter2-plugh-xyzzy"
PEM = f"-----BEGIN PRIVATE KEY-----\n{WORD}\n-----END PRIVATE KEY-----"
JWT = f"eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.{WORD}"
APPLIED = {"kubectl.kubernetes.io/last-applied-configuration": WORD, "vault.example/role": WORD}


def meta(name: str, **more: Any) -> dict[str, Any]:
    """Metadata with what tools leave in it."""
    noted = {"annotations": {**APPLIED, "projectcalico.org/IPv6Address": "2001:db8::1/64"}}
    return {"name": name, **noted, "managedFields": [{"manager": WORD}], **more}


CONTAINER = {
    "name": "calico-node",
    "image": "calico/node:v3.31.0",
    "command": ["run", f"--token={WORD}"],
    "envFrom": [{"secretRef": {"name": "bag"}}],
    "env": [
        {"name": "FELIX_IPV6SUPPORT", "value": "true"},
        {"name": "ETCD_PASSWORD", "value": WORD},
        {"name": "FELIX_TYPHAKEYFILE", "value": WORD},
        {"name": "HTTPS_PROXY", "value": f"http://me:{WORD}@proxy:3128"},
        {"name": "WEB_TOKEN", "value": WORD},
        {"name": "FROM_SECRET", "valueFrom": {"secretKeyRef": {"name": "bag", "key": WORD}}},
        {"name": "MTU", "valueFrom": {"configMapKeyRef": {"name": "calico-config", "key": "mtu"}}},
    ],
}
POD = {"serviceAccountName": WORD, "containers": [CONTAINER], "volumes": [{"name": WORD}]}
COREFILE = f""".:53 {{
    errors
    etcd {{
        credentials me {WORD}
    }}
    tsig {{
        secret example.org. "{WORD}"
    }}
    route53 zone {{
        aws_access_key AKIA {WORD}
    }}
    forward . 192.0.2.53
}}
{PEM}
"""
KUBE_PROXY = f"mode: iptables\nclientConnection:\n  password: |\n    {WORD}\n  qps: 5\n"
STATUS = {
    "name": "c",
    "lastState": {"terminated": {"reason": "Error", "message": f"Bearer {WORD}: refused"}},
}
PLANTED = (
    Part("nodes", "", ({"metadata": meta("n"), "spec": {"podCIDRs": ["fd00::/64"]}},)),
    Part(
        diagnostics.DAEMON_SETS,
        "",
        ({"metadata": meta("calico-node"), "spec": {"template": {"spec": POD}}},),
    ),
    Part(
        diagnostics.PODS,
        "",
        ({"metadata": meta("p"), "spec": POD, "status": {"containerStatuses": [STATUS]}},),
    ),
    Part(
        diagnostics.CONFIG_MAPS,
        "",
        (
            {"metadata": meta("coredns"), "data": {"Corefile": COREFILE, "other": WORD}},
            {"metadata": meta("kube-proxy"), "data": {"config.conf": KUBE_PROXY}},
            {"metadata": meta("stray"), "data": {"config.conf": WORD}},
        ),
    ),
    Part(
        "calico/bgppeers",
        "",
        (
            {
                "metadata": meta("router"),
                "spec": {
                    "peerIP": "2001:db8::9",
                    "password": {"secretKeyRef": {"name": "bgp-secrets", "key": WORD}},
                },
            },
        ),
    ),
    Part(
        "calico/felixconfigurations",
        "",
        ({"metadata": meta("default"), "spec": {"ipv6Support": True, "apiToken": WORD,
          "caBundle": WORD, "note": JWT, "pem": PEM, "keyData": [WORD]}},),
    ),
    Part(
        diagnostics.EVENTS,
        "",
        ({"metadata": meta("e"), "type": "Warning", "reason": "Failed",
          "message": f"login with password={WORD} to https://u:{WORD}@host failed"},),
    ),
)  # fmt: skip


def test_no_secret_that_is_planted_is_in_a_bundle() -> None:
    """In no file, the index among them; what stands beside it is there."""
    finding = Finding("x", Severity.NOTE, "n", f"token: {WORD}", remedy=f"http://a:{WORD}@b")
    made = archive.archived(evidence(parts=PLANTED, findings=(finding,)))
    files = unpacked(made.body)
    leaking = {path: text for path, text in files.items() if WORD in text}
    assert leaking == {}
    assert WORD not in made.index
    whole = "".join(files.values())
    for beside in (
        "2001:db8::1/64",
        "FELIX_IPV6SUPPORT",
        "calico/node:v3.31.0",
        "(of Secret bag)",
        "(of ConfigMap calico-config mtu)",
        "bgp-secrets",
        "192.0.2.53",
        "http://(left out)@proxy:3128",
        '"mode": "iptables"',
        '"qps": 5',
    ):
        assert beside in whole, beside


def test_a_password_of_a_peer_is_the_name_of_its_secret() -> None:
    (peer,) = trimmed(next(p for p in PLANTED if p.name == "calico/bgppeers"))
    assert peer["spec"]["password"] == {"secretKeyRef": {"name": "bgp-secrets"}}


@pytest.mark.parametrize(
    "text",
    [
        PEM,
        PEM[:-10],  # cut off: the end is not there to be found
        f"before {PEM} and after",
        base64.b64encode(PEM.encode()).decode(),
        JWT,
        f"Authorization: Bearer {WORD}",
        f'{{"clientSecret": "{WORD}"}}',
        f"--token={WORD}",
        f"my_api_key = '{WORD}'",
    ],
)
def test_what_has_the_form_of_a_secret_goes_from_any_text(text: str) -> None:
    found = scrubbed.scrubbed(text)
    assert WORD not in found
    assert base64.b64encode(WORD.encode()).decode()[4:16] not in found
    assert LEFT_OUT in found


@pytest.mark.parametrize(
    "value",
    [
        "Readiness probe failed: BIRD is not ready: BGP not established with 2001:db8::9",
        "https://[fd00:10:96::1]:443/healthz?timeout=5s",
        {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"},
        {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]},
        {"automountServiceAccountToken": False, "tokenExpirationSeconds": 3600},
        {"secretName": "webhook-tls"},
    ],
)
def test_what_is_no_secret_stays(value: Any) -> None:
    assert scrubbed.scrubbed(value) == value


def test_what_a_cluster_sends_is_bounded() -> None:
    """Long texts, deep nesting, and texts that regular expressions are slow on."""
    assert len(scrubbed.scrubbed("x" * 100_000)) < scrubbed.LONGEST + 100
    deep: Any = "end"
    for _ in range(500):
        deep = {"a": [deep]}
    assert "nested too deeply" in json.dumps(scrubbed.scrubbed(deep))
    begun = time.monotonic()
    for slow in (
        "a" * 20_000,
        "token" * 4000,
        "token=" * 3000,
        "://" * 6000,
        "eyJ" * 6000,
        "-" * 20_000,
    ):
        scrubbed.text(slow)
        scrubbed.directives(slow)
    assert time.monotonic() - begun < 2.0


def test_odd_objects_are_shown_as_far_as_they_go() -> None:
    """A cluster's objects may be of any shape."""
    for part in (*PLANTED, *PARTS):
        for odd in ({}, {"metadata": 7, "spec": "x", "status": []}, {"data": {"Corefile": 3}}):
            assert isinstance(trimmed(Part(part.name, "", (odd,)))[0], dict)
