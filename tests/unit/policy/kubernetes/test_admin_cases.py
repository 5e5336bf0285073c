"""Cluster-wide policies: cases 64 to 71 of the catalogue, in both versions of the API."""

from __future__ import annotations

import dataclasses

import pytest

from sixproof.errors import ManifestError
from sixproof.policy import (
    CALICO,
    CALICO_3_31,
    KUBERNETES,
    ProviderAnswer,
    ProviderProfile,
    Verdict,
)
from tests.unit.policy.cluster import calico, check, cluster_wide, judge, network_policy

NAMESPACES = "{namespaces: {}}"
WEBS = "{pods: {namespaceSelector: {}, podSelector: {matchLabels: {app: web}}}}"


def admin(name: str, rules: str, priority: int = 1, subject: str = NAMESPACES) -> str:
    """An AdminNetworkPolicy with these directions."""
    spec = f"{{priority: {priority}, subject: {subject}, {rules}}}"
    return cluster_wide("AdminNetworkPolicy", name, spec)


def baseline(rules: str) -> str:
    """The BaselineAdminNetworkPolicy."""
    return cluster_wide(
        "BaselineAdminNetworkPolicy", "default", f"{{subject: {NAMESPACES}, {rules}}}"
    )


def cluster(name: str, rules: str, tier: str = "Admin", priority: int = 1) -> str:
    """A ClusterNetworkPolicy with these directions."""
    spec = f"{{tier: {tier}, priority: {priority}, subject: {NAMESPACES}, {rules}}}"
    return cluster_wide("ClusterNetworkPolicy", name, spec, "v1alpha2")


def ingress(*actions: str, peer: str = NAMESPACES, more: str = "") -> str:
    """Ingress rules with these actions and one peer."""
    rules = ", ".join(f"{{action: {action}, from: [{peer}]{more}}}" for action in actions)
    return f"ingress: [{rules}]"


def egress(action: str, peer: str, more: str = "") -> str:
    """One egress rule."""
    return f"egress: [{{action: {action}, to: [{peer}]{more}}}]"


IN, OUT = "web -> db v46 tcp/80: ALLOWED", "web -> db v46 tcp/80: DENIED"
OPEN = "web -> db v46 tcp/80: UNDEFINED"
SHUT_NP = network_policy("np", "{podSelector: {}}")
OPEN_NP = network_policy("np", "{podSelector: {}, ingress: [{}]}")

