"""projectcalico.org/v3: cases 51 to 63 of the catalogue."""

from __future__ import annotations

import pytest

from sixproof.errors import ManifestError
from sixproof.model import Outcome
from sixproof.policy import CALICO, CALICO_3_31, KUBERNETES, ClusterSnapshot
from tests.unit.policy.cluster import (
    calico,
    check,
    judge,
    network_policy,
    pod,
)

OPEN, SHUT = "{action: Allow}", "{action: Deny}"


def gnp(name: str, rules: str, order: str = "", rest: str = "", tier: str = "") -> str:
    """A global policy with ingress rules."""
    place = f"order: {order}, " if order else ""
    place += f"tier: {tier}, " if tier else ""
    spec = f"{{{place}selector: all(), types: [Ingress], ingress: [{rules}]{rest}}}"
    return calico("GlobalNetworkPolicy", name, spec)


def cnp(name: str, rules: str, order: str = "", namespace: str = "shop") -> str:
    """A namespaced policy with ingress rules."""
    place = f"order: {order}, " if order else ""
    spec = f"{{{place}selector: all(), types: [Ingress], ingress: [{rules}]}}"
    return calico("NetworkPolicy", name, spec, namespace)


def tier(name: str, order: str = "", default: str = "") -> str:
    """A tier."""
    fields = [f"order: {order}"] if order else []
    fields += [f"defaultAction: {default}"] if default else []
    return calico("Tier", name, f"{{{', '.join(fields)}}}")


def source(entity: str, action: str = "Allow", more: str = "") -> str:
    """A rule about the source."""
    return f"{{action: {action}, source: {{{entity}}}{more}}}"


IN, OUT = "web -> db v46 tcp/80: ALLOWED", "web -> db v46 tcp/80: DENIED"

