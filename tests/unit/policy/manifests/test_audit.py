"""Findings about manifests: what the guide's readers copy, and what will surprise."""

from __future__ import annotations

from typing import Any

import pytest

from sixproof.model import Family, Severity
from sixproof.policy import CALICO, KUBERNETES
from sixproof.policy.manifests.audit import audit
from tests.unit.policy.cluster import calico, cluster_wide, manifests, network_policy


def codes(text: str) -> list[str]:
    """The codes of all findings."""
    return [finding.code for finding in audit(manifests(text))]


def pool(cidr: str, more: str = "", kind: str = "projectcalico.org/v3") -> str:
    """An IPPool."""
    return f"""---
apiVersion: {kind}
kind: IPPool
metadata: {{name: pool}}
spec: {{cidr: '{cidr}'{more}}}
"""


def felix(spec: str) -> str:
    """A FelixConfiguration."""
    return calico("FelixConfiguration", "default", spec)


def block(*cidrs: str) -> str:
    """A NetworkPolicy with these blocks."""
    peers = ", ".join(f"{{ipBlock: {{cidr: '{cidr}'}}}}" for cidr in cidrs)
    return network_policy("p", f"{{podSelector: {{}}, ingress: [{{from: [{peers}]}}]}}")


def gnp(rules: str, name: str = "g", more: str = "") -> str:
    """A GlobalNetworkPolicy with ingress rules."""
    return calico("GlobalNetworkPolicy", name, f"{{ingress: [{rules}]{more}}}")


def installation(pools: str, mtu: str = "") -> str:
    """An operator's Installation."""
    return f"""---
apiVersion: operator.tigera.io/v1
kind: Installation
metadata: {{name: default}}
spec: {{calicoNetwork: {{{mtu}ipPools: [{pools}]}}}}
"""


def admin(name: str, priority: int, more: str = "") -> str:
    """An AdminNetworkPolicy."""
    return cluster_wide(
        "AdminNetworkPolicy", name, f"{{priority: {priority}, subject: {{namespaces: {{}}}}{more}}}"
    )


NAT = ", natOutgoing: true"

