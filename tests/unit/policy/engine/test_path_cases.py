"""Paths and IPv6: cases 36 to 45 of the catalogue, and 48 where the oracle can answer it."""

from __future__ import annotations

import dataclasses

import pytest

from sixproof.model import Endpoint, Flow, Outcome, Protocol
from sixproof.policy import (
    CALICO,
    KUBERNETES,
    ClusterSnapshot,
    HostAction,
    Icmp,
    Oracle,
    ProviderAnswer,
    ProviderProfile,
    SeenAs,
    ServicePortSnapshot,
    Verdict,
)
from sixproof.policy.engine.plan import MOST_PORTS
from tests.unit.policy.cluster import (
    API,
    DB,
    ENDPOINTS,
    HOST,
    OUTSIDE,
    WEB,
    WORLD,
    addresses,
    calico,
    check,
    judge,
    manifests,
    network_policy,
    pod,
)


def ingress(peers: str, ports: str = "") -> str:
    """A policy that lets something into db."""
    rule = f"{{from: [{peers}]{', ports: [' + ports + ']' if ports else ''}}}"
    return network_policy("p", f"{{podSelector: {{matchLabels: {{app: db}}}}, ingress: [{rule}]}}")


def egress(peers: str, ports: str = "") -> str:
    """A policy that lets web out to something."""
    rule = f"{{to: [{peers}]{', ports: [' + ports + ']' if ports else ''}}}"
    spec = (
        f"{{podSelector: {{matchLabels: {{app: web}}}}, policyTypes: [Egress], egress: [{rule}]}}"
    )
    return network_policy("p", spec)


NOTHING_IN = network_policy("p", "{podSelector: {}}")
NOTHING_OUT = network_policy("p", "{podSelector: {}, policyTypes: [Egress]}")
TO_DB = "{podSelector: {matchLabels: {app: db}}}"
FROM_WEB = "{podSelector: {matchLabels: {app: web}}}"

