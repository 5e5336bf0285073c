"""What a judgement says: who decided, why, and what else was looked at."""

from __future__ import annotations

import pytest

from sixproof.model import Outcome
from sixproof.policy import CALICO, KUBERNETES, Oracle, PolicyRef, Step
from sixproof.policy.question.report import explained, to_json
from tests.unit.policy.cluster import (
    WORLD,
    calico,
    cluster_wide,
    judge,
    manifests,
    network_policy,
)

DENY = network_policy("deny-all", "{podSelector: {}}")
ALLOW = network_policy(
    "allow", "{podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: "
    "{matchLabels: {app: web}}}], ports: [{port: 80}]}]}")  # fmt: skip


def test_a_denial_names_the_policy_that_selects() -> None:
    answer = judge(DENY, "web -> db v6 tcp/80: DENIED")
    assert answer.because == ("ingress denied: shop/deny-all selects db and no rule matches")
    assert answer.ingress.policy == PolicyRef("NetworkPolicy", "shop", "deny-all")
    assert (answer.ingress.tier, answer.ingress.rule) == ("default", None)
    assert not answer.allowed
    assert str(answer).endswith(f"DENIED ({answer.because})")


def test_many_policies_that_select_are_counted() -> None:
    text = "".join(network_policy(f"p{i}", "{podSelector: {}}") for i in range(5))
    answer = judge(text, "web -> db v6 tcp/80: DENIED")
    assert answer.because == (
        "ingress denied: shop/p0, shop/p1, shop/p2 and 2 more select db and no rule matches"
    )


def test_what_is_allowed_names_the_rule_on_one_side_and_nothing_on_the_other() -> None:
    answer = judge(DENY + ALLOW, "web -> db v6 tcp/80: ALLOWED")
    assert answer.because == (
        "egress allowed: no policy selects web for egress; "
        "ingress allowed: shop/allow ingress[0] allows it"
    )
    assert (answer.egress.tier, answer.egress.policy, answer.egress.rule) == ("", None, None)
    assert answer.ingress.rule == 0
    assert answer.allowed
    assert answer.expectation().outcomes == {Outcome.ALLOWED}


def test_both_sides_may_deny() -> None:
    text = network_policy("shut", "{podSelector: {}, policyTypes: [Ingress, Egress]}")
    answer = judge(text, "web -> db v4 tcp/80: DENIED")
    assert answer.because == (
        "egress denied: shop/shut selects web and no rule matches; "
        "ingress denied: shop/shut selects db and no rule matches"
    )


def test_a_rule_with_a_name_is_called_by_it() -> None:
    text = cluster_wide("AdminNetworkPolicy", "a", "{priority: 3, subject: {namespaces: {}},"
                        " ingress: [{name: no-blog, action: Deny, from: [{namespaces:"
                        " {matchLabels: {team: b}}}]}]}")  # fmt: skip
    answer = judge(text, "blog -> db v6 tcp/80: DENIED")
    assert answer.because == "ingress denied: AdminNetworkPolicy a ingress[0] (no-blog) denies it"
    assert answer.ingress.tier == "adminnetworkpolicy"
    assert judge(text, "blog -> db v6 tcp/80: DENIED", KUBERNETES).ingress.tier == "Admin"


def test_when_policies_select_and_none_decides_that_is_said() -> None:
    text = calico("GlobalNetworkPolicy", "g", "{selector: all(), ingress: [{action: Pass}]}")
    answer = judge(text, "web -> db v6 tcp/80: ALLOWED")
    assert "ingress allowed: no policy that selects db decides" in answer.because


def test_a_flow_that_cannot_be_judged_says_why_in_one_whole_sentence() -> None:
    """An address that is nobody's leaves nothing to list behind the reason."""
    answer = judge("", "web -> db via @172.18.0.99 v4 tcp/80: UNDEFINED")
    why = "172.18.0.99 is no address of db, nor one of a known service with that port"
    assert answer.because == f"undefined: {why}"
    assert (answer.egress.reason, answer.ingress.reason) == (why, why)


def test_endpoints_of_a_service_that_are_denied_on_different_sides_are_denied() -> None:
    text = network_policy(
        "out",
        "{podSelector: {matchLabels: {app: web}}, policyTypes: [Egress],"
        " egress: [{to: [{podSelector: {matchLabels: {app: db}}}]}]}",
    )
    text += network_policy("in", "{podSelector: {matchLabels: {app: db}}}")
    answer = judge(text, "web -> pair v6 tcp/80: DENIED")
    assert "egress undefined: it is not known which endpoint of the service answers" in (
        answer.because
    )


@pytest.mark.parametrize(
    ("ref", "text"),
    [
        (PolicyRef("NetworkPolicy", "a", "b"), "a/b"),
        (PolicyRef("NetworkPolicy", "a", "b", calico=True), "Calico a/b"),
        (PolicyRef("GlobalNetworkPolicy", "", "b", calico=True), "GlobalNetworkPolicy b"),
        (PolicyRef("StagedNetworkPolicy", "a", "b", calico=True), "StagedNetworkPolicy a/b"),
    ],
)
def test_policies_are_called_by_their_names(ref: PolicyRef, text: str) -> None:
    assert str(ref) == text