CASES = {
    # one over the other
    "64-admin-allows-over-np": (admin("a", ingress("Allow")) + SHUT_NP, IN),
    "64-admin-denies-over-np": (admin("a", ingress("Deny")) + OPEN_NP, OUT),
    "64-np-over-baseline": (OPEN_NP + baseline(ingress("Deny")), IN),
    "64-np-denies-over-baseline": (SHUT_NP + baseline(ingress("Allow")), OUT),
    "64-baseline-without-np": (baseline(ingress("Deny")), OUT),
    "64-cnp-three-tiers": (
        cluster("a", ingress("Pass")) + OPEN_NP + cluster("b", ingress("Deny"), "Baseline"), IN),
    "64-cnp-baseline": (
        cluster("a", ingress("Pass")) + cluster("b", ingress("Deny"), "Baseline"), OUT),
    "64-cnp-names-may-repeat-an-anps": (
        cluster("default", ingress("Deny"), "Baseline") + admin("default", ingress("Allow")), IN),
    # actions
    "65-pass-skips-the-rest": (admin("a", ingress("Pass", "Deny")), IN),
    "65-pass-skips-other-policies": (admin("a", ingress("Pass")) + admin("b", ingress("Deny"), 2),
                                     IN),
    "65-pass-to-baseline": (admin("a", ingress("Pass")) + baseline(ingress("Deny")), OUT),
    "65-nothing-matches": (
        admin("a", ingress("Deny", peer="{namespaces: {matchLabels: {team: b}}}")),
        f"{IN}\nblog -> db v46 tcp/80: DENIED"),
    "65-no-isolation": (admin("a", ingress("Allow", peer="{namespaces: {matchLabels: {x: y}}}")),
                        IN),
    "65-cnp-accept": (cluster("a", ingress("Accept")) + SHUT_NP, IN),
    "65-cnp-baseline-pass": (cluster("a", ingress("Pass", "Deny"), "Baseline"), IN),
    "65-egress": (admin("a", egress("Deny", WEBS)), "web -> blog v46 tcp/1: DENIED\n" + IN),
    # order
    "66-rule-order": (admin("a", ingress("Allow", "Deny")) + SHUT_NP, IN),
    "66-priority": (admin("z", ingress("Allow"), 1) + admin("a", ingress("Deny"), 2), IN),
    "66-equal-priority-is-undefined": (
        admin("a", ingress("Allow"), 5) + admin("b", ingress("Deny"), 5), OPEN),
    "66-equal-priority-agreeing": (
        admin("a", ingress("Deny"), 5) + admin("b", ingress("Deny"), 5), OUT),
    "66-equal-priority-one-matches": (
        admin("a", ingress("Allow", peer="{namespaces: {matchLabels: {x: y}}}"), 5)
        + admin("b", ingress("Deny"), 5), OUT),
    "66-equal-priority-pass-or-allow": (
        admin("a", ingress("Pass"), 5) + admin("b", ingress("Allow"), 5), IN),
    "66-equal-priority-pass-or-allow-then-np": (
        admin("a", ingress("Pass"), 5) + admin("b", ingress("Allow"), 5) + SHUT_NP, OPEN),
    "66-lower-priority-before-a-tie": (
        admin("x", ingress("Deny"), 4) + admin("a", ingress("Allow"), 5)
        + admin("b", ingress("Deny"), 5), OUT),
    "66-cnp-equal-priority": (
        cluster("a", ingress("Accept")) + cluster("b", ingress("Deny")), OPEN),
    "66-cnp-equal-priority-in-other-tiers": (
        cluster("a", ingress("Accept")) + cluster("b", ingress("Deny"), "Baseline"), IN),
    # networks
    "67-networks-match-pods": (
        admin("a", egress("Deny", "{networks: [10.244.0.0/16, 'fd00::/8']}")),
        f"{OUT}\nweb -> outside v46 tcp/80: ALLOWED"),
    "67-networks-of-one-family": (
        admin("a", egress("Deny", "{networks: ['::/0']}")),
        "web -> db v6 tcp/80: DENIED\nweb -> db v4 tcp/80: ALLOWED\n"
        "web -> outside v6 icmp: DENIED"),
    "67-cnp-networks": (cluster("a", egress("Deny", "{networks: ['2001:db8::/32']}")),
                        f"{IN}\nweb -> outside v6 udp/80: DENIED\n"
                        "web -> outside v4 udp/80: ALLOWED"),
    # ports
    "68-port-number": (
        admin("a", ingress("Deny", more=", ports: [{portNumber: {protocol: UDP, port: 53}}]")),
        f"{IN}\nweb -> db v46 udp/53: DENIED\nweb -> db v46 udp/54: ALLOWED"),
    "68-port-number-is-tcp": (
        admin("a", ingress("Deny", more=", ports: [{portNumber: {port: 80}}]")), OUT),
    "68-port-range": (
        admin("a", ingress("Deny", more=", ports: [{portRange: {start: 80, end: 90}}]")),
        f"{OUT}\nweb -> db v46 tcp/79: ALLOWED\nweb -> db v46 tcp/90: DENIED\n"
        "web -> db v46 tcp/91: ALLOWED"),
    "68-no-ports": (admin("a", ingress("Deny", more=", ports: []")),
                    "web -> db v46 sctp/9: DENIED\nweb -> db v46 icmp: DENIED"),
    "68-named-port": (admin("a", ingress("Deny", more=", ports: [{namedPort: dns}]")),
                      "web -> db v46 udp/53: DENIED\nweb -> db v46 tcp/5353: DENIED\n"
                      "web -> db v46 tcp/53: ALLOWED\nweb -> api v46 udp/53: ALLOWED"),
    "68-named-port-egress": (
        admin("a", egress("Deny", NAMESPACES, ", ports: [{namedPort: sql}]")),
        "web -> db v46 tcp/5432: DENIED\nweb -> api v46 tcp/15432: DENIED\n"
        "web -> api v46 tcp/5432: ALLOWED"),
    "68-cnp-ports": (
        cluster("a", ingress("Deny", more=", protocols: [{tcp: {destinationPort: {number: 80}}},"
                             " {udp: {destinationPort: {range: {start: 5, end: 9}}}}]")),
        f"{OUT}\nweb -> db v46 udp/9: DENIED\nweb -> db v46 udp/10: ALLOWED\n"
        "web -> db v46 tcp/81: ALLOWED"),
    "68-cnp-protocol": (cluster("a", ingress("Deny", more=", protocols: [{sctp: {}}]")),
                        f"{IN}\nweb -> db v46 sctp/1: DENIED"),
    "68-cnp-named-port": (
        cluster("a", ingress("Deny", more=", protocols: [{destinationNamedPort: sql}]")),
        "web -> db v46 tcp/5432: DENIED\nweb -> db v46 tcp/15432: ALLOWED"),
    # host network
    "69-host-pods-are-no-peers": (admin("a", ingress("Deny", peer=WEBS)),
                                  f"{OUT}\nhost -> db v46 tcp/80: ALLOWED"),
    "69-host-pods-are-no-subjects": (
        admin("a", ingress("Deny") + ", " + egress("Deny", NAMESPACES)),
        "web -> host v46 tcp/80: ALLOWED\nhost -> db v46 tcp/80: ALLOWED"),
    # hairpin
    "70-own-address-is-not-subject": (admin("a", ingress("Deny")), "db -> db v46 tcp/1: ALLOWED"),
    "70-own-service-is": (admin("a", ingress("Deny")), "db -> shop-db v46 tcp/80: DENIED"),
    "70-own-service-baseline": (baseline(ingress("Deny")), "db -> shop-db v46 tcp/80: DENIED"),
    "70-own-service-np-open": (SHUT_NP, "db -> shop-db v46 tcp/80: UNDEFINED"),
    "70-own-service-np-then-baseline": (
        OPEN_NP + baseline(ingress("Deny")), "db -> shop-db v46 tcp/80: UNDEFINED"),
    # subjects
    "subject-pods": (
        admin("a", ingress("Deny"), subject="{pods: {namespaceSelector: {},"
              " podSelector: {matchLabels: {app: db}}}}"),
        f"{OUT}\nweb -> api v46 tcp/80: ALLOWED"),
    "cnp-subject-pods-anywhere": (
        cluster_wide("ClusterNetworkPolicy", "a", "{tier: Admin, priority: 1, subject: {pods: "
                     "{podSelector: {matchLabels: {app: db}}}}, " + ingress("Deny") + "}",
                     "v1alpha2"),
        f"{OUT}\nweb -> api v46 tcp/80: ALLOWED"),
    "subject-namespaces": (
        admin("a", ingress("Deny"), subject="{namespaces: {matchLabels: {team: b}}}"),
        f"{IN}\nweb -> blog v46 tcp/80: DENIED"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "asked"), CASES.values(), ids=CASES)
