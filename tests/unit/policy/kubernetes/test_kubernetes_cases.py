"""NetworkPolicy v1: cases 1 to 35 of the catalogue, numbered in the test ids."""

from __future__ import annotations

import dataclasses

import pytest

from sixproof.errors import ManifestError
from sixproof.policy import CALICO, KUBERNETES, ClusterSnapshot, ProviderAnswer, ProviderProfile
from tests.unit.policy.cluster import calico, check, judgements, network_policy, pod

ALL_OPEN = "web -> db v46 tcp/80: ALLOWED\nweb -> db v46 udp/80: ALLOWED"
ALL_SHUT = "web -> db v46 tcp/80: DENIED\nweb -> db v46 sctp/80: DENIED"


def policy(spec: str, namespace: str = "shop") -> str:
    """One NetworkPolicy."""
    return network_policy("p", spec, namespace)


CASES = {
    # selection
    "01-ingress-empty-list": (policy("{podSelector: {}, ingress: []}"), ALL_SHUT),
    "01-ingress-absent": (policy("{podSelector: {}}"), ALL_SHUT),
    "01-no-spec": ("{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, "
                   "metadata: {name: p, namespace: shop}}", ALL_SHUT),
    "02-allow-all": (policy("{podSelector: {}, ingress: [{}]}"),
                     f"{ALL_OPEN}\noutside -> db v46 tcp/80: ALLOWED"),
    "03-deny-egress": (policy("{podSelector: {}, policyTypes: [Egress]}"),
                       f"{ALL_SHUT}\nblog -> db v46 tcp/80: ALLOWED\n"
                       "web -> outside v46 tcp/443: DENIED"),
    "04-deny-both": (policy("{podSelector: {}, policyTypes: [Ingress, Egress]}"),
                     "web -> blog v46 tcp/80: DENIED\nblog -> web v46 tcp/80: DENIED"),
    "05-egress-section-isolates-both": (
        policy("{podSelector: {}, egress: [{}]}"),
        "web -> blog v46 tcp/80: ALLOWED\nblog -> web v46 tcp/80: DENIED"),
    "06-empty-egress-isolates-ingress-only": (
        policy("{podSelector: {}, egress: []}"),
        "web -> blog v46 tcp/80: ALLOWED\nblog -> web v46 tcp/80: DENIED"),
    "06-empty-types-are-no-types": (
        policy("{podSelector: {}, policyTypes: []}"),
        "web -> blog v46 tcp/80: ALLOWED\nblog -> web v46 tcp/80: DENIED"),
    "07-selector-empty": (policy("{podSelector: {}}"), "blog -> api v46 tcp/1: DENIED"),
    "07-match-labels": (policy("{podSelector: {matchLabels: {app: db}}}"),
                        "web -> db v46 tcp/1: DENIED\nweb -> api v46 tcp/1: ALLOWED"),
    "07-in": (policy("{podSelector: {matchExpressions: "
                     "[{key: app, operator: In, values: [db, web]}]}}"),
              "api -> db v46 tcp/1: DENIED\nweb -> api v46 tcp/1: ALLOWED"),
    "07-not-in-matches-absent": (
        policy("{podSelector: {matchExpressions: [{key: app, operator: NotIn, values: [web]}]}}",
               "blog"),
        "web -> bare v46 tcp/1: DENIED\nweb -> blog v46 tcp/1: ALLOWED"),
    "07-exists": (policy("{podSelector: {matchExpressions: [{key: app, operator: Exists}]}}",
                         "blog"),
                  "web -> blog v46 tcp/1: DENIED\nweb -> bare v46 tcp/1: ALLOWED"),
    "07-does-not-exist": (
        policy("{podSelector: {matchExpressions: [{key: app, operator: DoesNotExist}]}}", "blog"),
        "web -> blog v46 tcp/1: ALLOWED\nweb -> bare v46 tcp/1: DENIED"),
    "08-selects-no-pod": (policy("{podSelector: {matchLabels: {app: ghost}}}"), ALL_OPEN),
    "09-union": (
        network_policy("a", "{podSelector: {}, ingress: [{from: [{podSelector: "
                       "{matchLabels: {app: web}}}]}]}")
        + network_policy("b", "{podSelector: {}, ingress: [{from: [{podSelector: "
                         "{matchLabels: {app: api}}}]}]}"),
        "web -> db v46 tcp/1: ALLOWED\napi -> db v46 tcp/1: ALLOWED\nblog -> db v46 tcp/1: DENIED"),
    "10-allowed-out-denied-in": (
        network_policy("out", "{podSelector: {}, egress: [{}], policyTypes: [Egress]}")
        + network_policy("in", "{podSelector: {}}", "blog"),
        "web -> blog v46 tcp/1: DENIED\nweb -> db v46 tcp/1: ALLOWED"),
    "10-denied-out-allowed-in": (
        network_policy("out", "{podSelector: {}, policyTypes: [Egress]}")
        + network_policy("in", "{podSelector: {}, ingress: [{}]}", "blog"),
        "web -> blog v46 tcp/1: DENIED\nbare -> blog v46 tcp/1: ALLOWED"),
    # peers
    "11-from-absent": (policy("{podSelector: {}, ingress: [{ports: [{port: 80}]}]}"),
                       "outside -> db v46 tcp/80: ALLOWED\nworker2 -> db v46 tcp/80: ALLOWED"),
    "11-from-empty": (policy("{podSelector: {}, ingress: [{from: [], ports: [{port: 80}]}]}"),
                      "outside -> db v46 tcp/80: ALLOWED\nworker2 -> db v46 tcp/80: ALLOWED"),
    "12-pod-selector-is-own-namespace": (
        policy("{podSelector: {}, ingress: [{from: [{podSelector: {}}]}]}"),
        "web -> db v46 tcp/1: ALLOWED\nblog -> db v46 tcp/1: DENIED\n"
        "outside -> db v46 tcp/1: DENIED"),
    "13-all-namespaces-no-outsider": (
        policy("{podSelector: {}, ingress: [{from: [{namespaceSelector: {}}]}]}"),
        "blog -> db v46 tcp/1: ALLOWED\nbare -> db v46 tcp/1: ALLOWED\n"
        "outside -> db v46 tcp/1: DENIED\nworker2 -> db v46 tcp/1: DENIED"),
    "14-one-item-is-and": (
        policy("{podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: b}},"
               " podSelector: {matchLabels: {app: web}}}]}]}"),
        "blog -> db v46 tcp/1: ALLOWED\nbare -> db v46 tcp/1: DENIED\nweb -> db v46 tcp/1: DENIED"),
    "14-two-items-are-or": (
        policy("{podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: b}}},"
               " {podSelector: {matchLabels: {app: web}}}]}]}"),
        "blog -> db v46 tcp/1: ALLOWED\nbare -> db v46 tcp/1: ALLOWED\n"
        "web -> db v46 tcp/1: ALLOWED\napi -> db v46 tcp/1: DENIED"),
    "15-namespace-by-name": (
        policy("{podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: "
               "{kubernetes.io/metadata.name: blog}}}]}]}"),
        "blog -> db v46 tcp/1: ALLOWED\nweb -> db v46 tcp/1: DENIED"),
    # ports
    "18-ports-absent": (policy("{podSelector: {}, ingress: [{from: [{podSelector: {}}]}]}"),
                        "web -> db v46 tcp/1: ALLOWED\nweb -> db v46 sctp/65535: ALLOWED"),
    "18-ports-empty": (
        policy("{podSelector: {}, ingress: [{from: [{podSelector: {}}], ports: []}]}"),
        "web -> db v46 tcp/1: ALLOWED\nweb -> db v46 sctp/65535: ALLOWED"),
    "19-protocol-only": (policy("{podSelector: {}, ingress: [{ports: [{protocol: UDP}]}]}"),
                         "web -> db v46 udp/1: ALLOWED\nweb -> db v46 udp/65535: ALLOWED\n"
                         "web -> db v46 tcp/1: DENIED"),
    "20-protocol-default": (policy("{podSelector: {}, ingress: [{ports: [{port: 53}]}]}"),
                            "web -> db v46 tcp/53: ALLOWED\nweb -> db v46 udp/53: DENIED"),
    "21-end-port": (
        policy("{podSelector: {}, ingress: [{ports: [{port: 8000, endPort: 8010}]}]}"),
        "web -> db v46 tcp/7999: DENIED\nweb -> db v46 tcp/8000: ALLOWED\n"
        "web -> db v46 tcp/8010: ALLOWED\nweb -> db v46 tcp/8011: DENIED"),
    "21-end-port-equal": (
        policy("{podSelector: {}, ingress: [{ports: [{port: 8000, endPort: 8000}]}]}"),
        "web -> db v46 tcp/7999: DENIED\nweb -> db v46 tcp/8000: ALLOWED\n"
        "web -> db v46 tcp/8001: DENIED"),
    "22-named-port-per-pod": (policy("{podSelector: {}, ingress: [{ports: [{port: sql}]}]}"),
                              "web -> db v46 tcp/5432: ALLOWED\nweb -> api v46 tcp/5432: DENIED\n"
                              "web -> api v46 tcp/15432: ALLOWED\nweb -> db v46 udp/5432: DENIED"),
    "22-named-port-protocol": (
        policy("{podSelector: {}, ingress: [{ports: [{port: dns, protocol: UDP}]}]}"),
        "web -> db v46 udp/53: ALLOWED\nweb -> db v46 tcp/5353: DENIED\n"
        "web -> db v46 udp/5353: DENIED"),
    "22-named-port-absent": (policy("{podSelector: {}, ingress: [{ports: [{port: ghost}]}]}"),
                             "web -> db v46 tcp/5432: DENIED"),
    "23-sctp-only": (policy("{podSelector: {}, ingress: [{ports: [{protocol: SCTP, port: 80}]}]}"),
                     "web -> db v46 sctp/80: ALLOWED\nweb -> db v46 tcp/80: DENIED\n"
                     "web -> db v46 udp/80: DENIED"),
    "24-udp-only": (policy("{podSelector: {}, ingress: [{ports: [{protocol: UDP, port: 80}]}]}"),
                    "web -> db v46 udp/80: ALLOWED\nweb -> db v46 tcp/80: DENIED\n"
                    "web -> db v46 sctp/80: DENIED"),
    "25-egress-named-port": (
        policy("{podSelector: {matchLabels: {app: web}}, policyTypes: [Egress],"
               " egress: [{ports: [{port: sql}]}]}"),
        "web -> db v46 tcp/5432: ALLOWED\nweb -> api v46 tcp/15432: ALLOWED\n"
        "web -> api v46 tcp/5432: DENIED\nweb -> outside v46 tcp/5432: DENIED"),
}  # fmt: skip