SERVICE_CASES = {
    "36-cluster-ip-port-is-the-pods": (
        egress(TO_DB, "{port: 5432}"),
        "web -> db via shop-db v46 tcp/80: ALLOWED\nweb -> db via shop-db v46 tcp/82: ALLOWED\n"
        "web -> shop-db v46 tcp/80: ALLOWED"),
    "36-service-port-does-not-count": (egress(TO_DB, "{port: 80}"),
                                       "web -> db via shop-db v46 tcp/80: DENIED"),
    "36-target-port-is-the-service-port": (egress(TO_DB, "{port: 81, protocol: UDP}"),
                                           "web -> db via shop-db v46 udp/81: ALLOWED"),
    "36-ingress-sees-the-client": (ingress(FROM_WEB, "{port: 5432}"),
                                   "web -> shop-db v46 tcp/80: ALLOWED\n"
                                   "api -> shop-db v46 tcp/80: DENIED"),
    "36-unknown-service-port": (NOTHING_IN, "web -> db via shop-db v46 tcp/99: UNDEFINED\n"
                                "web -> shop-db v46 tcp/99: UNDEFINED"),
    "36-icmp-has-no-service": (NOTHING_IN, "web -> shop-db v46 icmp: UNDEFINED"),
    "36-no-endpoint": (NOTHING_IN, "web -> empty v46 tcp/80: UNDEFINED"),
    "36-endpoints-agree": (egress(TO_DB + ", {podSelector: {matchLabels: {app: api}}}"),
                           "web -> pair v46 tcp/80: ALLOWED"),
    "36-endpoints-differ": (egress(TO_DB), "web -> pair v46 tcp/80: UNDEFINED"),
    "36-endpoints-denied-on-either-side": (
        egress(TO_DB) + network_policy("q", "{podSelector: {matchLabels: {app: db}}}"),
        "web -> pair v46 tcp/80: DENIED"),
    "36-node-port-other-node-egress-sees-the-node": (
        egress("{ipBlock: {cidr: 172.18.0.3/32}}, {ipBlock: {cidr: 'fd00:18::3/128'}}",
               "{port: 30080}"),
        "web -> db via worker2 v46 tcp/30080: ALLOWED\nweb -> db via worker v46 tcp/30080: DENIED"),
    "36-node-port-own-node-egress-sees-the-pod": (
        egress(TO_DB, "{port: 5432}"),
        "web -> db via worker v46 tcp/30080: ALLOWED\n"
        "web -> db via worker2 v46 tcp/30080: DENIED"),
    "36-node-port-source-may-be-masqueraded": (
        ingress(FROM_WEB),
        "web -> db via worker v46 tcp/30080: ALLOWED\n"
        "web -> db via worker2 v46 tcp/30080: UNDEFINED\n"
        "web -> db via worker2 v46 tcp/30081: ALLOWED\n"
        "outside -> db via worker v46 tcp/30080: DENIED"),
    "36-node-port-from-outside": (
        ingress("{ipBlock: {cidr: '2001:db8::/32'}}, {ipBlock: {cidr: 192.0.2.0/24}}"),
        "outside -> db via worker v46 tcp/30080: ALLOWED\n"
        "outside -> db via worker2 v46 tcp/30080: UNDEFINED\n"
        "outside -> worker2 v46 tcp/30080: UNDEFINED\n"
        "outside -> db via worker2 v46 tcp/30081: ALLOWED"),
    "36-load-balancer": (
        ingress("{ipBlock: {cidr: '2001:db8::/32'}}, {ipBlock: {cidr: 192.0.2.0/24}}"),
        "outside -> db via @203.0.113.10 v4 tcp/80: UNDEFINED\n"
        "outside -> db via @2001:db8:1::a v6 tcp/80: UNDEFINED"),
    "36-load-balancer-from-a-pod": (
        ingress("{podSelector: {matchLabels: {app: api}}}"),
        "api -> db via @2001:db8:1::a v6 tcp/80: UNDEFINED\n"
        "api -> db via shop-db v6 tcp/80: ALLOWED\nweb -> db via @2001:db8:1::a v6 tcp/80: DENIED"),
    "36-load-balancer-allows-all": (
        ingress("{ipBlock: {cidr: '::/0'}}"),
        "outside -> db via @2001:db8:1::a v6 tcp/80: ALLOWED"),
    "37-service-cidr-only-misses": (
        egress("{ipBlock: {cidr: 10.96.0.0/16}}, {ipBlock: {cidr: 'fd00:10:96::/112'}}"),
        "web -> shop-db v46 tcp/80: DENIED"),
    "38-own-node-is-let-in": (NOTHING_IN, "worker -> db v46 tcp/1: ALLOWED\n"
                              "local-host -> db v46 tcp/1: ALLOWED\n"
                              "worker -> shop-db v46 tcp/80: ALLOWED"),
    "38-other-node-is-not": (NOTHING_IN, "worker2 -> db v46 tcp/1: DENIED\n"
                             "worker2 -> shop-db v46 tcp/80: DENIED"),
    "38-own-node-by-way-of-another-is-not": (
        NOTHING_IN, "worker -> db via worker2 v46 tcp/30080: DENIED\n"
        "local-host -> db via worker2 v46 tcp/30080: DENIED\n"
        "worker -> db via worker v46 tcp/30080: ALLOWED"),
    "38-own-node-by-way-of-another-open": (
        "", "worker -> db via worker2 v46 tcp/30080: ALLOWED"),
    "38-other-node-by-all-its-addresses": (
        ingress("{ipBlock: {cidr: 172.18.0.3/32}}, {ipBlock: {cidr: 10.244.2.0/32}},"
                " {ipBlock: {cidr: 'fd00:18::3/128'}}"),
        "worker2 -> db v46 tcp/1: ALLOWED\nworker2 -> db via worker2 v46 tcp/30080: ALLOWED"),
    "38-other-node-by-one-of-two": (ingress("{ipBlock: {cidr: 172.18.0.3/32}}"),
                                    "worker2 -> db v4 tcp/1: UNDEFINED"),
    "38-pod-to-own-node": (NOTHING_OUT, "web -> worker v46 tcp/1: DENIED\n"
                           "web -> worker2 v46 tcp/1: DENIED"),
    "38-pod-to-own-node-open": ("", "web -> worker v46 tcp/1: ALLOWED\n"
                                "web -> local-host v46 tcp/1: ALLOWED\n"
                                "web -> on-host v46 tcp/80: ALLOWED\n"
                                "web -> worker2 v46 tcp/1: ALLOWED"),
    "39-host-pods-are-selected-by-no-policy": (
        NOTHING_IN + network_policy("q", "{podSelector: {}, policyTypes: [Egress]}"),
        "host -> outside v46 tcp/1: ALLOWED\noutside -> host v46 tcp/1: ALLOWED\n"
        "host -> worker v46 tcp/1: ALLOWED"),
    "39-host-pods-are-no-peers": (ingress(FROM_WEB), "host -> db v46 tcp/1: DENIED"),
    "39-host-pods-are-node-addresses": (
        ingress("{ipBlock: {cidr: 'fd00:18::/64'}}"), "host -> db v6 tcp/1: ALLOWED"),
    "40-own-address-stays-inside": (NOTHING_IN + network_policy(
        "q", "{podSelector: {}, policyTypes: [Egress]}"), "db -> db v46 tcp/1: ALLOWED"),
    "40-self-by-service-open": ("", "db -> shop-db v46 tcp/80: ALLOWED"),
    "40-self-by-service-is-open": (NOTHING_IN, "db -> shop-db v46 tcp/80: UNDEFINED"),
    "41-same-and-other-node-alike": (NOTHING_IN, "web -> db v46 tcp/1: DENIED\n"
                                     "api -> db v46 tcp/1: DENIED"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "asked"), SERVICE_CASES.values(), ids=SERVICE_CASES)