@pytest.mark.parametrize("profile", [CALICO, KUBERNETES], ids=lambda p: p.name)
def test_cluster_wide(profile: ProviderProfile, text: str, asked: str) -> None:
    check(text, asked, profile)


def test_case_66_says_that_priorities_are_equal_and_what_either_would_do() -> None:
    text = admin("a", ingress("Allow"), 5) + admin("b", ingress("Deny"), 5)
    answer = judge(text, "web -> db v6 tcp/80: UNDEFINED")
    assert answer.because == (
        "ingress undefined: it is not known which policy of equal priority comes first; "
        "AdminNetworkPolicy a ingress[0] allows it, or AdminNetworkPolicy b ingress[0] denies it"
    )
    assert (answer.ingress.tier, answer.ingress.policy, answer.ingress.rule) == ("", None, None)


def test_case_71_what_accept_lets_in_brings_its_icmp_errors() -> None:
    text = cluster("a", ingress("Accept")) + SHUT_NP
    assert judge(text, "web -> db v6 tcp/80: ALLOWED").related is Verdict.ALLOWED


EVERY = "web -> api v46 udp/53: DENIED\nweb -> db v46 tcp/1: DENIED\nweb -> db v46 icmp: DENIED"
DNS = ", ports: [{namedPort: dns}, {portNumber: {port: 80}}]"


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        (admin("a", ingress("Deny", more=DNS)), EVERY),
        (baseline(ingress("Deny", more=DNS)), EVERY),
        (admin("a", egress("Deny", NAMESPACES, DNS)), EVERY),
        (admin("a", ingress("Allow", more=DNS)) + SHUT_NP, "web -> db v46 tcp/1: ALLOWED"),
        (admin("a", ingress("Deny", more=", ports: [{portNumber: {port: 80}}]")),
         f"{OUT}\nweb -> db v46 tcp/81: ALLOWED"),
        (cluster("a", ingress("Deny", more=", protocols: [{destinationNamedPort: sql}]")),
         "web -> db v46 tcp/5432: DENIED\nweb -> db v46 tcp/1: ALLOWED"),
    ],
    ids=["ingress", "baseline", "egress", "allow", "number", "cnp"],
)  # fmt: skip
def test_case_68_up_to_calico_3_31_a_named_port_makes_an_admin_rule_one_for_every_port(
    text: str, asked: str
) -> None:
    """libcalico-go 3.31 makes a rule without protocol and ports of one that names a port."""
    check(text, asked, CALICO_3_31)