def block(cidr: str, *excepted: str) -> str:
    """A policy that lets in one block."""
    return policy(
        f"{{podSelector: {{}}, ingress: [{{from: [{{ipBlock: {{cidr: '{cidr}', "
        f"except: {list(excepted)}}}}}]}}]}}"
    )


def blocks(*rules: str) -> str:
    """A policy with a rule for each block."""
    listed = ", ".join(f"{{from: [{{ipBlock: {{cidr: '{cidr}'}}}}]}}" for cidr in rules)
    return policy(f"{{podSelector: {{}}, ingress: [{listed}]}}")


BLOCK_CASES = {
    "26-v4-only-denies-v6": (block("0.0.0.0/0"),
                             "outside -> db v4 tcp/1: ALLOWED\noutside -> db v6 tcp/1: DENIED\n"
                             "web -> db v6 tcp/1: DENIED"),
    "27-v6-only-denies-v4": (block("::/0"),
                             "outside -> db v6 tcp/1: ALLOWED\noutside -> db v4 tcp/1: DENIED"),
    "28-both-in-one-rule": (
        policy("{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 192.0.2.0/24}},"
               " {ipBlock: {cidr: '2001:db8::/32'}}]}]}"),
        "outside -> db v46 tcp/1: ALLOWED\nweb -> db v46 tcp/1: DENIED"),
    "28-both-in-two-rules": (blocks("192.0.2.0/24", "2001:db8::/32"),
                             "outside -> db v46 tcp/1: ALLOWED\nweb -> db v46 tcp/1: DENIED"),
    "28-both-in-two-policies": (
        network_policy("a", "{podSelector: {}, ingress: [{from: [{ipBlock: "
                       "{cidr: 192.0.2.0/24}}]}]}")
        + network_policy("b", "{podSelector: {}, ingress: [{from: [{ipBlock: "
                         "{cidr: '2001:db8::/32'}}]}]}"),
        "outside -> db v46 tcp/1: ALLOWED\nweb -> db v46 tcp/1: DENIED"),
    "29-everything-of-both": (blocks("0.0.0.0/0", "::/0"), "outside -> db v46 tcp/1: ALLOWED\n"
                              "web -> db v46 tcp/1: ALLOWED\nworker2 -> db v46 tcp/1: ALLOWED"),
    "30-one-host": (blocks("192.0.2.1/32", "2001:db8::1/128"), "outside -> db v46 tcp/1: ALLOWED"),
    "30-next-host": (blocks("192.0.2.2/32", "2001:db8::2/128"), "outside -> db v46 tcp/1: DENIED"),
    "31-except-inside": (block("2001:db8::/32", "2001:db8::/64"),
                         "outside -> db v6 tcp/1: DENIED"),
    "31-except-beside": (block("2001:db8::/32", "2001:db8:1::/48"),
                         "outside -> db v6 tcp/1: ALLOWED"),
    "31-overlapping-excepts": (block("192.0.0.0/16", "192.0.2.0/24", "192.0.2.0/30"),
                               "outside -> db v4 tcp/1: DENIED"),
    "31-allowed-again-by-a-rule": (
        policy("{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: '2001:db8::/32',"
               " except: ['2001:db8::/64']}}]}, {from: [{ipBlock: {cidr: '2001:db8::1/128'}}]}]}"),
        "outside -> db v6 tcp/1: ALLOWED"),
    "32-ula": (block("fc00::/7"), "web -> db v6 tcp/1: ALLOWED\noutside -> db v6 tcp/1: DENIED"),
    "32-gua": (block("2000::/3"), "web -> db v6 tcp/1: DENIED\noutside -> db v6 tcp/1: ALLOWED"),
    "32-link-local": (block("fe80::/10"), "web -> db v6 tcp/1: DENIED"),
    "33-not-canonical-text": (block("2001:DB8:0:0::/32"), "outside -> db v6 tcp/1: ALLOWED"),
    "34-pod-cidr": (blocks("10.244.0.0/16", "fd00:10:244::/48"),
                    "web -> db v46 tcp/1: ALLOWED\noutside -> db v46 tcp/1: DENIED"),
    "34-node-cidr": (blocks("172.18.0.0/16", "fd00:18::/64"),
                     "host -> db v6 tcp/1: ALLOWED\nweb -> db v46 tcp/1: DENIED"),
    "34-service-cidr": (
        policy("{podSelector: {matchLabels: {app: web}}, policyTypes: [Egress], egress: [{to:"
               " [{ipBlock: {cidr: 10.96.0.0/16}}, {ipBlock: {cidr: 'fd00:10:96::/112'}}]}]}"),
        "web -> shop-db v46 tcp/80: DENIED\nweb -> db v46 tcp/5432: DENIED"),
    "35-block-and-selector-items": (
        policy("{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: '2001:db8::/32'}},"
               " {podSelector: {matchLabels: {app: web}}}]}]}"),
        "outside -> db v6 tcp/1: ALLOWED\noutside -> db v4 tcp/1: DENIED\n"
        "web -> db v46 tcp/1: ALLOWED\napi -> db v46 tcp/1: DENIED"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "asked"), CASES.values(), ids=CASES)