def test_paths(text: str, asked: str) -> None:
    check(text, asked)


def test_case_36_a_named_target_port_that_the_endpoint_lacks_cannot_be_judged() -> None:
    answer = judge("", "web -> bare via shop-db v6 tcp/80: UNDEFINED")
    assert answer.because == "undefined: bare has no port named sql"


def test_case_36_a_named_target_port_is_the_one_of_that_protocol() -> None:
    port = ServicePortSnapshot(53, Protocol.TCP, "dns")
    service = dataclasses.replace(WORLD.services[0], ports=(port,))
    snapshot = dataclasses.replace(WORLD, services=(service,))
    text = egress(TO_DB, "{port: 5353}")
    check(text, "web -> shop-db v46 tcp/53: ALLOWED", snapshot=snapshot)


def test_case_36_a_flow_to_a_node_port_of_an_unknown_node_may_be_seen_either_way() -> None:
    web = dataclasses.replace(WEB, node="")
    snapshot = dataclasses.replace(WORLD, endpoints=(web,))
    check(egress(TO_DB), "web -> db via worker v46 tcp/30080: UNDEFINED", snapshot=snapshot)


def test_case_37_other_providers_may_look_before_the_service_is_translated() -> None:
    by_service = egress("{ipBlock: {cidr: '::/0'}}, {ipBlock: {cidr: 0.0.0.0/0}}")
    seen = dataclasses.replace(
        KUBERNETES, ip_block_matches_pods=ProviderAnswer.NO, service_seen_as=SeenAs.SERVICE
    )
    check(by_service, "web -> shop-db v46 tcp/80: DENIED", seen)
    by_pod = egress(TO_DB)
    check(by_pod, "web -> shop-db v46 tcp/80: ALLOWED", seen)
    check(by_pod, "web -> shop-db v46 tcp/80: ALLOWED", KUBERNETES)
    only_service = egress("{ipBlock: {cidr: 'fd00:10:96::/112'}}")
    before = dataclasses.replace(seen, ip_block_matches_pods=ProviderAnswer.YES)
    check(only_service, "web -> shop-db v6 tcp/80: ALLOWED", before)
    both = dataclasses.replace(before, service_seen_as=SeenAs.UNDEFINED)
    answer = judge(only_service, "web -> shop-db v6 tcp/80: UNDEFINED", both)
    assert "whether policy sees the address dialled or the one behind it" in answer.because