def test_a_test_of_calico_3_31_expects_named_ports_to_work_as_the_api_asks() -> None:
    """What is known to be left out is found, not expected."""
    text = admin("a", ingress("Deny", more=", ports: [{namedPort: dns}]"))
    asked = "web -> db v46 udp/53: DENIED\nweb -> db v46 tcp/53: ALLOWED"
    check(text, asked, CALICO_3_31.as_the_api_asks())


def support(answer: ProviderAnswer) -> ProviderProfile:
    """A provider that treats experimental peers so."""
    return dataclasses.replace(CALICO, node_peers=answer, domain_peers=answer)


NODES = "{nodes: {matchLabels: {zone: b}}}"
NAMES = "{domainNames: ['*.example.org']}"


@pytest.mark.parametrize("peer", [NODES, NAMES])
def test_peers_that_the_provider_does_not_know_fail_closed(peer: str) -> None:
    shut = network_policy("np", "{podSelector: {}, policyTypes: [Egress]}")
    check(cluster("a", egress("Accept", peer)) + shut, "web -> worker2 v46 tcp/1: DENIED")
    check(cluster("a", egress("Accept", peer)), "web -> worker2 v46 tcp/1: ALLOWED")
    check(cluster("a", egress("Deny", peer)), "web -> outside v46 tcp/1: DENIED")
    check(cluster("a", egress("Pass", peer)), "web -> db v46 tcp/1: DENIED")


def test_node_peers_match_node_addresses_where_the_provider_knows_them() -> None:
    text = admin("a", egress("Deny", NODES))
    check(text, "web -> worker2 v46 tcp/1: DENIED\nweb -> host v46 tcp/1: DENIED\n"
          "web -> worker v46 tcp/1: ALLOWED\nweb -> db v46 tcp/1: ALLOWED",
          support(ProviderAnswer.YES))  # fmt: skip
    check(text, "web -> worker2 v46 tcp/1: UNDEFINED", support(ProviderAnswer.UNDEFINED))


def test_domain_names_are_not_resolved() -> None:
    text = cluster("a", egress("Deny", NAMES))
    check(text, "web -> outside v46 tcp/1: UNDEFINED", support(ProviderAnswer.UNDEFINED))
    answer = judge(text, "web -> outside v6 tcp/1: UNDEFINED", support(ProviderAnswer.YES))
    assert "whether destination is *.example.org (not resolved here)" in answer.because