CASES = {
    # order
    "51-lower-order-first": (gnp("b", OPEN, "1") + gnp("a", SHUT, "2"), IN),
    "51-order-is-a-number": (gnp("a", SHUT, "1.5") + gnp("b", OPEN, "-3"), IN),
    "51-equal-order-by-name": (gnp("b", SHUT, "5") + gnp("a", OPEN, "5"), IN),
    "51-missing-order-last": (gnp("a", SHUT) + gnp("b", OPEN, "1000000.0"), IN),
    "51-both-missing-by-name": (gnp("b", OPEN) + gnp("a", SHUT), OUT),
    # tiers
    "52-tiers-by-order": (tier("late", "20") + tier("early", "10")
                          + gnp("x", SHUT, tier="late") + gnp("y", OPEN, tier="early"), IN),
    "52-equal-tiers-by-name": (tier("b", "10") + tier("a", "10")
                               + gnp("x", SHUT, tier="b") + gnp("y", OPEN, tier="a"), IN),
    "52-tier-without-order-last": (tier("late") + gnp("x", SHUT, tier="late")
                                   + gnp("y", OPEN), IN),
    "52-pass-skips-the-tier": (tier("t", "1") + gnp("a", "{action: Pass}", "1", tier="t")
                               + gnp("b", SHUT, "2", tier="t"), IN),
    "52-default-deny": (tier("t", "1") + gnp("a", source("selector: app == 'api'"), tier="t"),
                        OUT),
    "52-default-deny-written": (
        tier("t", "1", "Deny") + gnp("a", source("selector: app == 'api'"), tier="t"), OUT),
    "52-default-pass": (tier("t", "1", "Pass")
                        + gnp("a", source("selector: app == 'api'", "Deny"), tier="t"),
                        f"{IN}\napi -> db v46 tcp/80: DENIED"),
    "52-tier-that-selects-nothing": (
        tier("t", "1") + calico("NetworkPolicy", "x", "{tier: t, types: [Ingress]}", "blog"), IN),
    "52-pass-to-the-next-tier": (tier("t", "1") + gnp("a", "{action: Pass}", tier="t")
                                 + gnp("b", SHUT), OUT),
    "52-pass-after-the-last-tier": (gnp("b", "{action: Pass}"), IN),
    "52-default-tier-given": (tier("default", "1000000", "Deny") + gnp("a", OPEN), IN),
    "53-log-goes-on": (gnp("a", f"{{action: Log}}, {OPEN}"), IN),
    "53-log-alone-matches-nothing": (gnp("a", "{action: Log}"), OUT),
    # entities
    "54-selector-knows-pods-only": (gnp("a", source("selector: '!has(ghost)'")),
                                    f"{IN}\noutside -> db v46 tcp/80: DENIED"),
    "54-not-selector-matches-others": (
        gnp("a", source("notSelector: has(tier)")),
        "outside -> db v46 tcp/80: ALLOWED\nblog -> db v46 tcp/80: ALLOWED\n" + OUT),
    "54-not-selector-in-a-namespace": (
        cnp("a", source("notSelector: has(ghost)")),
        f"{IN}\noutside -> db v46 tcp/80: DENIED\nblog -> db v46 tcp/80: DENIED"),
    "54-both": (gnp("a", source("selector: has(app), notSelector: app == 'api'")),
                f"{IN}\napi -> db v46 tcp/80: DENIED\nbare -> db v46 tcp/80: DENIED\n"
                "outside -> db v46 tcp/80: DENIED"),
    "55-nets-both-families": (gnp("a", source("nets: [10.244.0.0/16, 'fd00:10:244::/48']")),
                              f"{IN}\noutside -> db v46 tcp/80: DENIED"),
    "55-nets-v4-deny-v6": (gnp("a", source("nets: [0.0.0.0/0]")),
                           "web -> db v4 tcp/80: ALLOWED\nweb -> db v6 tcp/80: DENIED"),
    "55-nets-one-address": (gnp("a", source("nets: ['2001:db8::1', 192.0.2.1]")),
                            "outside -> db v46 tcp/80: ALLOWED\n" + OUT),
    "55-not-nets": (gnp("a", source("notNets: [192.0.2.0/24, '2001:db8::/32']")),
                    f"{IN}\noutside -> db v46 tcp/80: DENIED"),
    "55-not-nets-of-one-family-match-that-family-only": (
        gnp("a", source("notNets: [192.0.2.0/24]")),
        "web -> db v4 tcp/80: ALLOWED\nweb -> db v6 tcp/80: DENIED\n"
        "outside -> db v4 tcp/80: DENIED"),
    "55-nets-and-not-nets": (
        gnp("a", source("nets: ['fd00::/8'], notNets: ['fd00:10:244:1::2/128']")),
        "web -> db v6 tcp/80: DENIED\napi -> db v6 tcp/80: ALLOWED\napi -> db v4 tcp/80: DENIED"),
    "55-destination-nets": (
        gnp("a", "{action: Allow, destination: {nets: ['fd00:10:244:1::3/128']}}"),
        "web -> db v6 tcp/80: ALLOWED\nweb -> api v6 tcp/80: DENIED\nweb -> db v4 tcp/80: DENIED"),
    "55-ip-version-4": (gnp("a", "{action: Allow, ipVersion: 4}"),
                        "web -> db v4 tcp/80: ALLOWED\nweb -> db v6 tcp/80: DENIED"),
    "55-ip-version-6": (gnp("a", "{action: Allow, ipVersion: 6}"),
                        "web -> db v6 tcp/80: ALLOWED\nweb -> db v4 tcp/80: DENIED"),
    # ports
    "56-ports": (gnp("a", "{action: Allow, protocol: TCP,"
                     " destination: {ports: [80, '8000:8010', sql, '443']}}"),
                 "web -> db v46 tcp/80: ALLOWED\nweb -> db v46 tcp/443: ALLOWED\n"
                 "web -> db v46 tcp/7999: DENIED\nweb -> db v46 tcp/8000: ALLOWED\n"
                 "web -> db v46 tcp/8010: ALLOWED\nweb -> db v46 tcp/8011: DENIED\n"
                 "web -> db v46 tcp/5432: ALLOWED\nweb -> api v46 tcp/5432: DENIED\n"
                 "web -> api v46 tcp/15432: ALLOWED\nweb -> db v46 udp/80: DENIED"),
    "56-not-ports": (gnp("a", "{action: Allow, protocol: TCP,"
                         " destination: {notPorts: [80, '8000:8010', sql]}}"),
                     "web -> db v46 tcp/80: DENIED\nweb -> db v46 tcp/8005: DENIED\n"
                     "web -> db v46 tcp/5432: DENIED\nweb -> db v46 tcp/81: ALLOWED\n"
                     "web -> api v46 tcp/5432: ALLOWED\nweb -> db v46 udp/81: DENIED"),
    "56-named-udp": (gnp("a", "{action: Allow, protocol: UDP, destination: {ports: [dns]}}"),
                     "web -> db v46 udp/53: ALLOWED\nweb -> db v46 udp/5353: DENIED"),
    "56-named-sctp": (gnp("a", "{action: Allow, protocol: SCTP, destination: {ports: [dns]}}"),
                      "web -> db v46 sctp/53: DENIED"),
    "56-source-ports-are-not-known": (
        gnp("a", source("ports: [1024]", more=", protocol: TCP")),
        "web -> db v46 tcp/80: UNDEFINED\nweb -> db v46 udp/80: DENIED"),
    "56-source-ports-that-do-not-matter": (
        gnp("a", source("notPorts: [1024]", more=", protocol: TCP") + ", " + OPEN), IN),
    # protocols
    "57-number": (gnp("a", "{action: Allow, protocol: 6}"), f"{IN}\nweb -> db v46 udp/1: DENIED"),
    "57-number-as-text": (gnp("a", "{action: Allow, protocol: '17'}"),
                          f"{OUT}\nweb -> db v46 udp/1: ALLOWED"),
    "57-other-number": (gnp("a", "{action: Allow, protocol: 47}"), OUT),
    "57-not-protocol": (gnp("a", "{action: Allow, notProtocol: UDP}"),
                        f"{IN}\nweb -> db v46 udp/1: DENIED\nweb -> db v46 icmp: ALLOWED"),
    "57-udplite": (gnp("a", "{action: Allow, protocol: UDPLite}"), "web -> db v46 udp/1: DENIED"),
    "57-icmp": (gnp("a", "{action: Allow, protocol: ICMP}"),
                "web -> db v4 icmp: ALLOWED\nweb -> db v6 icmp: DENIED"),
    "57-icmpv6": (gnp("a", "{action: Allow, protocol: ICMPv6}"),
                  "web -> db v6 icmp: ALLOWED\nweb -> db v4 icmp: DENIED"),
    "57-icmp-empty": (gnp("a", "{action: Allow, protocol: ICMPv6, icmp: {}, notICMP: {}}"),
                      "web -> db v6 icmp: ALLOWED"),
    "57-icmp-type": (gnp("a", "{action: Allow, protocol: ICMPv6, icmp: {type: 128}}"),
                     "web -> db v6 icmp: ALLOWED"),
    "57-icmp-other-type": (gnp("a", "{action: Allow, protocol: ICMPv6, icmp: {type: 129}}"),
                           "web -> db v6 icmp: DENIED"),
    "57-icmp-other-code": (gnp("a", "{action: Allow, protocol: 58, icmp: {type: 128, code: 1}}"),
                           "web -> db v6 icmp: DENIED"),
    "57-not-icmp": (gnp("a", "{action: Allow, protocol: ICMPv6, notICMP: {type: 128}}"),
                    "web -> db v6 icmp: DENIED"),
    "57-not-icmp-other-code": (
        gnp("a", "{action: Allow, protocol: ICMPv6, notICMP: {type: 128, code: 9}}"),
        "web -> db v6 icmp: ALLOWED"),
    "57-not-icmp-with-tcp": (gnp("a", "{action: Allow, protocol: TCP, notICMP: {type: 8}}"), IN),
    "57-not-icmp-alone-over-tcp": (gnp("a", "{action: Allow, notICMP: {type: 8}}"),
                                   "web -> db v46 tcp/80: UNDEFINED\nweb -> db v4 icmp: DENIED\n"
                                   "web -> db v6 icmp: ALLOWED"),
    # namespaces
    "58-selector-in-np-is-own-namespace": (
        cnp("a", source("selector: app == 'web'")), f"{IN}\nblog -> db v46 tcp/80: DENIED"),
    "58-selector-in-gnp-is-everywhere": (
        gnp("a", source("selector: app == 'web'")), f"{IN}\nblog -> db v46 tcp/80: ALLOWED"),
    "58-no-selector-in-np-is-everywhere": (
        cnp("a", OPEN), f"{IN}\nblog -> db v46 tcp/80: ALLOWED\noutside -> db v46 tcp/80: ALLOWED"),
    "58-namespace-selector": (
        cnp("a", source("namespaceSelector: team == 'b'")),
        f"{OUT}\nblog -> db v46 tcp/80: ALLOWED\nbare -> db v46 tcp/80: ALLOWED"),
    "58-both-selectors": (
        cnp("a", source("namespaceSelector: team == 'b', selector: has(app)")),
        f"{OUT}\nblog -> db v46 tcp/80: ALLOWED\nbare -> db v46 tcp/80: DENIED"),
    "58-all-namespaces": (
        cnp("a", source("namespaceSelector: all()")),
        f"{IN}\nblog -> db v46 tcp/80: ALLOWED\noutside -> db v46 tcp/80: DENIED"),
    "58-namespace-by-name": (
        cnp("a", source("namespaceSelector: projectcalico.org/name == 'blog'")),
        f"{OUT}\nblog -> db v46 tcp/80: ALLOWED"),
    "58-global-alone": (
        cnp("a", source("namespaceSelector: global()"))
        + calico("GlobalNetworkSet", "s", "{nets: ['2001:db8::/32']}", labels="{set: out}"),
        f"{OUT}\noutside -> db v6 tcp/80: ALLOWED\noutside -> db v4 tcp/80: DENIED"),
    "58-global-with-selector": (
        cnp("a", source("namespaceSelector: global(), selector: set == 'out'"))
        + calico("GlobalNetworkSet", "s", "{nets: [192.0.2.0/24]}", labels="{set: out}")
        + calico("NetworkSet", "s", "{nets: ['2001:db8::/32']}", "shop", "{set: out}"),
        f"{OUT}\noutside -> db v4 tcp/80: ALLOWED\noutside -> db v6 tcp/80: DENIED"),
    "58-network-set-of-the-namespace": (
        cnp("a", source("selector: set == 'out'"))
        + calico("GlobalNetworkSet", "s", "{nets: [192.0.2.0/24]}", labels="{set: out}")
        + calico("NetworkSet", "s", "{nets: ['2001:db8::/32']}", "shop", "{set: out}"),
        f"{OUT}\noutside -> db v6 tcp/80: ALLOWED\noutside -> db v4 tcp/80: DENIED"),
    "58-network-set-inherits-namespace-labels": (
        gnp("a", source("namespaceSelector: team == 'b'"))
        + calico("NetworkSet", "s", "{nets: ['2001:db8::/32']}", "blog"),
        "outside -> db v6 tcp/80: ALLOWED"),
    "58-network-set-that-no-selector-names": (
        gnp("a", source("notSelector: set == 'out'"))
        + calico("GlobalNetworkSet", "s", "{nets: [192.0.2.0/24]}", labels="{set: out}"),
        f"{IN}\noutside -> db v4 tcp/80: DENIED\noutside -> db v6 tcp/80: ALLOWED"),
    # service accounts and services
    "59-accounts-by-name": (cnp("a", source("serviceAccounts: {names: [frontend, other]}")),
                            f"{IN}\napi -> db v46 tcp/80: DENIED"),
    "59-accounts-by-label": (cnp("a", source("serviceAccounts: {selector: role == 'public'}")),
                             f"{IN}\napi -> db v46 tcp/80: DENIED"),
    "59-accounts-by-both": (
        cnp("a", source("serviceAccounts: {names: [default], selector: role == 'public'}")), OUT),
    "59-accounts-of-own-namespace": (
        cnp("a", source("serviceAccounts: {names: [default]}")),
        "api -> db v46 tcp/80: ALLOWED\nblog -> db v46 tcp/80: DENIED"),
    "59-accounts-empty": (cnp("a", source("serviceAccounts: {}")), IN),
    "59-accounts-all": (gnp("a", source("serviceAccounts: {selector: all()}")),
                        f"{IN}\noutside -> db v46 tcp/80: DENIED"),
    "59-policy-for-accounts": (
        calico("GlobalNetworkPolicy", "a", "{serviceAccountSelector: role == 'public'}"),
        "db -> web v46 tcp/80: DENIED\n" + IN),
    "59-policy-for-all-accounts": (
        calico("NetworkPolicy", "a", "{serviceAccountSelector: all()}", "shop"), OUT),
    "59-egress-to-service": (
        calico("NetworkPolicy", "a", "{selector: app == 'web', types: [Egress],"
               " egress: [{action: Allow, destination: {services: {name: shop-db}}}]}", "shop"),
        "web -> db v46 tcp/5432: ALLOWED\nweb -> shop-db v46 tcp/80: ALLOWED\n"
        "web -> db v46 tcp/80: DENIED\nweb -> api v46 tcp/5432: DENIED\n"
        "web -> db v46 udp/81: ALLOWED"),
    "59-ingress-from-service": (
        gnp("a", source("services: {name: pair, namespace: shop}")),
        f"{OUT}\napi -> db v46 tcp/80: ALLOWED"),
    "59-service-that-is-not-known": (
        gnp("a", source("services: {name: ghost, namespace: shop}")),
        "web -> db v46 tcp/80: UNDEFINED"),
    # beside NetworkPolicy
    "60-before-network-policy": (network_policy("k", "{podSelector: {}}")
                                 + cnp("c", OPEN, "999"), IN),
    "60-after-network-policy": (network_policy("k", "{podSelector: {}, ingress: [{}]}")
                                + cnp("c", SHUT, "1001"), IN),
    "60-deny-before": (network_policy("k", "{podSelector: {}, ingress: [{}]}")
                       + cnp("c", SHUT, "999"), OUT),
    "60-no-match-falls-through": (network_policy("k", "{podSelector: {}}")
                                  + cnp("c", OPEN, "1001"), IN),
    "61-global-policy-on-all": (gnp("a", SHUT, rest=", doNotTrack: false"), OUT),
    "61-untracked-is-not-for-pods": (
        gnp("a", SHUT, rest=", doNotTrack: true, applyOnForward: true"), IN),
    "61-pre-dnat-is-not-for-pods": (
        gnp("a", SHUT, rest=", preDNAT: true, applyOnForward: true"), IN),
    "61-on-forward-is": (gnp("a", SHUT, rest=", applyOnForward: true"), OUT),
    "61-namespaces-of-a-global-policy": (
        gnp("a", SHUT, rest=", namespaceSelector: team == 'b'"),
        f"{IN}\nweb -> blog v46 tcp/80: DENIED"),
    "61-all-namespaces-of-a-global-policy": (
        gnp("a", SHUT, rest=", namespaceSelector: all()"), OUT),
    "62-staged": (
        calico("StagedGlobalNetworkPolicy", "a", "{selector: all(), stagedAction: Set,"
               " types: [Ingress, Egress]}")
        + calico("StagedNetworkPolicy", "b", "{selector: all()}", "shop")
        + calico("StagedKubernetesNetworkPolicy", "c", "{podSelector: {}, stagedAction: Delete,"
                 " policyTypes: [Ingress]}", "shop"), IN),
    # defaults
    "types-ingress-by-default": (calico("NetworkPolicy", "a", "{selector: all()}", "shop"),
                                 "web -> blog v46 tcp/1: ALLOWED\nblog -> web v46 tcp/1: DENIED"),
    "types-egress-from-rules": (
        calico("NetworkPolicy", "a", "{egress: [{action: Deny}]}", "shop"),
        "web -> blog v46 tcp/1: DENIED\nblog -> web v46 tcp/1: ALLOWED"),
    "types-both-from-rules": (
        calico("NetworkPolicy", "a", "{egress: [{action: Deny}], ingress: [{action: Deny}]}",
               "shop"),
        "web -> blog v46 tcp/1: DENIED\nblog -> web v46 tcp/1: DENIED"),
    "types-leave-rules-out": (
        calico("NetworkPolicy", "a", "{types: [Ingress], egress: [{action: Deny}]}", "shop"),
        "web -> blog v46 tcp/1: ALLOWED"),
    "labels-of-calico": (gnp("a", source("selector: projectcalico.org/namespace == 'shop' &&"
                                         " projectcalico.org/orchestrator == 'k8s' &&"
                                         " pcns.team == 'a' && pcsa.role == 'public'")), IN),
    "http-is-not-looked-at": (
        gnp("a", "{action: Allow, protocol: TCP, http: {methods: [GET], paths: [{exact: /x},"
            " {prefix: /y}]}, metadata: {annotations: {a: b}}}"), IN),
    "hints-are-not-looked-at": (
        gnp("a", OPEN, rest=", performanceHints: [AssumeNeededOnEveryNode]"), IN),
    # profiles
    "profile-of-the-namespace": (
        calico("Profile", "kns.shop", "{ingress: [{action: Deny, source: {selector: app == 'api'}},"
               " {action: Allow}], egress: [{action: Allow}], labelsToApply: {a: b}}"),
        f"{IN}\napi -> db v46 tcp/80: DENIED\napi -> blog v46 tcp/80: ALLOWED"),
    "profile-without-rules-denies": (calico("Profile", "kns.shop", "{}"), OUT),
    "profile-pass-denies": (
        calico("Profile", "kns.shop", "{ingress: [{action: Pass}], egress: [{action: Allow}]}"),
        OUT),
    "profile-of-the-account-comes-after": (
        calico("Profile", "kns.shop", "{egress: [{action: Allow}]}")
        + calico("Profile", "ksa.shop.default", "{ingress: [{action: Allow}]}"),
        f"{IN}\ndb -> web v46 tcp/1: DENIED"),
    "profile-of-the-account-alone-is-never-reached": (
        calico("Profile", "ksa.shop.default", "{ingress: [{action: Deny}]}"), IN),
    "profile-comes-after-policy": (calico("Profile", "kns.shop", "{}")
                                   + calico("GlobalNetworkPolicy", "a", "{selector: all(), ingress:"
                                            " [{action: Allow}], egress: [{action: Allow}]}"), IN),
}  # fmt: skip


