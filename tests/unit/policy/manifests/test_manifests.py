"""Reading manifests: what is refused, with which path and why."""

from __future__ import annotations

from typing import Any

import pytest

from sixproof.errors import ManifestError
from sixproof.policy import CALICO, Oracle
from sixproof.policy.manifests.manifest import Field
from tests.unit.policy.cluster import WORLD, check, manifests, network_policy

REFUSED = {
    "unknown-spec-field": ("{podSelektor: {}}", "spec.podSelektor", "did you mean podSelector?"),
    "unknown-without-likeness": ("{zzz: 1}", "spec.zzz", "known are podSelector, ingress"),
    "spec-list": ("[]", "spec", "must be an object, is []"),
    "rule": ("{ingress: {}}", "spec.ingress", "must be a list, is {}"),
    "rule-null": ("{ingress: [null]}", "spec.ingress[0]", "must be an object, is null"),
    "to-in-ingress": ("{ingress: [{to: []}]}", "spec.ingress[0].to", "unknown field"),
    "type": ("{policyTypes: [ingress]}", "spec.policyTypes[0]", "not one of Ingress, Egress"),
    "types": ("{policyTypes: [Ingress, Egress, Ingress]}", "spec.policyTypes", "at most 2"),
    "empty-peer": ("{ingress: [{from: [{}]}]}", "spec.ingress[0].from[0]", "needs podSelector"),
    "block-and-selector": (
        "{ingress: [{from: [{podSelector: {}}, {ipBlock: {cidr: '::/0'}, podSelector: {}}]}]}",
        "spec.ingress[0].from[1]", "ipBlock excludes podSelector"),
    "cidr-missing": ("{ingress: [{from: [{ipBlock: {}}]}]}",
                     "spec.ingress[0].from[0].ipBlock.cidr", "is required"),
    "cidr-number": ("{egress: [{to: [{ipBlock: {cidr: 10}}]}]}",
                    "spec.egress[0].to[0].ipBlock.cidr", "must be text, is 10, quote it"),
    "cidr-list": ("{egress: [{to: [{ipBlock: {cidr: []}}]}]}",
                  "spec.egress[0].to[0].ipBlock.cidr", "must be text, is []"),
    "protocol": ("{ingress: [{ports: [{protocol: ICMP}]}]}",
                 "spec.ingress[0].ports[0].protocol", "not one of TCP, UDP, SCTP"),
    "port": ("{ingress: [{ports: [{port: 65536}]}]}",
             "spec.ingress[0].ports[0].port", "not between 1 and 65535"),
    "port-true": ("{ingress: [{ports: [{port: true}]}]}",
                  "spec.ingress[0].ports[0].port", "must be an integer, is true"),
    "port-digits": ("{ingress: [{ports: [{port: '80'}]}]}",
                    "spec.ingress[0].ports[0].port", "neither a port number nor a port name"),
    "port-name-long": ("{ingress: [{ports: [{port: a-name-of-sixteen}]}]}",
                       "spec.ingress[0].ports[0].port", "neither a port number nor a port name"),
    "end-port-below": ("{ingress: [{ports: [{port: 80, endPort: 79}]}]}",
                       "spec.ingress[0].ports[0].endPort", "not between 80 and 65535"),
    "end-port-alone": ("{ingress: [{ports: [{endPort: 80}]}]}",
                       "spec.ingress[0].ports[0].endPort", "needs a numeric port"),
    "end-port-and-name": ("{ingress: [{ports: [{port: http, endPort: 80}]}]}",
                          "spec.ingress[0].ports[0].endPort", "needs a numeric port"),
    "label-value-type": ("{podSelector: {matchLabels: {app: true}}}",
                         "spec.podSelector.matchLabels.app", "must be text, is true, quote it"),
    "label-value": ("{podSelector: {matchLabels: {app: a b}}}",
                    "spec.podSelector.matchLabels.app", "'a b' is not a label value"),
    "label-key": ("{podSelector: {matchLabels: {-app: a}}}",
                  "spec.podSelector.matchLabels.-app", "'-app' is not a label key"),
    "label-prefix": ("{podSelector: {matchLabels: {a_b/app: a}}}",
                     "spec.podSelector.matchLabels[a_b/app]", "is not a label key"),
    "label-key-number": ("{podSelector: {matchLabels: {1: a}}}",
                         "spec.podSelector.matchLabels", "keys must be text, one is 1"),
    "operator": ("{podSelector: {matchExpressions: [{key: a, operator: Is}]}}",
                 "spec.podSelector.matchExpressions[0].operator", "not one of In, NotIn"),
    "in-without-values": ("{podSelector: {matchExpressions: [{key: a, operator: In}]}}",
                          "spec.podSelector.matchExpressions[0].values", "is required with In"),
    "exists-with-values": (
        "{podSelector: {matchExpressions: [{key: a, operator: Exists, values: [b]}]}}",
        "spec.podSelector.matchExpressions[0].values", "is not allowed with Exists"),
    "expression-key": ("{podSelector: {matchExpressions: [{key: '', operator: Exists}]}}",
                       "spec.podSelector.matchExpressions[0].key", "'' is not a label key"),
}  # fmt: skip