@pytest.mark.parametrize("profile", [CALICO, KUBERNETES], ids=lambda p: p.name)
def test_network_policy(profile: ProviderProfile, text: str, asked: str) -> None:
    check(text, asked, profile)


@pytest.mark.parametrize(("text", "asked"), BLOCK_CASES.values(), ids=BLOCK_CASES)
def test_ip_block(text: str, asked: str) -> None:
    check(text, asked)


def test_case_16_relabelled_pods_and_namespaces_are_judged_by_their_new_labels() -> None:
    text = policy(
        "{podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: b}},"
        " podSelector: {matchLabels: {app: web}}}]}]}"
    )
    check(text, "blog -> db v46 tcp/1: ALLOWED\nbare -> db v46 tcp/1: DENIED")
    bare = pod("bare", "blog", 6, "worker", app="web")
    relabelled = ClusterSnapshot.of({"shop": {"team": "b"}, "blog": {}}, endpoints=[bare])
    check(text, "blog -> db v46 tcp/1: DENIED\nbare -> db v46 tcp/1: DENIED", snapshot=relabelled)
    check(text, "web -> db v46 tcp/1: ALLOWED", snapshot=relabelled)
    new = ClusterSnapshot.of(
        {"shop": {}, "new": {"team": "b"}}, endpoints=[pod("n", "new", 9, "", app="web")]
    )
    check(text, "n -> db v46 tcp/1: ALLOWED", snapshot=new)