@pytest.mark.parametrize(("text", "asked"), CASES.values(), ids=CASES)
def test_calico(text: str, asked: str) -> None:
    check(text, asked)


TIES = {
    "global-against-namespaced": (gnp("m", SHUT) + cnp("a", OPEN), "ALLOWED", "DENIED"),
    "kubernetes-against-calico": (
        network_policy("a", "{podSelector: {}, ingress: [{}]}") + cnp("b", SHUT, "1000"),
        "ALLOWED", "DENIED"),
    "names-with-their-tier": (gnp("default.b", SHUT) + gnp("a", OPEN), "ALLOWED", "ALLOWED"),
    "same-name": (cnp("a", OPEN) + gnp("a", SHUT), "DENIED", "DENIED"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "by_name", "by_key"), TIES.values(), ids=TIES)
def test_case_51_ties_across_kinds_depend_on_calicos_version(
    text: str, by_name: str, by_key: str
) -> None:
    check(text, f"web -> db v46 tcp/80: {by_name}", CALICO)
    check(text, f"web -> db v46 tcp/80: {by_key}", CALICO_3_31)


def test_case_51_in_a_namespace_that_sorts_before_default_keys_do_too() -> None:
    one = ClusterSnapshot.of(endpoints=[pod("one", "alpha", 9, "worker")])
    text = gnp("a", SHUT) + cnp("b", OPEN, namespace="alpha")
    check(text, "web -> one v46 tcp/80: DENIED", CALICO, one)
    check(text, "web -> one v46 tcp/80: ALLOWED", CALICO_3_31, one)