def test_case_38_providers_may_keep_the_own_node_out() -> None:
    shut = dataclasses.replace(CALICO, own_node_reaches_pods=ProviderAnswer.NO)
    check(NOTHING_IN, "worker -> db v46 tcp/1: DENIED", shut)
    unsure = dataclasses.replace(CALICO, own_node_reaches_pods=ProviderAnswer.UNDEFINED)
    check(NOTHING_IN, "worker -> db v46 tcp/1: UNDEFINED", unsure)
    check("", "worker -> db v46 tcp/1: ALLOWED", unsure)


def test_case_38_without_knowing_the_nodes_own_node_and_others_must_agree() -> None:
    lost = dataclasses.replace(DB, node="")
    snapshot = dataclasses.replace(WORLD, endpoints=(lost,))
    check(NOTHING_IN, "worker -> db v46 tcp/1: UNDEFINED", snapshot=snapshot)
    check("", "worker -> db v46 tcp/1: ALLOWED", snapshot=snapshot)


def test_case_38_an_unknown_node_is_known_by_the_address_it_comes_from() -> None:
    snapshot = ClusterSnapshot.of(endpoints=[dataclasses.replace(HOST, node="elsewhere")])
    peers = "{ipBlock: {cidr: 172.18.0.3/32}}"
    check(ingress(peers), "host -> db v4 tcp/1: ALLOWED", snapshot=snapshot)


@pytest.mark.parametrize(
    ("action", "verdict", "after_policy"),
    [
        (HostAction.ACCEPT, "ALLOWED", "DENIED"),
        (HostAction.DROP, "DENIED", "DENIED"),
        (HostAction.RETURN, "UNDEFINED", "DENIED"),
    ],
)
def test_case_38_pod_to_own_node_follows_the_action_that_felix_is_given(
    action: HostAction, verdict: str, after_policy: str
) -> None:
    profile = dataclasses.replace(CALICO, pods_reach_own_node=action)
    check("", f"web -> worker v46 tcp/1: {verdict}\nweb -> worker2 v46 tcp/1: ALLOWED", profile)
    check(NOTHING_OUT, f"web -> worker v46 tcp/1: {after_policy}", profile)


def test_case_38_an_open_question_before_the_nodes_action_stays_open_unless_both_deny() -> None:
    text = calico(
        "GlobalNetworkPolicy",
        "p",
        "{selector: all(), types: [Egress], egress: [{action: Allow, protocol: TCP,"
        " source: {ports: [1000]}}]}",
    )
    check(text, "web -> worker v46 tcp/1: UNDEFINED")
    drop = dataclasses.replace(CALICO, pods_reach_own_node=HostAction.DROP)
    answer = judge(text, "web -> worker v6 tcp/1: DENIED", drop)
    assert answer.egress.verdict is Verdict.DENIED


@pytest.mark.parametrize("profile", [CALICO, KUBERNETES], ids=lambda p: p.name)
def test_case_40_providers_that_are_known_to_police_a_pod_that_reaches_itself_or_not(
    profile: ProviderProfile,
) -> None:
    yes = dataclasses.replace(profile, hairpin_policed=ProviderAnswer.YES)
    check(NOTHING_IN, "db -> shop-db v46 tcp/80: DENIED", yes)
    no = dataclasses.replace(profile, hairpin_policed=ProviderAnswer.NO)
    check(NOTHING_IN, "db -> shop-db v46 tcp/80: ALLOWED", no)


def test_case_40_cluster_wide_policies_do_apply_to_a_pod_that_reaches_itself_via_a_service() -> (
    None
):
    text = """
apiVersion: policy.networking.k8s.io/v1alpha1
kind: AdminNetworkPolicy
metadata: {name: a}
spec: {priority: 1, subject: {namespaces: {}},
  ingress: [{action: Deny, from: [{namespaces: {}}]}]}
"""
    check(text, "db -> shop-db v46 tcp/80: DENIED\ndb -> db v46 tcp/5432: ALLOWED")