def test_case_17_a_namespace_that_is_gone_has_no_label_but_its_name() -> None:
    team = policy("{podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: "
                  "{team: b}}}]}]}")  # fmt: skip
    name = policy("{podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: "
                  "{kubernetes.io/metadata.name: blog}}}]}]}")  # fmt: skip
    gone = ClusterSnapshot.of({"shop": {}})
    check(team, "blog -> db v46 tcp/1: DENIED", snapshot=gone)
    check(name, "blog -> db v46 tcp/1: ALLOWED", snapshot=gone)


@pytest.mark.parametrize(
    ("cidr", "reason"),
    [
        pytest.param("2001:db8:external::/48", "'external' is not hex", id="case-33-no-hex"),
        pytest.param("fd00:prod::/48", "'prod' is not hex", id="case-33-no-hex-either"),
        pytest.param("10.0.0.0", "prefix length is missing", id="no-length"),
        pytest.param("10.0.0.0/33", "from 0 to 32", id="too-long"),
        pytest.param("10.0.0.0/0008x", "from 0 to 32", id="length-no-number"),
        pytest.param("10.0.0.0/" + "9" * 5000, "from 0 to 32", id="length-of-5000-digits"),
        pytest.param("10.0.0.0/255.0.0.0", "from 0 to 32", id="netmask"),
        pytest.param("::/", "prefix length is missing", id="nothing-after-slash"),
        pytest.param("::/+1", "from 0 to 128", id="sign"),
        pytest.param("0256.0.0.0/8", "is not an IP address", id="octet-too-large"),
        pytest.param("1" * 5000 + ".0.0.0/8", "is not an IP address", id="octet-of-5000-digits"),
        pytest.param("10.1.0/16", "is not an IP address", id="three-octets"),
        pytest.param("fe80::%eth0/64", "zone", id="zone"),
        pytest.param("::1.2.3/8", "is not an IP address", id="bad-dotted-tail"),
        pytest.param("", "is not an IP address", id="empty"),
    ],
)
def test_bad_cidrs_name_their_path_and_the_reason(cidr: str, reason: str) -> None:
    with pytest.raises(ManifestError, match=reason) as caught:
        check(block(cidr), "web -> db v4 tcp/1: ALLOWED")
    assert caught.value.path == "spec.ingress[0].from[0].ipBlock.cidr"
    assert "NetworkPolicy shop/p" in caught.value.reason


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        pytest.param(("10.244.1.2/16",), ("10.244.0.0/16",), id="case-33-host-bits-v4"),
        pytest.param(("fd00:10:244:1::3/48",), ("fd00:10:244::/48",), id="case-33-host-bits-v6"),
        pytest.param(("fd00:0010:00244::/048",), ("fd00:10:244::/48",), id="leading-zeros-v6"),
        pytest.param(("10.0244.000.0/016",), ("10.244.0.0/16",), id="leading-zeros"),
        pytest.param(("::ffff:10.244.0.0/112",), ("10.244.0.0/16",), id="case-33-mapped"),
        pytest.param(("::ffff:af4:0/112",), ("10.244.0.0/16",), id="mapped-in-hexadecimal"),
        pytest.param(("10.244.9.9/8", "10.244.1.7/24"), ("10.0.0.0/8", "10.244.1.0/24"),
                     id="case-33-host-bits-of-except"),
    ],
)  # fmt: skip
def test_a_network_is_read_as_legacy_validation_does(
    written: tuple[str, ...], meant: tuple[str, ...]
) -> None:
    asked = "web -> db v46 tcp/1: ALLOWED\noutside -> db v46 tcp/1: ALLOWED"
    verdicts = [j.verdict for _, j in judgements(block(*written), asked)]
    assert verdicts == [j.verdict for _, j in judgements(block(*meant), asked)]
    assert len(set(verdicts)) == (2 if len(written) == 1 else 1)