def test_a_profile_that_denies_leaves_a_pod_that_reaches_itself_open() -> None:
    text = calico("Profile", "kns.shop", "{egress: [{action: Allow}]}")
    check(text, "db -> shop-db v46 tcp/80: UNDEFINED\ndb -> db v46 tcp/80: ALLOWED")


def test_a_pod_without_service_account_has_no_label_of_one() -> None:
    bare = pod("nobody", "shop", 9, "worker", account="")
    snapshot = ClusterSnapshot.of({"shop": {}}, endpoints=[bare])
    text = gnp("a", source("serviceAccounts: {selector: all()}, selector: has(projectcalico.org/"
                           "serviceaccount)"))  # fmt: skip
    check(text, "nobody -> db v46 tcp/80: DENIED\nweb -> db v46 tcp/80: ALLOWED", snapshot=snapshot)


def test_case_63_a_deny_action_of_reject_looks_rejected() -> None:
    text = gnp("a", SHUT)
    dropped = judge(text, "web -> db v6 tcp/80: DENIED")
    assert dropped.deny_outcomes == dropped.expectation().outcomes == {Outcome.DROPPED}
    rejected = judge(text, "web -> db v6 tcp/80: DENIED", CALICO.rejecting())
    either = {Outcome.DROPPED, Outcome.REJECTED}
    assert rejected.deny_outcomes == rejected.expectation().outcomes == either