@pytest.mark.parametrize(("spec", "path", "reason"), REFUSED.values(), ids=REFUSED)
def test_specs_are_refused_with_path_and_reason(spec: str, path: str, reason: str) -> None:
    with pytest.raises(ManifestError) as caught:
        Oracle.of(manifests(network_policy("p", spec)), WORLD)
    assert caught.value.path == path
    assert reason in caught.value.reason
    assert caught.value.reason.endswith("(in NetworkPolicy shop/p)")


OBJECTS: dict[str, tuple[Any, str, str]] = {
    "text": ("text", "", "must be an object, is 'text' (in a value that is no object)"),
    "nothing": ({}, "apiVersion", "is required (in an object without kind without name)"),
    "no-kind": ({"apiVersion": "networking.k8s.io/v1"}, "kind", "is required"),
    "kind-number": ({"apiVersion": "v1", "kind": 1}, "kind", "must be text"),
    "other-kind": (
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"}},
        "kind", "apps/v1 Deployment is no policy that can be judged (in Deployment x)"),
    "other-version": (
        {"apiVersion": "networking.k8s.io/v1beta1", "kind": "NetworkPolicy"},
        "apiVersion", "read as networking.k8s.io/v1, not as networking.k8s.io/v1beta1"),
    "storage": (
        {"apiVersion": "crd.projectcalico.org/v1", "kind": "NetworkPolicy"},
        "apiVersion", "write projectcalico.org/v3"),
    "metadata": (
        {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": []},
        "metadata", "must be an object"),
    "metadata-missing": (
        {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy"},
        "metadata", "is required"),
    "name": (
        {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
         "metadata": {"name": "", "namespace": "a"}},
        "metadata.name", "is empty"),
    "metadata-unknown": (
        {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
         "metadata": {"name": "a", "namespase": "a"}},
        "metadata.namespase", "did you mean namespace?"),
    "top-unknown": (
        {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "podSelector": {},
         "metadata": {"name": "a", "namespace": "a"}},
        "podSelector", "unknown field"),
    "item": (
        {"apiVersion": "v1", "kind": "List", "items": [7]}, "", "must be an object, is 7"),
    "item-null": (
        {"apiVersion": "v1", "kind": "List", "items": [None]}, "", "must be an object, is null"),
    "item-truth": (
        {"apiVersion": "v1", "kind": "List", "items": [True]}, "", "must be an object, is true"),
}  # fmt: skip


@pytest.mark.parametrize(("value", "path", "reason"), OBJECTS.values(), ids=OBJECTS)
def test_objects_are_refused_with_path_and_reason(value: Any, path: str, reason: str) -> None:
    with pytest.raises(ManifestError) as caught:
        Oracle.of([value], WORLD)
    assert caught.value.path == path
    assert reason in caught.value.reason


NAMES = {
    "capital": ("Web", "shop"),
    "blank": ("a b", "shop"),
    "underscore": ("a_b", "shop"),
    "slash": ("shop/web", "shop"),
    "dash at the end": ("web-", "shop"),
    "dot at the front": (".web", "shop"),
    "two dots": ("a..b", "shop"),
    "line break": ("web\n", "shop"),
    "umlaut": ("w\u00e4b", "shop"),
    "long": ("a" * 254, "shop"),
    "namespace with a dot": ("web", "a.b"),
    "namespace in capitals": ("web", "Shop"),
    "long namespace": ("web", "a" * 64),
}


@pytest.mark.parametrize("what", NAMES)
def test_names_that_the_api_server_refuses_are_refused(what: str) -> None:
    name, space = NAMES[what]
    value = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
             "metadata": {"name": name, "namespace": space}}  # fmt: skip
    with pytest.raises(
        ManifestError, match=r"is no name that the API takes: .* \(RFC 1123\)"
    ) as bad:
        Oracle.of([value], WORLD)
    assert bad.value.path == ("metadata.name" if space == "shop" else "metadata.namespace")
    assert len(str(bad.value)) < 500


def test_names_that_the_api_server_takes_are_taken() -> None:
    for name, space in (("a" * 253, "a" * 63), ("0.a-b.c", "0"), ("kns.shop", "a-b")):
        value = {"apiVersion": "projectcalico.org/v3", "kind": "NetworkPolicy",
                 "metadata": {"name": name, "namespace": space}}  # fmt: skip
        assert Oracle.of([value], WORLD).policies[0].ref.name == name


def test_names_of_templates_are_distinguished_from_bad_ones() -> None:
    text = network_policy("'{{ .Release.Name }}-deny'", "{podSelector: {}}")
    with pytest.raises(ManifestError, match=r"Helm template: render it first"):
        Oracle.of(manifests(text), WORLD)


BOUNDLESS: dict[str, Any] = {
    "text": "x" * 1_000_000,
    "key": {"k" * 1_000_000: 1},
    "lists in lists": [[["x" * 1000] * 50] * 50] * 50,
    "objects in objects": {f"k{i}": {f"j{i}" * 100: ["y" * 1000] * 50} for i in range(50)},
    "integer": 10**5000,
    "integers": [-(10**5000)] * 9,
    "lines": "a\nb\n" * 1000,
}


@pytest.mark.parametrize("what", BOUNDLESS)
def test_messages_are_short_whatever_is_quoted_in_them(what: str) -> None:
    huge = BOUNDLESS[what]
    whole = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
             "metadata": {"name": "p", "namespace": "shop"}}  # fmt: skip
    peers = [{"from": [{"podSelector": {"matchLabels": {"app": huge}}}]}]
    bad: list[Any] = [
        huge,
        {**whole, "apiVersion": huge},
        {**whole, "kind": huge},
        {**whole, "metadata": {"name": huge, "namespace": huge}},
        {**whole, "spec": huge},
        {**whole, "spec": {"podSelector": huge}},
        {**whole, "spec": {"podSelector": {"matchLabels": {"app": huge}}}},
        {**whole, "spec": {"policyTypes": [huge]}},
        {**whole, "spec": {"ingress": peers}},
        {**whole, "spec": {"ingress": [{"ports": [{"port": huge}]}]}},
        {**whole, "spec": {"ingress": [{"from": [{"ipBlock": {"cidr": huge}}]}]}},
    ]
    for value in bad:
        with pytest.raises(ManifestError) as refused:
            Oracle.of([value], WORLD)
        assert len(str(refused.value)) < 1000
        assert "\n" not in str(refused.value)


