"""Properties of the oracle that must hold for policies nobody thought of."""

from __future__ import annotations

import copy
import ipaddress
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sixproof.errors import ManifestError, UsageError
from sixproof.model import Family, Flow, Protocol
from sixproof.policy import CALICO, KUBERNETES, Oracle, ProviderProfile, Verdict
from sixproof.policy.calico.selector_text import parse_selector
from sixproof.policy.engine import plan
from sixproof.policy.kubernetes.labels import read_label_selector
from sixproof.policy.manifests.audit import audit
from sixproof.policy.manifests.manifest import Field
from sixproof.policy.question.endpoint_text import parse_endpoint
from sixproof.policy.question.snapshot_file import read_snapshot
from tests.unit.policy.calico.test_calico_cases import CASES as CALICO_CASES
from tests.unit.policy.calico.test_calico_cases import gnp
from tests.unit.policy.cluster import API, BARE, BLOG, DB, OUTSIDE, WEB, WORLD, manifests

PODS = (WEB, DB, API, BLOG, BARE)
PORTS = (53, 80, 5432, 8080)

# The machine may be busy, and a run must be repeatable: no deadlines, the same examples each time.
calm = settings(
    deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
few = settings(calm, max_examples=30)
many = settings(calm, max_examples=80)

labels = st.dictionaries(
    st.sampled_from(["app", "tier", "ghost"]), st.sampled_from(["web", "db", "api", "back"]),
    max_size=2,
)  # fmt: skip

expressions = st.one_of(
    st.fixed_dictionaries({
        "key": st.sampled_from(["app", "tier"]),
        "operator": st.sampled_from(["In", "NotIn"]),
        "values": st.lists(st.sampled_from(["web", "db", "back"]), min_size=1, max_size=2),
    }),
    st.fixed_dictionaries({
        "key": st.sampled_from(["app", "tier"]),
        "operator": st.sampled_from(["Exists", "DoesNotExist"]),
    }),
)  # fmt: skip

selectors = st.fixed_dictionaries(
    {}, optional={"matchLabels": labels, "matchExpressions": st.lists(expressions, max_size=2)}
)

spaces = st.sampled_from([{}, {"matchLabels": {"team": "a"}}, {"matchLabels": {"team": "b"}}])

blocks = st.sampled_from([
    {"cidr": "10.244.1.0/24", "except": ["10.244.1.2/32"]},
    {"cidr": "0.0.0.0/0"},
    {"cidr": "192.0.2.0/24"},
    {"cidr": "fd00:10:244::/48", "except": ["fd00:10:244:1::3/128"]},
    {"cidr": "2000::/3"},
    {"cidr": "::/0"},
])  # fmt: skip

peers = st.one_of(
    st.fixed_dictionaries({"podSelector": selectors}),
    st.fixed_dictionaries({"namespaceSelector": spaces}),
    st.fixed_dictionaries({"namespaceSelector": spaces, "podSelector": selectors}),
    st.fixed_dictionaries({"ipBlock": blocks}),
)

port_entries = st.one_of(
    st.fixed_dictionaries({"port": st.sampled_from(PORTS)}),
    st.fixed_dictionaries({"protocol": st.sampled_from(["TCP", "UDP", "SCTP"])}),
    st.just({"port": 80, "endPort": 8000}),
    st.just({"port": "sql"}),
)


def rules(peer_key: str) -> st.SearchStrategy[dict[str, Any]]:
    """Rules with peers under that key."""
    return st.fixed_dictionaries(
        {}, optional={peer_key: st.lists(peers, max_size=2),
                      "ports": st.lists(port_entries, max_size=2)},
    )  # fmt: skip


@st.composite
def policies(draw: st.DrawFn, name: str = "p") -> dict[str, Any]:
    """A NetworkPolicy that acts in both directions."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": draw(st.sampled_from(["shop", "blog"]))},
        "spec": {
            "podSelector": draw(selectors),
            "policyTypes": ["Ingress", "Egress"],
            "ingress": draw(st.lists(rules("from"), max_size=2)),
            "egress": draw(st.lists(rules("to"), max_size=2)),
        },
    }


@st.composite
def flows(draw: st.DrawFn) -> Flow:
    """A flow between pods, or from or to the outside."""
    source = draw(st.sampled_from((*PODS, OUTSIDE)))
    target = draw(st.sampled_from(PODS if source is OUTSIDE else (*PODS, OUTSIDE)))
    address = target.address(draw(st.sampled_from(list(Family))))
    assert address is not None
    protocol = draw(st.sampled_from([Protocol.TCP, Protocol.UDP, Protocol.SCTP]))
    return Flow(source, target, address, protocol, draw(st.sampled_from(PORTS)))


def verdict(some: list[dict[str, Any]], flow: Flow) -> Verdict:
    """What the oracle says."""
    return Oracle.of(some, WORLD).judge(flow).verdict


@few
@given(policies(), flows(), rules("from"), rules("to"))
def test_a_further_rule_never_denies_what_was_allowed(
    policy: dict[str, Any], flow: Flow, into: dict[str, Any], out: dict[str, Any]
) -> None:
    more = copy.deepcopy(policy)
    more["spec"]["ingress"].append(into)
    more["spec"]["egress"].append(out)
    if verdict([policy], flow) is Verdict.ALLOWED:
        assert verdict([more], flow) is Verdict.ALLOWED


@few
@given(policies(), flows(), st.data())
def test_policies_of_one_subject_allow_what_either_allows(
    one: dict[str, Any], flow: Flow, data: st.DataObject
) -> None:
    other = data.draw(policies("q"))
    one["spec"] |= {"policyTypes": ["Ingress"], "podSelector": {}}
    other["spec"] |= {"policyTypes": ["Ingress"], "podSelector": {}}
    other["metadata"]["namespace"] = one["metadata"]["namespace"]
    alone = {verdict([one], flow), verdict([other], flow)}
    together = verdict([one, other], flow)
    assert (together is Verdict.ALLOWED) == (Verdict.ALLOWED in alone)


@few
@given(st.data(), flows())
def test_the_order_of_network_policies_does_not_matter(data: st.DataObject, flow: Flow) -> None:
    some = [data.draw(policies(f"p{i}")) for i in range(3)]
    shuffled = data.draw(st.permutations(some))
    for profile in (CALICO, KUBERNETES):
        given_order, other = (Oracle.of(s, WORLD, profile).judge(flow) for s in (some, shuffled))
        assert given_order.verdict is other.verdict
        assert given_order.because == other.because


def _without(value: Any, version: int) -> Any:
    """The manifest without the blocks of one IP version; a rule left without peers goes too."""
    if isinstance(value, list):
        kept = [_without(v, version) for v in value]
        return [v for v in kept if v is not None]
    if not isinstance(value, dict):
        return value
    if "ipBlock" in value:
        network = ipaddress.ip_network(value["ipBlock"]["cidr"])
        return None if network.version == version else value
    found = {key: _without(inner, version) for key, inner in value.items()}
    emptied = any(value.get(k) and not found[k] for k in ("from", "to"))
    return None if emptied else found


@few
@given(policies(), flows())
def test_blocks_of_one_family_say_nothing_about_the_other(
    policy: dict[str, Any], flow: Flow
) -> None:
    other = _without(policy, flow.family.other.version)
    assert verdict([policy], flow) is verdict([other], flow)


# A second evaluator, as plain as can be, straight from the documentation.


def _selected(selector: Mapping[str, Any], have: Mapping[str, str]) -> bool:
    for key, value in selector.get("matchLabels", {}).items():
        if have.get(key) != value:
            return False
    for one in selector.get("matchExpressions", []):
        present, key = one["key"] in have, one["key"]
        if one["operator"] == "Exists" and not present:
            return False
        if one["operator"] == "DoesNotExist" and present:
            return False
        if one["operator"] == "In" and not (present and have[key] in one["values"]):
            return False
        if one["operator"] == "NotIn" and present and have[key] in one["values"]:
            return False
    return True


def _is_peer(peer: Mapping[str, Any], end: Any, address: Any, namespace: str) -> bool:
    if "ipBlock" in peer:
        block = peer["ipBlock"]
        inside = address in ipaddress.ip_network(block["cidr"])
        return inside and not any(
            address in ipaddress.ip_network(e) for e in block.get("except", [])
        )
    if end not in PODS:
        return False
    if "namespaceSelector" in peer:
        if not _selected(peer["namespaceSelector"], WORLD.namespace_labels(end.namespace)):
            return False
    elif end.namespace != namespace:
        return False
    return _selected(peer.get("podSelector", {}), dict(end.labels))


def _is_port(entry: Mapping[str, Any], flow: Flow) -> bool:
    if flow.protocol.value != entry.get("protocol", "TCP"):
        return False
    if "port" not in entry:
        return True
    if entry["port"] == "sql":
        named = WORLD.ports_of(flow.destination) if flow.destination in PODS else ()
        return any(p.name == "sql" and p.number == flow.port for p in named)
    assert flow.port is not None
    first: int = entry["port"]
    last: int = entry.get("endPort", first)
    return first <= flow.port <= last


def _plainly(some: list[dict[str, Any]], flow: Flow) -> bool:
    own = flow.source.address(flow.family)
    sides = (
        ("ingress", "from", flow.destination, flow.source, own),
        ("egress", "to", flow.source, flow.destination, flow.address),
    )
    for direction, key, subject, peer, address in sides:
        mine = [
            p for p in some
            if subject in PODS and p["metadata"]["namespace"] == subject.namespace
            and _selected(p["spec"]["podSelector"], dict(subject.labels))
        ]  # fmt: skip
        allowed = any(
            (not rule.get(key) or any(
                _is_peer(q, peer, address, p["metadata"]["namespace"]) for q in rule[key]))
            and (not rule.get("ports") or any(_is_port(e, flow) for e in rule["ports"]))
            for p in mine for rule in p["spec"][direction]
        )  # fmt: skip
        if mine and not allowed:
            return False
    return True


@many
@given(st.data(), flows())
def test_a_second_evaluator_agrees(data: st.DataObject, flow: Flow) -> None:
    some = [data.draw(policies(f"p{i}")) for i in range(2)]
    if flow.source == flow.destination:
        return
    wanted = Verdict.of(allowed=_plainly(some, flow))
    assert verdict(some, flow) is wanted


@many
@given(st.data(), flows())
def test_a_peer_is_asked_about_at_once_or_rule_by_rule(data: st.DataObject, flow: Flow) -> None:
    """Which depends on how many rules are left, and decides nothing."""
    some = [data.draw(policies(f"p{i}")) for i in range(3)]
    said = []
    with pytest.MonkeyPatch.context() as patch:
        for few in (0, 1_000):
            patch.setattr(plan, "FEW", few)
            said.append(Oracle.of(some, WORLD).judge(flow))
    assert str(said[0]) == str(said[1])


# Untrusted input.

junk: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(["::/0", "10.0.0.1/8", "all()", "Allow", "Ingress", "In", "TCP", "80:90"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["spec", "ingress", "from", "ipBlock", "cidr", "ports", "selector", "x"])
        | st.text(max_size=3),
        inner,
        max_size=3,
    ),
    max_leaves=10,
)  # fmt: skip

VALID = [
    value for text, _ in list(CALICO_CASES.values())[::3] for value in manifests(text)
]  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn) -> Any:
    """A manifest of which one value was replaced."""
    value: Any = copy.deepcopy(draw(st.sampled_from(VALID) | policies() | admin_policies))
    at = value
    while True:
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        key = draw(st.sampled_from(keys))
        inner = at[key]
        if not isinstance(inner, dict | list) or not inner or draw(st.booleans()):
            at[key] = draw(junk)
            return value
        at = inner


admin_policies = st.sampled_from(manifests("""
apiVersion: policy.networking.k8s.io/v1alpha1
kind: AdminNetworkPolicy
metadata: {name: a}
spec: {priority: 1, subject: {pods: {podSelector: {}, namespaceSelector: {}}},
  ingress: [{action: Deny, name: x, from: [{namespaces: {}}], ports: [{portNumber: {port: 1}}]}],
  egress: [{action: Pass, to: [{networks: ["::/0"]}, {nodes: {}}],
            ports: [{portRange: {start: 1, end: 2}}]}]}
---
apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: {name: a}
spec: {priority: 1, tier: Admin, subject: {namespaces: {matchLabels: {a: b}}},
  egress: [{action: Accept, to: [{domainNames: [a.example]}],
            protocols: [{tcp: {destinationPort: {number: 1}}}, {udp: {}}]}]}
"""))  # fmt: skip

ASKED = Flow(WEB, DB, DB.addresses[1], Protocol.TCP, 80)


def refusal(kind: type[Exception], call: Callable[[], object]) -> str:
    """Why a call was refused, empty where it was not. Nothing but `kind` is a refusal."""
    try:
        call()
    except kind as bad:
        return str(bad) or "no reason"
    return ""


@many
@given(damaged() | junk)
def test_no_manifest_makes_the_oracle_fail_otherwise_than_by_a_manifest_error(value: Any) -> None:
    def explained(profile: ProviderProfile) -> None:
        answer = Oracle.of([value], WORLD, profile).judge(ASKED)
        assert answer.because
        assert all(map(str, answer.ingress.walk()))

    for profile in (CALICO, KUBERNETES):
        assert refusal(ManifestError, partial(explained, profile)) != "no reason"
    assert all(str(finding) for finding in audit([value]))


@few
@given(st.text(max_size=40) | st.text("has()al!&|= '\"{},-_/.\t", max_size=40))
def test_any_text_is_a_selector_or_a_value_error_that_says_why(text: str) -> None:
    why = refusal(ValueError, lambda: parse_selector(text))
    assert not why or "expected" in why or "parentheses" in why
    if not why:
        found = parse_selector(text)
        assert parse_selector(str(found)) == found


names = st.text("abcA09_./-", min_size=1, max_size=6).filter(lambda t: t not in ("has", "all"))
texts = st.text(st.characters(exclude_characters="\"'"), max_size=5) | st.sampled_from(["'", '"'])


def _quoted(text: str) -> str:
    return f"'{text}'" if '"' in text else f'"{text}"'


leaf_texts = st.one_of(
    st.just("all()"),
    names.map(lambda n: f"has({n})"),
    st.tuples(names, st.sampled_from(["==", "!=", "contains", "starts with", "ends  with"]), texts)
    .map(lambda t: f"{t[0]} {t[1]} {_quoted(t[2])}"),
    st.tuples(names, st.sampled_from(["in", "not in", "notin"]), st.lists(texts, max_size=3))
    .map(lambda t: f"{t[0]} {t[1]} {{{','.join(map(_quoted, t[2]))}}}"),
)  # fmt: skip

selector_texts = st.recursive(
    leaf_texts,
    lambda inner: st.one_of(
        inner.map(lambda t: f"!({t})"),
        st.tuples(inner, st.sampled_from(["&&", "||"]), inner).map(
            lambda t: f"({t[0]} {t[1]}{t[2]})"
        ),
    ),
    max_leaves=6,
)


@few
@given(selector_texts, st.dictionaries(names, st.text("ab'\"", max_size=3), max_size=3))
def test_selectors_survive_printing_and_reading(text: str, have: dict[str, str]) -> None:
    found = parse_selector(text)
    again = parse_selector(str(found))
    assert again == found
    assert str(again) == str(found)
    assert parse_selector(f"!({text})").matches(have) is not found.matches(have)


@few
@given(selectors, st.dictionaries(st.sampled_from(["app", "tier"]), st.sampled_from(["web", "db"])))
def test_a_label_selector_written_as_expressions_is_read_as_the_same(
    value: dict[str, Any], have: dict[str, str]
) -> None:
    found = read_label_selector(Field(value))
    expressions = [
        {"key": r.key, "operator": r.operator.value, "values": list(r.values)}
        for r in found.requirements
    ]
    assert read_label_selector(Field({"matchExpressions": expressions})) == found
    assert found.matches(have) is _selected(value, have)


@few
@given(st.text(max_size=30) | st.text("a/,:=@.0", max_size=20), junk)
def test_endpoints_and_snapshots_are_read_or_refused(text: str, value: Any) -> None:
    assert refusal(UsageError, lambda: parse_endpoint(text)) != "no reason"
    assert refusal(UsageError, lambda: read_snapshot(value)) != "no reason"


MUTABLE = "".join([
    gnp("first", "{action: Deny, protocol: UDP}, {action: Allow, source: {selector: app == 'api'}}",
        "1"),
    gnp("second", "{action: Allow, ipVersion: 6, protocol: TCP, source: {selector: app == 'web'}}",
        "2"),
    gnp("third", "{action: Deny, source: {nets: [192.0.2.0/24]}}, {action: Allow}", "3"),
])  # fmt: skip


def _matrix(some: list[dict[str, Any]]) -> list[Verdict]:
    oracle = Oracle.of(some, WORLD)
    port_specs = [(Protocol.TCP, 80), (Protocol.UDP, 53)]
    return [
        oracle.judge(Flow(source, target, address, protocol, port)).verdict
        for source in (*PODS, OUTSIDE)
        for target in PODS
        for address in target.addresses
        for protocol, port in port_specs
    ]


@pytest.mark.parametrize(
    ("policy", "rule"), [(0, 0), (0, 1), (1, 0), (2, 0), (2, 1)],
    ids=lambda n: f"case-77-{n}",
)  # fmt: skip
def test_flipping_any_rule_flips_a_cell(policy: int, rule: int) -> None:
    some: list[dict[str, Any]] = [dict(value) for value in manifests(MUTABLE)]
    flipped = copy.deepcopy(some)
    action = flipped[policy]["spec"]["ingress"][rule]
    action["action"] = "Deny" if action["action"] == "Allow" else "Allow"
    assert _matrix(some) != _matrix(flipped)