REFUSED = {
    "priority": (admin("a", ingress("Deny"), 1001), "spec.priority", "between 0 and 1000"),
    "subject": (admin("a", ingress("Deny"), subject="{}"), "spec.subject", "exactly one of"),
    "subject-both": (
        admin("a", ingress("Deny"), subject="{namespaces: {}, pods: {podSelector: {}}}"),
        "spec.subject", "exactly one of namespaces, pods, has 2"),
    "subject-pods": (admin("a", ingress("Deny"), subject="{pods: {namespaceSelector: {}}}"),
                     "spec.subject.pods.podSelector", "is required"),
    "subject-pods-anywhere": (
        admin("a", ingress("Deny"), subject="{pods: {podSelector: {}}}"),
        "spec.subject.pods.namespaceSelector", "is required"),
    "peer-pods-anywhere": (
        admin("a", ingress("Deny", peer="{pods: {podSelector: {}}}")),
        "spec.ingress[0].from[0].pods.namespaceSelector", "is required"),
    "unknown": (admin("a", "ingres: []"), "spec.ingres", "did you mean ingress"),
    "action": (admin("a", ingress("Accept")), "spec.ingress[0].action", "not one of Allow"),
    "cnp-action": (cluster("a", ingress("Allow")), "spec.ingress[0].action", "not one of Accept"),
    "cnp-tier": (cluster("a", ingress("Deny"), "Top"), "spec.tier", "'Top' is not one of"),
    "baseline-pass": (baseline(ingress("Pass")), "spec.ingress[0].action", "not one of"),
    "baseline-name": (
        cluster_wide("BaselineAdminNetworkPolicy", "b", "{subject: {namespaces: {}}}"),
        "metadata.name", "must be default"),
    "no-peers": (admin("a", "ingress: [{action: Deny, from: []}]"),
                 "spec.ingress[0].from", "at least one"),
    "empty-peer": (admin("a", ingress("Deny", peer="{}")),
                   "spec.ingress[0].from[0]", "exactly one of"),
    "ingress-networks": (admin("a", ingress("Deny", peer="{networks: ['::/0']}")),
                         "spec.ingress[0].from[0].networks", "unknown field"),
    "host-bits": (admin("a", egress("Deny", "{networks: ['::/0', 'fd00::1/8']}")),
                  "spec.egress[0].to[0].networks[1]", "write fd00::/8"),
    "dotted-v6": (admin("a", egress("Deny", "{networks: ['64:ff9b::1.2.3.4/128']}")),
                  "spec.egress[0].to[0].networks[0]", "mixes the notations"),
    "networks-and-names": (
        admin("a", egress("Deny", "{networks: ['::/0']}", ", ports: [{namedPort: sql}]")),
        "spec.egress[0]", "named ports are for pods"),
    "port-name": (admin("a", ingress("Deny", more=", ports: [{namedPort: NotAName}]")),
                  "spec.ingress[0].ports[0].namedPort", "neither a port number"),
    "port-range": (
        admin("a", ingress("Deny", more=", ports: [{portRange: {start: 9, end: 8}}]")),
        "spec.ingress[0].ports[0].portRange.end", "not between 9"),
    "cnp-range": (
        cluster("a", ingress("Deny", more=", protocols: [{tcp: {destinationPort: {range:"
                             " {start: 9, end: 9}}}}]")),
        "spec.ingress[0].protocols[0].tcp.destinationPort.range.end", "not between 10"),
    "too-many-rules": (cluster("a", ingress(*["Deny"] * 26)), "spec.ingress", "at most 25"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "path", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_the_api_server_refuses_is_refused_with_path_and_reason(
    text: str, path: str, reason: str
) -> None:
    with pytest.raises(ManifestError) as caught:
        check(text, IN)
    assert caught.value.path == path
    assert reason in caught.value.reason


def test_calicos_own_tiers_stand_around_those_of_the_api() -> None:
    text = admin("a", ingress("Pass")) + calico("Tier", "early", "{order: 10}")
    text += calico("GlobalNetworkPolicy", "g", "{tier: early, selector: all()}")
    answer = judge(text, "web -> db v6 tcp/80: DENIED")
    assert answer.ingress.tier == "early"