CASES = {
    "fine": (block("10.0.0.0/8", "fd00::/8"), []),
    "cidr-external": (pool("2001:db8:external::/48"), ["cidr-unparseable"]),
    "cidr-prod": (pool("fd00:prod::/48", NAT), ["cidr-unparseable"]),
    "cidr-host-bits": (pool("fd00:10:244::1/48", NAT), ["cidr-host-bits"]),
    "cidr-fine": (pool("2001:db8:2::/56"), []),
    "cidr-mapped": (block("::ffff:10.0.0.0/104", "fd00::/8"),
                    ["cidr-ipv4-mapped"]),
    "cidr-mapped-alone": (block("::ffff:10.0.0.0/104"), ["cidr-ipv4-mapped", "one-family-nets"]),
    "cidr-leading-zeros": (block("10.001.0.0/16", "fd00::/8"), ["cidr-leading-zeros"]),
    "cidr-leading-zeros-of-a-pool": (pool("10.001.0.0/16"), ["cidr-leading-zeros"]),
    "cidrs-of-kubeadm": (
        "{kind: ClusterConfiguration, networking: {podSubnet: '10.244.0.0/16,fd00:pods::/56'}}",
        ["cidr-unparseable"]),
    "cidr-in-a-policy-once": (block("10.0.0.1/8", "fd00::/8"), ["cidr-host-bits"]),
    "cidr-in-a-policy-and-worse": (
        block("10.0.0.1/8", "fd00::/8").replace("podSelector", "podSelektor"),
        ["cidr-host-bits", "manifest-refused"]),
    "cidr-in-calico-host-bits": (gnp("{action: Allow, source: {nets: ['fd00::1/8']}}"),
                                 ["cidr-host-bits", "one-family-nets"]),
    "cidr-no-text": (block("10.0.0.0/8", "fd00::/8").replace("'fd00::/8'", "7"),
                     ["manifest-refused", "one-family-nets"]),
    "storage-group": (pool("2001:db8:2::/56", kind="crd.projectcalico.org/v1"), ["storage-group"]),
    "refused": (network_policy("p", "{podSelektor: {}}"), ["manifest-refused"]),
    "refused-policy-of-no-kind": (
        "{apiVersion: networking.k8s.io/v1, kind: NetworkPolcy, metadata: {name: x}}",
        ["manifest-refused"]),
    "refused-misspelt": (
        "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicies, metadata: {name: x}}",
        ["manifest-refused"]),
    "refused-unknown-policy": (
        "{apiVersion: networking.k8s.io/v1, kind: OtherPolicy, metadata: {name: x}}",
        ["manifest-refused"]),
    "refused-calico": (gnp("{action: Drop}"), ["manifest-refused"]),
    "refused-admin": (admin("a", 1001), ["manifest-refused"]),
    "not-judged-kinds": (calico("BGPPeer", "b", "{peerIP: '2001:db8::1'}"), []),
    "network-set": (calico("GlobalNetworkSet", "s", "{nets: ['10.0.0.0/8', 'fd00::1']}"), []),
    "one-family-v4": (block("10.0.0.0/8"), ["one-family-nets"]),
    "one-family-v6": (block("fd00::/8"), ["one-family-nets"]),
    "one-family-calico": (gnp("{action: Allow, source: {nets: ['fd00::/8']}}"),
                          ["one-family-nets"]),
    "one-family-not-nets": (gnp("{action: Allow, source: {notNets: ['fd00::/8']}}"),
                            ["one-family-nets"]),
    "one-family-meant": (gnp("{action: Allow, ipVersion: 6, source: {nets: ['fd00::/8']}}"), []),
    "one-family-in-each-rule": (
        gnp("{action: Allow, source: {nets: ['fd00::/8']}},"
            " {action: Allow, source: {nets: [10.0.0.0/8]}}"), []),
    "one-family-admin": (
        admin("a", 1, ", egress: [{action: Deny, to: [{networks: ['::/0']}]}]"),
        ["one-family-nets"]),
    "mixed-families": (gnp("{action: Allow, source: {nets: ['fd00::/8', 10.0.0.0/8]}}"),
                       ["mixed-families"]),
    "bare-address": (
        gnp("{action: Allow, source: {nets: ['fd00::1']}},"
            " {action: Allow, destination: {notNets: [192.0.2.1]}}"),
        ["bare-address", "bare-address"]),
    "tier-prefix": (gnp("{action: Allow}", more=", tier: security"), ["tier-prefix"]),
    "tier-prefix-there": (gnp("{action: Allow}", "security.g", ", tier: security"), []),
    "named-port": (
        admin("a", 1, ", ingress: [{action: Deny, from: [{namespaces: {}}],"
              " ports: [{namedPort: http}]}]"), ["named-port-unsupported"]),
    "named-port-of-cnp": (
        cluster_wide("ClusterNetworkPolicy", "a", "{tier: Admin, priority: 1,"
                     " subject: {namespaces: {}}, ingress: [{action: Deny,"
                     " from: [{namespaces: {}}], protocols: [{destinationNamedPort: http}]}]}",
                     "v1alpha2"), []),
    "equal-priority": (admin("a", 1) + admin("b", 1) + admin("c", 2), ["equal-priority"]),
    "ula-without-nat": (pool("fd00:10:244::/48"), ["ula-without-nat"]),
    "ula-with-nat": (pool("fd00:10:244::/48", NAT), []),
    "gua-without-nat": (pool("2001:db8::/48"), []),
    "v4-without-nat": (pool("10.244.0.0/16"), []),
    "ula-of-the-operator": (
        installation("{cidr: 'fd00::/48', natOutgoing: Disabled, encapsulation: None},"
                     " {cidr: 'fd01::/48', encapsulation: None}"), ["ula-without-nat"]),
    "installation-without-pools": (installation(""), []),
    "felix-vxlan-mtu": (felix("{vxlanMTU: 1500, vxlanMTUV6: 1450}"), ["mtu-without-room"] * 2),
    "felix-vxlan-mtu-fits": (felix("{vxlanMTU: 1450, vxlanMTUV6: 1430}"), []),
    "felix-jumbo": (felix("{vxlanMTU: 8950}"), []),
    "felix-mtu": (felix("{mtu: 1500}") + pool("10.244.0.0/16", ", vxlanMode: CrossSubnet"),
                  ["mtu-without-room"]),
    "felix-mtu-without-vxlan": (felix("{mtu: 1500}") + pool("10.244.0.0/16", ", vxlanMode: Never"),
                                []),
    "installation-mtu": (installation("{cidr: 10.0.0.0/8, encapsulation: VXLANCrossSubnet}",
                                      "mtu: 1500, "), ["mtu-without-room"]),
    "failsafe": (felix("{failsafeInboundHostPorts: [{protocol: tcp, port: 22, net: 0.0.0.0/0},"
                       " {protocol: tcp, port: 179, net: '::/0'},"
                       " {protocol: tcp, port: 179, net: 0.0.0.0/0}, {protocol: udp, port: 68}]}"),
                 ["failsafe-one-family"]),
    "feature-gate": ("{kind: KubeletConfiguration, featureGates: {IPv6DualStack: true}}",
                     ["feature-gate-gone"]),
    "feature-gate-flag": (
        "{kind: Pod, metadata: {name: x}, spec: {containers: [{command: [kube-apiserver,"
        " '--feature-gates=IPv6DualStack=true']}]}}", ["feature-gate-gone"]),
    "sysctls-in-text": (
        "{kind: ConfigMap, data: {a.conf: \"net.ipv6.conf.all.forwarding = 1\\n"
        "net.ipv6.conf.eth0.accept_ra = 1\"}}", ["router-advertisements-ignored"]),
    "sysctls-in-pairs": (
        "{kind: Pod, spec: {securityContext: {sysctls: [{name: net.ipv6.conf.all.forwarding,"
        " value: '1'}, {name: net.ipv6.conf.eth0.accept_ra, value: '1'}]}}}",
        ["router-advertisements-ignored"]),
    "sysctls-as-keys": (
        "{kind: Node, sysctls: {net.ipv6.conf.all.forwarding: 1, net.ipv6.conf.all.accept_ra: 1}}",
        ["router-advertisements-ignored"]),
    "sysctls-right": (
        "{kind: ConfigMap, data: {a.conf: \"net.ipv6.conf.all.forwarding=1\\n"
        "net.ipv6.conf.eth0.accept_ra=2\"}}", []),
    "no-object": ("[1, {a: b}]", []),
}  # fmt: skip