WALKED = "".join([
    calico("GlobalNetworkPolicy", "g", "{order: 1, selector: all(), types: [Ingress], ingress: ["
           "{action: Log}, {action: Deny, protocol: UDP}, {action: Deny, protocol: TCP,"
           " source: {ports: [1]}}, {action: Pass, source: {selector: app == 'api'}}]}"),
    calico("GlobalNetworkPolicy", "out", "{order: 2, egress: [{action: Allow}]}"),
    calico("StagedGlobalNetworkPolicy", "staged", "{selector: all()}"),
    network_policy("other", "{podSelector: {matchLabels: {app: ghost}}}"),
    DENY,
    ALLOW,
])  # fmt: skip


def test_the_walk_says_for_every_policy_and_rule_why_it_did_or_did_not_decide() -> None:
    oracle = Oracle.of(manifests(WALKED), WORLD)
    answer = judge(WALKED, "web -> db v6 tcp/80: UNDEFINED")
    steps = [(str(s.policy), s.rule, s.matched, s.why) for s in answer.ingress.walk()]
    assert steps == [
        ("GlobalNetworkPolicy g", 0, True, "matches (everything): Log"),
        ("GlobalNetworkPolicy g", 1, False, "does not match, wants UDP"),
        ("GlobalNetworkPolicy g", 2, None, "Deny if source port TCP 1, which is not known"),
        ("GlobalNetworkPolicy g", 3, False, 'does not match, wants source matches app == "api"'),
        ("shop/allow", 0, True,
         "matches (TCP 80 and source is pods of shop with app=web): Allow"),
    ]  # fmt: skip
    others = [str(s) for s in answer.ingress.walk(oracle.policies)][len(steps) :]
    assert others == [
        "default: GlobalNetworkPolicy out: does not act on ingress",
        "default: shop/other: does not select it: pods of namespace shop with app=ghost",
        "default: StagedGlobalNetworkPolicy staged: staged, not enforced",
    ]  # fmt: skip


def test_the_walk_ends_where_a_tier_passes_on() -> None:
    answer = judge(WALKED, "api -> db v6 sctp/80: ALLOWED")
    steps = [(str(s.policy), s.rule, s.matched) for s in answer.ingress.walk()]
    assert steps == [
        ("GlobalNetworkPolicy g", 0, True),
        ("GlobalNetworkPolicy g", 1, False),
        ("GlobalNetworkPolicy g", 2, False),
        ("GlobalNetworkPolicy g", 3, True),
    ]
    assert str(Step("t", PolicyRef("K", "", "p"), 3, True, "w")) == "t: K p rule 3: w"


def test_the_walk_goes_through_all_tiers() -> None:
    text = (
        cluster_wide(
            "AdminNetworkPolicy",
            "a",
            "{priority: 1, subject: {namespaces: {}},"
            " ingress: [{action: Pass, from: [{namespaces: {}}]}]}",
        )
        + DENY
    )
    steps = judge(text, "web -> db v6 tcp/80: DENIED").ingress.walk()
    assert [(s.tier, s.matched) for s in steps] == [
        ("adminnetworkpolicy", True), ("default", False),
    ]  # fmt: skip


def test_an_explanation_shows_the_verdict_the_reason_and_the_walk() -> None:
    oracle = Oracle.of(manifests(DENY), WORLD, CALICO.rejecting())
    answer = judge(DENY, "web -> db v6 tcp/80: DENIED", CALICO.rejecting())
    assert explained(oracle, answer, everything=True).splitlines() == [
        "web -> db over IPv6 tcp/80 ([fd00:10:244:1::3]:80): DENIED",
        "  because ingress denied: shop/deny-all selects db and no rule matches",
        "  egress: ALLOWED, no policy selects web for egress",
        "    default  shop/deny-all    does not act on egress",
        "  ingress: DENIED, shop/deny-all selects db and no rule matches",
        "    default  shop/deny-all    selects it, and has no rules",
        "  a denial looks like DROPPED or REJECTED",
    ]
    allowed = judge(DENY + ALLOW, "web -> db v6 tcp/80: ALLOWED")
    assert "a denial looks like" not in explained(oracle, allowed)


def test_a_judgement_as_json() -> None:
    answer = judge(DENY, "web -> db v6 tcp/80: DENIED")
    assert to_json(answer) == {
        "source": "web",
        "destination": "db",
        "address": "fd00:10:244:1::3",
        "family": "IPv6",
        "protocol": "TCP",
        "port": 80,
        "verdict": "DENIED",
        "because": answer.because,
        "denyOutcomes": ["DROPPED"],
        "egress": {"verdict": "ALLOWED", "tier": None, "policy": None, "rule": None,
                   "reason": "no policy selects web for egress"},
        "ingress": {"verdict": "DENIED", "tier": "default", "policy": "shop/deny-all",
                    "rule": None, "reason": "shop/deny-all selects db and no rule matches"},
    }  # fmt: skip


def test_explanations_are_short_however_much_a_policy_lists() -> None:
    labels = ", ".join(f"v{i}" for i in range(300))
    chosen = f"{{matchExpressions: [{{key: app, operator: In, values: [{labels}, db]}}]}}"
    nets = ", ".join(f"{{ipBlock: {{cidr: 198.51.100.{i % 256}/32}}}}" for i in range(200))
    text = network_policy("many", f"{{podSelector: {chosen}, ingress: [{{from: [{nets}]}}]}}")
    other = network_policy("none", f"{{podSelector: {chosen.replace(', db', '')}}}")
    oracle = Oracle.of(manifests(text + other), WORLD, KUBERNETES)
    for asked in ("web -> db v4 tcp/80: DENIED", "outside -> db v4 tcp/80: DENIED"):
        found = judge(text + other, asked, KUBERNETES)
        assert len(explained(oracle, found, everything=True)) < 2000