def test_case_42_echo_is_judged_by_the_rules_for_icmp() -> None:
    text = calico(
        "GlobalNetworkPolicy",
        "p",
        "{selector: all(), types: [Ingress], ingress: ["
        "{action: Allow, ipVersion: 6, protocol: ICMPv6, icmp: {type: 128, code: 0}}]}",
    )
    check(text, "web -> db v6 icmp: ALLOWED\nweb -> db v4 icmp: DENIED\nweb -> db v6 tcp/1: DENIED")
    check(text, "web -> db v6 icmp: DENIED", icmp=Icmp(129))


def test_case_42_network_policy_leaves_icmp_to_the_provider() -> None:
    check(NOTHING_IN, "web -> db v46 icmp: DENIED")
    check(network_policy("p", "{podSelector: {}, ingress: [{}]}"), "web -> db v46 icmp: ALLOWED")
    with_port = network_policy("p", "{podSelector: {}, ingress: [{ports: [{port: 80}]}]}")
    check(with_port, "web -> db v46 icmp: DENIED")
    answer = judge(NOTHING_IN, "web -> db v6 icmp: UNDEFINED", KUBERNETES)
    assert "how NetworkPolicy treats ICMP" in answer.because
    check("", "web -> db v46 icmp: ALLOWED", KUBERNETES)
    free = dataclasses.replace(KUBERNETES, icmp_policed=ProviderAnswer.NO)
    check(NOTHING_IN, "web -> db v46 icmp: ALLOWED\nweb -> db v46 tcp/1: DENIED", free)
    policed = dataclasses.replace(KUBERNETES, icmp_policed=ProviderAnswer.YES)
    check(NOTHING_IN, "web -> db v46 icmp: DENIED", policed)


@pytest.mark.parametrize("message", [130, 131, 132, 133, 135, 136])
def test_case_43_neighbour_discovery_is_never_denied(message: int) -> None:
    text = network_policy("p", "{podSelector: {}, policyTypes: [Ingress, Egress]}")
    check(text, "web -> db v6 icmp: ALLOWED", icmp=Icmp(message))
    check(text, "web -> db v4 icmp: DENIED", icmp=Icmp(message))


def test_case_43_router_advertisements_are() -> None:
    check(NOTHING_OUT, "web -> db v6 icmp: DENIED", icmp=Icmp(134))


def test_case_44_packet_too_big_goes_with_the_flow_it_is_about() -> None:
    allowed = judge(egress(TO_DB), "web -> db v6 tcp/1: ALLOWED")
    assert allowed.related is Verdict.ALLOWED
    check(NOTHING_IN, "web -> db v6 icmp: UNDEFINED", icmp=Icmp(2))
    check(NOTHING_IN, "web -> db v4 icmp: UNDEFINED", icmp=Icmp(3, 4))


def test_case_48_a_pod_is_selected_until_it_is_gone() -> None:
    text = ingress(FROM_WEB)
    check(text, "web -> db v46 tcp/1: ALLOWED")
    reused = pod("late", "blog", 2, "worker")
    snapshot = ClusterSnapshot.of(endpoints=[reused])
    check(text, "late -> db v46 tcp/1: DENIED", snapshot=snapshot)


def _asked(source: Endpoint, destination: Endpoint, protocol: Protocol, port: int | None) -> Flow:
    return Flow(source, destination, addresses("2001:db8::1")[0], protocol, port)


@pytest.mark.parametrize(
    ("flow", "why"),
    [
        (_asked(ENDPOINTS["shop-db"], OUTSIDE, Protocol.TCP, 1), "nothing starts there"),
        (_asked(dataclasses.replace(WEB, addresses=()), OUTSIDE, Protocol.TCP, 1), "no IPv6"),
        (_asked(WEB, OUTSIDE, Protocol.UDP, None), "a UDP flow needs a port"),
        (_asked(WEB, DB, Protocol.TCP, 1), "2001:db8::1 is no address of db"),
    ],
)
def test_what_cannot_be_judged_says_why(flow: Flow, why: str) -> None:
    answer = Oracle.of([], WORLD).judge(flow)
    assert answer.verdict is Verdict.UNDEFINED
    assert why in answer.because
    assert why in answer.egress.reason
    assert answer.ingress.walk() == ()
    assert answer.expectation().outcomes == {Outcome.ALLOWED, Outcome.DROPPED}