@pytest.mark.parametrize(("text", "wanted"), CASES.values(), ids=CASES)
def test_findings(text: str, wanted: list[str]) -> None:
    assert codes(text) == wanted


def test_findings_say_where_what_and_what_to_do() -> None:
    (finding,) = audit(manifests(pool("fd00:10:244::1/48", NAT)))
    assert finding.severity is Severity.ERROR
    assert str(finding) == (
        "IPPool pool spec.cidr: 'fd00:10:244::1/48' has bits set beyond its prefix, "
        "write fd00:10:244::/48 (clear the bits beyond the prefix)"
    )


def test_what_legacy_validation_takes_is_a_warning_in_a_network_policy_only() -> None:
    (taken,) = audit(manifests(block("::ffff:10.0.0.0/104", "fd00::/8")))
    assert taken.severity is Severity.WARNING
    assert "the API up to 1.35 takes it, and it is read so" in taken.seen
    (length,) = audit(manifests(block("10.0.0.0/08", "fd00::/8")))
    assert (length.severity, "Calico" in length.seen) == (Severity.WARNING, False)
    refused = audit(manifests(gnp("{action: Allow, source: {nets: [010.0.0.0/8, 'fd00::/8']}}")))
    assert (refused[0].code, refused[0].severity) == ("cidr-leading-zeros", Severity.ERROR)
    assert "1.35" not in refused[0].seen