def test_paths_are_short_however_long_their_keys_are() -> None:
    field = Field({})
    for _ in range(50):
        field = field.child("k" * 10_000, {})
    assert len(str(field.error("is wrong"))) < 200
    assert len(field.path) < 5000


def test_objects_are_read_as_the_api_server_returns_them() -> None:
    text = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: p
  namespace: shop
  uid: 0c1d
  resourceVersion: "7"
  generation: 1
  creationTimestamp: "2026-01-01T00:00:00Z"
  labels: {a: b}
  annotations: {c: d}
  managedFields: [{manager: kubectl}]
spec: {podSelector: {}, ingress: null, policyTypes: [Ingress]}
status: {}
"""
    check(text, "web -> db v46 tcp/1: DENIED")


def test_lists_are_taken_apart() -> None:
    items = manifests(network_policy("p", "{podSelector: {}}"))
    bare = [{k: v for k, v in item.items() if k not in ("apiVersion", "kind")} for item in items]
    typed = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicyList", "items": bare}
    plain = {"apiVersion": "v1", "kind": "List", "items": items}
    for value in (typed, plain):
        assert len(Oracle.of([value], WORLD).policies) == 1


def test_the_same_policy_twice_is_refused() -> None:
    text = network_policy("p", "{podSelector: {}}")
    with pytest.raises(ManifestError, match="is given twice") as caught:
        Oracle.of(manifests(text + text), WORLD, CALICO)
    assert caught.value.path == "metadata.name"