def test_a_mapped_network_that_is_wider_than_ipv4_holds_no_ipv4_address() -> None:
    asked = "web -> db v4 tcp/1: DENIED\nweb -> db v6 tcp/1: DENIED"
    check(block("::ffff:10.244.0.0/64"), asked)


def test_bits_beyond_the_prefix_are_refused_where_calico_reads_itself() -> None:
    for rule in ("source: {nets: [10.0.0.1/8]}", "source: {notNets: ['fd00::1/8']}"):
        text = calico("GlobalNetworkPolicy", "g", f"{{ingress: [{{action: Allow, {rule}}}]}}")
        with pytest.raises(ManifestError, match=r"has bits set beyond its prefix, write"):
            check(text, "web -> db v4 tcp/1: ALLOWED")


@pytest.mark.parametrize("excepted", ["2001:db8::/32", "2001:db9::/48", "192.0.2.0/24"])
def test_case_31_except_must_lie_strictly_inside(excepted: str) -> None:
    with pytest.raises(ManifestError, match="must lie inside 2001:db8::/32") as caught:
        check(block("2001:db8::/32", excepted), "web -> db v4 tcp/1: ALLOWED")
    assert caught.value.path == "spec.ingress[0].from[0].ipBlock.except[0]"


def test_case_34_other_providers_answer_blocks_over_pods_as_they_like() -> None:
    text = blocks("10.244.0.0/16", "fd00:10:244::/48")
    check(text, "web -> db v46 tcp/1: UNDEFINED\noutside -> db v46 tcp/1: DENIED", KUBERNETES)
    identity = dataclasses.replace(KUBERNETES, ip_block_matches_pods=ProviderAnswer.NO)
    check(text, "web -> db v46 tcp/1: DENIED", identity)


@pytest.mark.parametrize(("text", "asked"), CASES.values(), ids=CASES)
def test_case_45_without_blocks_both_families_fare_alike(text: str, asked: str) -> None:
    verdicts = [answer.verdict for _, answer in judgements(text, asked)]
    assert verdicts[::2] == verdicts[1::2]