def test_leading_zeros_open_a_rule_of_calico_to_everybody() -> None:
    """Its conversion leaves the peer away that its parser does not take."""
    (opened,) = audit(manifests(block("10.001.0.0/16", "fd00::/8")))
    assert opened.severity is Severity.ERROR
    assert opened.seen == (
        "'10.001.0.0/16' has leading zeros, write 10.1.0.0/16: Calico cannot read it and then "
        "allows every address"
    )
    excepting = block("10.0.0.0/8", "fd00::/8").replace(
        "cidr: '10.0.0.0/8'", "cidr: '10.0.0.0/8', except: ['10.01.0.0/16']"
    )
    (excepted,) = audit(manifests(excepting))
    assert excepted.seen.endswith("Calico cannot read it and then ignores it and later exceptions")
    assert (opened.families, excepted.families) == (tuple(Family), (Family.IPV4,))
    refused = block("10.001.0.0/16", "fd00::/8").replace("podSelector", "podSelektor")
    assert codes(refused) == ["cidr-leading-zeros", "manifest-refused"]


def test_bits_beyond_the_prefix_hold_in_a_network_policy_and_nowhere_else() -> None:
    (taken,) = audit(manifests(block("10.0.0.1/8", "fd00::/8")))
    assert taken.severity is Severity.WARNING
    assert "write 10.0.0.0/8: the API up to 1.35 takes it, and it is read so" in taken.seen
    refused = audit(manifests(gnp("{action: Allow, source: {nets: [10.0.0.1/8, 'fd00::/8']}}")))
    assert refused[0].severity is Severity.ERROR
    assert "1.35" not in refused[0].seen


HUGE: dict[str, Any] = {
    "integer": 10**5000, "negative": -(10**5000), "lists": [[["x" * 999] * 6] * 6] * 6,
    "text": "x" * 1_000_000, "key": {"k" * 99_999: {}}, "integer as key": {10**5000: "x"},
    "bytes": {"a": b"x" * 9999}, "set": {("a", 1): {1, 2}}, "no number": float("nan"),
    "lines": "a\nb\n" * 9999, "networks": "10.0.0.1/8," * 9999,
}  # fmt: skip


@pytest.mark.timeout(60)
@pytest.mark.parametrize("what", HUGE)
def test_whatever_stands_anywhere_nothing_raises_and_findings_are_short(what: str) -> None:
    huge = HUGE[what]
    for known in (block("10.0.0.0/8"), gnp("{action: Allow, source: {nets: [10.0.0.0/8]}}"),
                  admin("a", 1), pool("fd00::/48"), felix("{mtu: 1500}"),
                  installation("{cidr: 'fd00::/48'}")):  # fmt: skip
        (value,) = manifests(known)
        texts = [str(f) for odd in _with(huge, value) for f in audit([odd])]
        assert all(len(text) < 1500 for text in texts)
        assert not any("\n" in text for text in texts)


def _with(odd: Any, value: Any) -> list[Any]:
    """The value once for each of its places, with something odd there."""
    found = [odd]
    if isinstance(value, dict):
        found.append({**value, "cidr": odd, "net.ipv6": odd, "name": odd, "value": odd})
        for key, inner in value.items():
            found += [{**value, key: one} for one in _with(odd, inner)[:20]]
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            found += [[*value[:i], one, *value[i + 1 :]] for one in _with(odd, inner)[:20]]
    return found


def test_findings_about_one_object_are_as_many_as_anybody_reads() -> None:
    found = audit(manifests(block(*(["10.0.0.1/8"] * 500))))
    assert len(found) == 41
    assert str(found[-1]).startswith("NetworkPolicy shop/p: 46")
    assert found[-1].code == "more-findings"


def test_findings_about_calico_are_left_out_elsewhere() -> None:
    text = admin("a", 1, ", ingress: [{action: Deny, from: [{namespaces: {}}],"
                 " ports: [{namedPort: http}]}]")  # fmt: skip
    assert [f.code for f in audit(manifests(text), CALICO)] == ["named-port-unsupported"]
    assert audit(manifests(text), KUBERNETES) == ()


def test_manifests_that_hold_themselves_come_to_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    loop: dict[str, Any] = {"kind": "Loop", "metadata": {"name": "x"}}
    loop["spec"] = {"again": loop}
    assert audit([loop]) == ()
    monkeypatch.setattr("sixproof.policy.manifests.tree._MOST", 20)
    wide: dict[str, Any] = {"kind": "Wide", "a": list(range(30)), "cidr": "bad"}
    assert audit([wide]) == ()