def test_guide_n3_ula_and_dns_allowed_global_addresses_denied_but_for_a_label() -> None:
    text = calico(
        "GlobalNetworkPolicy",
        "lan-only",
        '{order: 10, selector: "!has(internet)", types: [Egress], egress: ['
        "{action: Allow, protocol: UDP, destination: {ports: [53]}},"
        " {action: Allow, destination: {nets: ['fc00::/7']}},"
        " {action: Deny, destination: {nets: ['2000::/3']}}]}",
    )
    online = pod("online", "shop", 9, "worker", internet="yes")
    snapshot = ClusterSnapshot.of({"shop": {}}, endpoints=[online])
    check(
        text,
        "web -> db v6 tcp/80: ALLOWED\nweb -> outside v6 tcp/80: DENIED\n"
        "web -> outside v6 udp/53: ALLOWED\nonline -> outside v46 tcp/80: ALLOWED\n"
        "web -> db v4 tcp/80: DENIED",
        snapshot=snapshot,
    )


REFUSED = {
    "tier-missing": (gnp("a", OPEN, tier="ghost"), "spec.tier", "not among the manifests"),
    "tier-order": (tier("default", "5"), "spec.order", "must be 1000000"),
    "tier-default": (tier("t", "5", "Allow"), "spec.defaultAction", "not one of Deny, Pass"),
    "tier-nan": (tier("t", ".nan"), "spec.order", "finite"),
    "tier-huge": (tier("t", "1" + "0" * 400), "spec.order", "finite"),
    "tier-text": (tier("t", "'5'"), "spec.order", "must be a number"),
    "tier-bool": (tier("t", "true"), "spec.order", "must be a number"),
    "action-missing": (gnp("a", "{}"), "spec.ingress[0].action", "is required"),
    "action": (gnp("a", "{action: Drop}"), "spec.ingress[0].action", "not one of Allow, Deny"),
    "action-case": (gnp("a", "{action: allow}"), "spec.ingress[0].action", "not one of"),
    "types-twice": (calico("GlobalNetworkPolicy", "a", "{types: [Ingress, Ingress]}"),
                    "spec.types", "twice"),
    "unknown-rule-field": (gnp("a", "{action: Allow, protocl: TCP}"),
                           "spec.ingress[0].protocl", "did you mean protocol"),
    "unknown-in-namespaced": (
        calico("NetworkPolicy", "a", "{doNotTrack: true}", "shop"), "spec.doNotTrack", "unknown"),
    "host-bits": (gnp("a", source("nets: ['2001:db8::1/32']")),
                  "spec.ingress[0].source.nets[0]", "write 2001:db8::/32"),
    "not-a-net": (gnp("a", source("notNets: [everything]")),
                  "spec.ingress[0].source.notNets[0]", "is not an IP address"),
    "selector": (gnp("a", source("selector: app = 'x'")),
                 "spec.ingress[0].source.selector", "an operator after app at character 4"),
    "policy-selector": (calico("NetworkPolicy", "a", "{selector: app}", "shop"),
                        "spec.selector", "expected an operator"),
    "global-in-selector": (gnp("a", source("selector: global()")),
                           "spec.ingress[0].source.selector", "global() must be alone"),
    "global-with-more": (gnp("a", source("namespaceSelector: global() || has(a)")),
                         "spec.ingress[0].source.namespaceSelector", "global() must be alone"),
    "protocol": (gnp("a", "{action: Allow, protocol: tcp}"),
                 "spec.ingress[0].protocol", "not one of TCP"),
    "protocol-zero": (gnp("a", "{action: Allow, protocol: 0}"),
                      "spec.ingress[0].protocol", "between 1 and 255"),
    "protocol-bool": (gnp("a", "{action: Allow, protocol: true}"),
                      "spec.ingress[0].protocol", "must be an integer"),
    "ip-version": (gnp("a", "{action: Allow, ipVersion: 5}"),
                   "spec.ingress[0].ipVersion", "5 is not 4 or 6"),
    "icmp-version": (gnp("a", "{action: Allow, ipVersion: 4, protocol: ICMPv6}"),
                     "spec.ingress[0].ipVersion", "ICMPv6 needs ipVersion 6"),
    "not-icmp-version": (gnp("a", "{action: Allow, ipVersion: 6, notProtocol: ICMP}"),
                         "spec.ingress[0].ipVersion", "ICMP needs ipVersion 4"),
    "icmp-protocol": (gnp("a", "{action: Allow, protocol: TCP, icmp: {type: 8}}"),
                      "spec.ingress[0].icmp", "needs protocol ICMP"),
    "icmp-code-alone": (gnp("a", "{action: Allow, protocol: ICMP, icmp: {code: 0}}"),
                        "spec.ingress[0].icmp.code", "needs a type"),
    "icmp-type": (gnp("a", "{action: Allow, protocol: ICMP, icmp: {type: 255}}"),
                  "spec.ingress[0].icmp.type", "between 0 and 254"),
    "ports-without-protocol": (gnp("a", "{action: Allow, destination: {ports: [80]}}"),
                               "spec.ingress[0].destination.ports", "needs protocol TCP"),
    "ports-with-icmp": (gnp("a", "{action: Allow, protocol: ICMP, destination: {notPorts: [80]}}"),
                        "spec.ingress[0].destination.notPorts", "needs protocol TCP"),
    "port-range": (gnp("a", "{action: Allow, protocol: TCP, destination: {ports: ['90:80']}}"),
                   "spec.ingress[0].destination.ports[0]", "80 is not between 90"),
    "port-zero": (gnp("a", "{action: Allow, protocol: TCP, destination: {ports: [0]}}"),
                  "spec.ingress[0].destination.ports[0]", "between 1 and 65535"),
    "port-text": (gnp("a", "{action: Allow, protocol: TCP, destination: {ports: ['80:']}}"),
                  "spec.ingress[0].destination.ports[0]", "neither a port number"),
    "port-large": (gnp("a", "{action: Allow, protocol: TCP, destination: {ports: ['9999999']}}"),
                   "spec.ingress[0].destination.ports[0]", "between 1 and 65535"),
    "services-here": (gnp("a", "{action: Allow, destination: {services: {name: x}}}"),
                      "spec.ingress[0].destination.services", "other end"),
    "services-name": (
        cnp("a", source("services: {name: ''}")), "spec.ingress[0].source.services.name", "empty"),
    "annotations": (
        gnp("a", "{action: Allow, metadata: {annotations: {a: 1}}}"),
        "spec.ingress[0].metadata.annotations.a", "must be text"),
    "services-namespace": (gnp("a", source("services: {name: x}")),
                           "spec.ingress[0].source.services.namespace", "is required"),
    "services-with-selector": (
        cnp("a", source("services: {name: x}, selector: all()")),
        "spec.ingress[0].source.selector", "not allowed beside services"),
    "services-with-ports": (
        calico("NetworkPolicy", "a", "{egress: [{action: Allow, protocol: TCP,"
               " destination: {services: {name: x}, ports: [80]}}]}", "shop"),
        "spec.egress[0].destination.ports", "not allowed beside services"),
    "pre-dnat-untracked": (gnp("a", OPEN, rest=", preDNAT: true, doNotTrack: true"),
                           "spec.preDNAT", "excludes doNotTrack"),
    "pre-dnat-forward": (gnp("a", OPEN, rest=", preDNAT: true"),
                         "spec.applyOnForward", "must be true"),
    "pre-dnat-egress": (gnp("a", OPEN, rest=", preDNAT: true, applyOnForward: true,"
                            " egress: [{action: Deny}]"), "spec.preDNAT", "ingress only"),
    "flag": (gnp("a", OPEN, rest=", applyOnForward: yes please"),
             "spec.applyOnForward", "must be true or false"),
    "http-deny": (gnp("a", "{action: Deny, http: {}}"), "spec.ingress[0].http", "Allow rules"),
    "http-udp": (gnp("a", "{action: Allow, protocol: UDP, http: {}}"),
                 "spec.ingress[0].http", "needs protocol TCP"),
    "http-path": (gnp("a", "{action: Allow, http: {paths: [{exact: /a, prefix: /b}]}}"),
                  "spec.ingress[0].http.paths[0]", "exactly one of exact, prefix"),
    "staged-action": (calico("StagedNetworkPolicy", "a", "{stagedAction: Go}", "shop"),
                      "spec.stagedAction", "not one of"),
    "staged-kubernetes": (calico("StagedKubernetesNetworkPolicy", "a", "{podSelektor: {}}", "shop"),
                          "spec.podSelektor", "did you mean podSelector"),
    "hint": (gnp("a", OPEN, rest=", performanceHints: [Fast]"),
             "spec.performanceHints[0]", "not one of"),
    "network-set": (calico("GlobalNetworkSet", "a", "{nets: ['10.0.0.1/8']}"),
                    "spec.nets[0]", "write 10.0.0.0/8"),
    "profile-labels": (calico("Profile", "kns.shop", "{labelsToApply: [a]}"),
                       "spec.labelsToApply", "must be an object"),
    "host-endpoint": (calico("HostEndpoint", "a", "{}"), "spec.node", "is required"),
    "namespaced-without-namespace": (calico("NetworkPolicy", "a", "{}"),
                                     "metadata.namespace", "is required"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "path", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_calico_refuses_is_refused_with_path_and_reason(
    text: str, path: str, reason: str
) -> None:
    with pytest.raises(ManifestError) as caught:
        check(text, IN)
    assert caught.value.path == path
    assert reason in caught.value.reason


def test_a_provider_without_calicos_api_refuses_its_policies() -> None:
    with pytest.raises(ManifestError, match="provider kubernetes does not enforce"):
        check(gnp("a", OPEN), IN, KUBERNETES)