def test_an_endpoint_without_the_family_is_left_out_of_a_service() -> None:
    four = dataclasses.replace(DB, name="four", pod="four", addresses=DB.addresses[:1])
    service = dataclasses.replace(WORLD.services[2], backends=(four, ENDPOINTS["api"]))
    snapshot = dataclasses.replace(WORLD, services=(service,))
    check(NOTHING_IN, "web -> pair v46 tcp/80: DENIED", snapshot=snapshot)
    only = dataclasses.replace(service, backends=(four,))
    alone = dataclasses.replace(WORLD, services=(only,))
    answer = judge("", "web -> pair v6 tcp/80: UNDEFINED", snapshot=alone)
    assert answer.because == "undefined: service shop/pair has no IPv6 endpoint"


def test_a_host_endpoint_takes_its_node_out_of_judgement() -> None:
    text = calico("HostEndpoint", "h", "{node: worker, interfaceName: '*'}")
    check(text, "worker -> db v46 tcp/1: UNDEFINED\nweb -> worker v46 tcp/1: UNDEFINED\n"
          "host -> db v46 tcp/1: ALLOWED\nweb -> db v46 tcp/1: ALLOWED")  # fmt: skip


def test_the_memory_of_an_oracle_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sixproof.policy.engine.oracle._MOST_PEERS", 3)
    oracle = Oracle.of(manifests(NOTHING_IN), WORLD)
    for n in range(10, 20):
        one = pod(f"p{n}", "shop", n, "worker")
        assert oracle.judge(Flow(one, DB, DB.addresses[1], Protocol.TCP, 1)).verdict == "DENIED"
        assert len(oracle.peers) <= 3


def test_equal_endpoints_are_one_peer_and_are_not_kept_without_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A caller may make its endpoints anew for each flow."""
    monkeypatch.setattr("sixproof.policy.engine.oracle._MOST_PEERS", 4)
    oracle = Oracle.of(manifests(NOTHING_IN), WORLD)
    for _ in range(20):
        web = dataclasses.replace(WEB)
        assert oracle.judge(Flow(web, DB, DB.addresses[1], Protocol.TCP, 1)).verdict == "DENIED"
        assert len(oracle.known) <= 4
    assert len(oracle.peers) == 2


def test_a_peer_that_was_asked_about_at_once_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sixproof.policy.engine.plan.FEW", 0)
    text = network_policy("p", "{podSelector: {}, ingress: [{from: [{podSelector: {}}]}]}")
    oracle = Oracle.of(manifests(text), WORLD)
    for port in (1, 2):
        flow = Flow(API, DB, DB.addresses[1], Protocol.TCP, port)
        assert oracle.judge(flow).verdict == "ALLOWED"
    assert [len(stage.peers) for stage in oracle.compiled_policies.stages.values()] == [1]


def test_asking_about_every_port_remembers_no_more_than_a_few_of_them() -> None:
    """A scan of ports must not grow the oracle's memory, and is judged as each port alone is."""
    text = network_policy("p", "{podSelector: {}, ingress: [{ports: [{port: 100, endPort: 199}]}]}")
    oracle = Oracle.of(manifests(text), WORLD, CALICO)
    flow = Flow(WEB, DB, DB.addresses[0], Protocol.TCP, 1)
    for port in range(1, 10 * MOST_PORTS):
        allowed = oracle.judge(dataclasses.replace(flow, port=port)).allowed
        assert allowed is (100 <= port <= 199), port
    kept = [len(stage.ports) for stage in oracle.compiled_policies.stages.values()]
    assert kept
    assert max(kept) <= MOST_PORTS
