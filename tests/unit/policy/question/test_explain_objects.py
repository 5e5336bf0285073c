"""Questions about objects as Kubernetes has them: the cluster comes from the files."""

from __future__ import annotations

from typing import Any

import pytest

from sixproof.errors import UsageError
from sixproof.model import EndpointKind, Protocol
from sixproof.policy import CALICO, CALICO_3_31, KUBERNETES, ProviderProfile
from sixproof.policy.manifests.placed import Placed, Refusals
from sixproof.policy.question.question import Explanation, Question
from sixproof.policy.question.question import answer as answer_placed
from sixproof.policy.snapshot.cluster_objects import Roster

Object = dict[str, Any]


def thing(api: str, kind: str, name: str, namespace: str = "", **parts: Any) -> Object:
    """An object; `meta` is what its metadata hold besides."""
    meta = {
        "name": name,
        **({"namespace": namespace} if namespace else {}),
        **parts.pop("meta", {}),
    }
    return {"apiVersion": api, "kind": kind, "metadata": meta, **parts}


def pod(name: str, labels: dict[str, str], *ips: str, **spec: Any) -> Object:
    """A running pod of namespace shop."""
    status = {"phase": "Running", "podIP": ips[0], "podIPs": [{"ip": ip} for ip in ips]}
    spec = {"nodeName": "worker", **spec}
    return thing("v1", "Pod", name, "shop", meta={"labels": labels}, spec=spec, status=status)


def template(labels: dict[str, str], **spec: Any) -> Object:
    """What a Deployment makes pods of."""
    return {"template": {"metadata": {"labels": labels}, "spec": spec}}


def network_policy(name: str, spec: Object, namespace: str = "shop") -> Object:
    """A NetworkPolicy."""
    return thing("networking.k8s.io/v1", "NetworkPolicy", name, namespace, spec=spec)


SQL = {"name": "sql", "containerPort": 5432, "protocol": "TCP"}
DNS = [{"name": "dns", "containerPort": 53, "protocol": p} for p in ("TCP", "UDP")]
SHOP = thing("v1", "Namespace", "shop", meta={"labels": {"team": "a"}})
WEB = thing("apps/v1", "Deployment", "web", "shop", spec=template({"app": "web"}))
WEB_A = pod("web-6f7-a", {"app": "web", "hash": "6f7"}, "10.244.1.2", "fd00::1:2")
WEB_B = pod("web-6f7-b", {"app": "web", "hash": "6f7"}, "10.244.1.3", "fd00::1:3")
DB = pod("db-0", {"app": "db"}, "10.244.2.3", "fd00::2:3", containers=[{"ports": [SQL, *DNS]}])
DB_SET = thing(
    "apps/v1", "StatefulSet", "db", "shop",
    spec=template({"app": "db"}, containers=[{"ports": [SQL, {"containerPort": 1}]}]))  # fmt: skip
SERVICE = thing(
    "v1", "Service", "db", "shop",
    spec={"clusterIP": "10.96.0.9", "clusterIPs": ["10.96.0.9", "fd00:96::9"],
          "selector": {"app": "db"}, "externalIPs": ["203.0.113.9"],
          "externalTrafficPolicy": "Local",
          "ports": [{"name": "sql", "port": 5432, "targetPort": "sql", "nodePort": 30080},
                    {"name": "raw", "port": 80, "targetPort": 5432}]},
    status={"loadBalancer": {"ingress": [{"ip": "203.0.113.10"}, {"hostname": "x"}]}})  # fmt: skip
FROM_WEB = network_policy("db", {
    "podSelector": {"matchLabels": {"app": "db"}},
    "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "web"}}}],
                 "ports": [{"port": "sql"}]}]})  # fmt: skip


def ask(
    source: str, to: str, port: str, *values: Object, snapshot: Any = None, **more: Any
) -> Explanation:
    """The answer to a question about these objects."""
    described = None if snapshot is None else Placed(snapshot, "cluster.yaml: document 1, line 1")
    question = Question(source, to, port, **more)
    return answer_placed(question, map(Placed, values), described)


def verdicts(found: Explanation) -> list[str]:
    """The verdicts by family."""
    return [f"{j.flow.family} {j.verdict}" for j in found.judgements]


BOTH_ALLOWED = ["IPv4 ALLOWED", "IPv6 ALLOWED"]
BOTH_DENIED = ["IPv4 DENIED", "IPv6 DENIED"]


def test_pods_bring_labels_addresses_node_and_ports() -> None:
    """A dump of a cluster needs nothing said by hand."""
    found = ask("shop/web-6f7-a", "db-0", "sql", FROM_WEB, WEB_A, DB, SHOP)
    assert verdicts(found) == BOTH_ALLOWED
    assert str(found.judgements[0].flow).startswith("shop/web-6f7-a -> shop/db-0 over IPv4")
    assert found.premises == found.notes == ()


def test_a_workload_without_a_namespace_is_said_to_be_in_default() -> None:
    """What helm prints often names none: the policies of another namespace do not select it."""
    web = thing("apps/v1", "Deployment", "web", spec=template({"app": "web"}))
    found = ask("web", "db-0", "sql", FROM_WEB, web, DB)
    (premise,) = [one for one in found.premises if "namespace default" in one]
    assert premise.startswith("namespace default is taken for Deployment default/web, which names")
    named = ask("web", "db-0", "sql", FROM_WEB, web, DB, namespace="shop")
    assert not any("namespace default" in one for one in named.premises)


def test_objects_of_one_name_that_differ_are_noted() -> None:
    """The last one counts, which may turn the answer."""
    other = thing("v1", "Namespace", "shop", meta={"labels": {"team": "b"}})
    found = ask("web", "db-0", "sql", FROM_WEB, WEB, WEB_A, DB, SHOP, other, other)
    assert "Namespace shop is given twice, the last one counts" in found.notes
    assert not any("twice" in one for one in ask("web", "db-0", "sql", FROM_WEB, WEB_A, WEB, SHOP,
                                                 SHOP, DB).notes)  # fmt: skip


def test_a_deployment_stands_for_its_pods() -> None:
    """The pods have addresses, the template has none."""
    found = ask("web", "db-0", "sql", FROM_WEB, WEB, WEB_A, WEB_B, DB, SHOP)
    assert found.judgements[0].flow.source.name == "shop/web-6f7-a"
    assert found.premises == ("shop/web is taken as its pod shop/web-6f7-a, one of 2",)
    found = ask("web", "db-0", "sql", FROM_WEB, WEB, WEB_A, DB, SHOP)
    assert found.premises == ("shop/web is taken as its pod shop/web-6f7-a",)


def test_templates_alone_are_judged_where_no_policy_looks_at_networks() -> None:
    """What helm prints has no addresses; where they decide nothing, any will do."""
    found = ask("web", "db", "sql", FROM_WEB, WEB, DB_SET)
    assert verdicts(found) == BOTH_ALLOWED
    (premise,) = found.premises
    assert premise.startswith("no address is known of shop/web and shop/db: any will do")
    assert verdicts(ask("web", "db", "1", FROM_WEB, WEB, DB_SET)) == BOTH_DENIED
    assert verdicts(ask("web", "svc:shop/db", "sql", FROM_WEB, WEB, DB_SET, SERVICE)) == (
        BOTH_ALLOWED
    )
    itself = ask("db", "svc:shop/db", "sql", FROM_WEB, WEB, DB_SET, SERVICE)
    assert verdicts(itself) == ["IPv4 UNDEFINED", "IPv6 UNDEFINED"]


def test_templates_alone_need_addresses_where_a_policy_looks_at_networks() -> None:
    """A made-up address must not decide."""
    ten = {"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}
    block = network_policy("block", {"podSelector": {}, "ingress": [ten]})
    with pytest.raises(UsageError) as caught:
        ask("web", "db", "sql", block, WEB, DB_SET)
    assert str(caught.value).startswith(
        "no address is known of shop/web and shop/db, and NetworkPolicy shop/block goes by networks"
    )
    found = ask("web,10.1.1.1", "db,10.1.1.2", "sql", block, WEB, DB_SET)
    assert verdicts(found) == ["IPv4 ALLOWED"]
    elsewhere = network_policy("block", block["spec"], "other")
    assert verdicts(ask("web", "db", "sql", elsewhere, WEB, DB_SET)) == BOTH_ALLOWED


def test_services_stand_for_the_pods_that_their_labels_choose() -> None:
    """A clusterIP and a named port lead to the endpoint behind them."""
    some = (FROM_WEB, WEB, WEB_A, DB, SERVICE)
    found = ask("web", "svc:shop/db", "sql", *some)
    assert [str(j.flow.address) for j in found.judgements] == ["10.96.0.9", "fd00:96::9"]
    assert verdicts(found) == BOTH_ALLOWED
    assert verdicts(ask("db-0", "svc:shop/db,10.96.0.77", "raw", *some)) == ["IPv4 UNDEFINED"]
    outside = ask("outside,192.0.2.1", "svc:shop/db", "sql", *some, via="203.0.113.10")
    assert verdicts(outside) == ["IPv4 DENIED"]


CLIENT = pod("client", {"app": "web"}, "10.244.1.9", "fd00::1:9")
QUIET = network_policy("quiet", {"podSelector": {"matchLabels": {"role": "b"}}, "ingress": []})
BACKS = [
    pod(f"back-{n}", {"app": "back", "role": n}, f"10.244.3.{i}", f"fd00::3:{i}")
    for i, n in enumerate("ab", 1)
]
IN_FRONT = thing(
    "v1", "Service", "back", "shop",
    spec={"clusterIP": "10.96.0.8", "clusterIPs": ["10.96.0.8"], "selector": {"app": "back"},
          "ports": [{"port": 80, "targetPort": 8080, "nodePort": 30081}]})  # fmt: skip


def test_backends_that_fare_differently_are_named_each_for_its_reason() -> None:
    """The policy that selects one of two is named for it; what it denies is what is walked."""
    found = ask("client", "svc:shop/back", "80", QUIET, CLIENT, *BACKS, IN_FRONT)
    (judgement,) = found.judgements
    assert verdicts(found) == ["IPv4 UNDEFINED"]
    assert "no policy selects shop/back-a for ingress" in judgement.because
    assert "shop/quiet selects shop/back-b and no rule matches" in judgement.because
    assert "shop/quiet" in {str(step.policy) for step in judgement.ingress.walk()}
    both = network_policy("both", {"podSelector": {"matchLabels": {"app": "back"}}, "ingress": []})
    (denied,) = ask("client", "svc:shop/back", "80", both, CLIENT, *BACKS, IN_FRONT).judgements
    assert "shop/both selects shop/back-a and no rule matches" in denied.because


@pytest.mark.parametrize(("port", "served"), [("80", True), ("30081", True), ("8080", False)])
def test_a_port_that_a_service_does_not_have_is_an_error(port: str, served: bool) -> None:
    """Its target port is no port of it, its node port is one; ICMP has none."""
    some = (QUIET, CLIENT, *BACKS, IN_FRONT)
    if served:
        assert ask("client", "svc:shop/back", port, *some, via="10.96.0.8").judgements
    else:
        said = r"svc:shop/back has no port tcp/8080 \(it has tcp/80, tcp/30081\)"
        with pytest.raises(UsageError, match=said):
            ask("client", "svc:shop/back", port, *some)
    assert ask("client", "svc:shop/back", "icmp", *some).judgements


def test_policies_that_are_not_enforced_are_said_not_to_be() -> None:
    """All of them: one that is enforced decides, and the premise would mislead."""
    staged = thing(
        "projectcalico.org/v3", "StagedNetworkPolicy", "trial", "shop",
        spec={"selector": "all()", "types": ["Ingress"]})  # fmt: skip
    found = ask("client", "shop/back-a", "80", staged, CLIENT, *BACKS)
    assert set(verdicts(found)) == {"IPv4 ALLOWED", "IPv6 ALLOWED"}
    assert found.premises == (
        "no policy here is enforced on pods: StagedNetworkPolicy shop/trial (staged, not enforced)",
    )
    with_other = ask("client", "shop/back-a", "80", staged, QUIET, CLIENT, *BACKS)
    assert "enforced" not in " ".join(with_other.premises)


def test_a_service_that_is_only_a_name_has_no_pods() -> None:
    """ExternalName: its address is outside."""
    spec = {"type": "ExternalName", "externalName": "db.example.com"}
    alias = thing("v1", "Service", "alias", "shop", spec=spec)
    said = "svc:shop/alias is of type ExternalName, a name for 'db.example.com'"
    with pytest.raises(UsageError, match=said):
        ask("client", "svc:shop/alias", "80", QUIET, CLIENT, alias)


def test_a_pod_that_has_ended_sends_nothing() -> None:
    """A completed Job's pod keeps its labels and its address in the files."""
    done = pod("done", {"app": "web"}, "10.244.1.8")
    done["status"]["phase"] = "Succeeded"
    for source, to in (("shop/done", "client"), ("client", "shop/done")):
        with pytest.raises(UsageError, match=r"shop/done has ended \(phase Succeeded\)"):
            ask(source, to, "80", QUIET, CLIENT, done)


def clustered(*keys: str, **more: Any) -> Object:
    """A cluster file in which pods of namespace shop have these keys, and a client of blog."""
    shop = {"namespace": "shop", "labels": {"role": "b"}, "addresses": ["10.0.0.2"], **more}
    client = {"namespace": "blog", "addresses": ["10.0.0.1"]}
    return {"endpoints": {**dict.fromkeys(keys, shop), "client": client}}


def test_an_endpoint_of_the_cluster_file_is_found_by_namespace_and_name_too() -> None:
    """Its labels and addresses are known, whatever its key and however it is asked for."""
    for key, asked in (("back", "back"), ("back", "shop/back"), ("shop/back", "shop/back")):
        described = clustered(key)
        if "/" in key:
            del described["endpoints"][key]["namespace"]
        found = ask("blog/client", asked, "80", QUIET, snapshot=described)
        assert verdicts(found) == ["IPv4 DENIED"]
        assert found.judgements[0].flow.destination.name == "shop/back"
    other = clustered("one", pod="back")
    assert verdicts(ask("client", "shop/back", "80", QUIET, snapshot=other)) == ["IPv4 DENIED"]
    hosted = clustered("back", kind="host")
    (judgement,) = ask("client", "host:shop/back", "80", QUIET, snapshot=hosted).judgements
    assert judgement.flow.destination.kind is EndpointKind.HOST
    (bare,) = ask(
        "client", "host:shop/back,10.0.0.9", "80", QUIET, snapshot=clustered("back")
    ).judgements
    assert str(bare.flow.address) == "10.0.0.9"


def test_a_key_and_a_namespace_that_differ_are_refused() -> None:
    """Of a cluster file."""
    with pytest.raises(Refusals, match="in namespace 'blog' by its name, in 'shop' below"):
        ask("client", "blog/back", "80", QUIET, snapshot=clustered("blog/back"))


def test_a_headless_service_names_the_pods_to_ask_for() -> None:
    """Its name leads to pods, and the verdict may differ from one to the other."""
    service = thing("v1", "Service", "web", "shop",
                    spec={"clusterIP": "None", "selector": {"app": "web"}})  # fmt: skip
    with pytest.raises(UsageError, match=r"headless.*\(shop/web-6f7-a, shop/web-6f7-b"):
        ask("db-0", "svc:shop/web", "80", FROM_WEB, WEB_A, WEB_B, DB, service)
    with pytest.raises(UsageError, match="none is known"):
        ask("db-0", "svc:shop/web", "80", FROM_WEB, DB, service)


def test_what_is_given_by_hand_comes_before_what_objects_say() -> None:
    """A pod of the files may be asked for with another label, address, node or account."""
    some = (FROM_WEB, WEB_A, DB)
    assert verdicts(ask("web-6f7-a,app=x", "db-0", "sql", *some)) == BOTH_DENIED
    assert verdicts(ask("web-6f7-a,10.9.9.9", "db-0", "sql", *some)) == ["IPv4 ALLOWED"]
    found = ask("web-6f7-a", "db-0,port:sql=tcp/1", "sql", *some)
    assert found.judgements[0].flow.port == 1
    assert ask("web-6f7-a,@n,sa:x", "db-0", "1", *some).judgements[0].flow.source.node == "n"
    held = ask("host:shop/web-6f7-a", "db-0", "sql", *some).judgements[0].flow.source
    assert held.kind is EndpointKind.HOST


def test_nodes_bring_their_addresses_and_tunnels() -> None:
    """What comes from a node may carry its address in the tunnel."""
    node = thing("v1", "Node", "worker2", meta={"annotations": {
        "projectcalico.org/IPv4VXLANTunnelAddr": "10.244.9.1"}}, status={"addresses": [
            {"type": "InternalIP", "address": "172.18.0.3"},
            {"type": "Hostname", "address": "worker2"}]})  # fmt: skip
    found = ask("node:worker2", "db-0", "sql", FROM_WEB, DB, node)
    assert [str(p.source.address) for p in found.judgements[0].ingress.packets] == [
        "172.18.0.3", "10.244.9.1"]  # fmt: skip
    assert found.premises == ()


def test_a_node_that_is_not_known_is_a_premise() -> None:
    """Traffic from a pod's own node is let in, whatever policies say."""
    away = {**DB, "spec": {}}
    found = ask("node:worker,172.18.0.2", "db-0", "5432", FROM_WEB, away)
    assert found.premises == ("the node of shop/db-0 is not known: write @NODE behind it",)
    assert verdicts(found) == ["IPv4 UNDEFINED"]


def test_a_name_is_looked_for_at_home_and_then_everywhere() -> None:
    """As kubectl's -n: a name alone is one of that namespace, or the only one of all."""
    other = {**WEB_A, "metadata": {**WEB_A["metadata"], "namespace": "other"}}
    with pytest.raises(UsageError, match=r"in several namespaces: write one of shop/.*, other/web"):
        ask("web-6f7-a", "db-0", "sql", FROM_WEB, WEB_A, other, DB)
    found = ask("web-6f7-a", "db-0", "sql", FROM_WEB, WEB_A, other, DB, namespace="other")
    assert verdicts(found) == BOTH_DENIED
    pods = [pod(f"p{i}", {}, "10.0.0.1") for i in range(12)]
    with pytest.raises(UsageError, match=r"'no' is no endpoint .known: shop/p0, .* and 4 more"):
        ask("no", "db-0", "sql", FROM_WEB, *pods)


def test_a_cluster_file_may_stand_beside_objects() -> None:
    """The file wins; its names can be asked for with more behind them."""
    snapshot = {"endpoints": {"w": {"namespace": "shop", "labels": {"app": "web"}}}}
    found = ask("w,10.1.1.1", "db-0", "sql", FROM_WEB, DB, snapshot=snapshot)
    assert verdicts(found) == ["IPv4 ALLOWED"]
    assert found.judgements[0].flow.source.name == "shop/w"
    with pytest.raises(
        Refusals, match=r"cluster.yaml: document 1, line 1: endpoint: unknown field"
    ):
        ask("w", "db-0", "sql", FROM_WEB, DB, snapshot={"endpoint": {}})


@pytest.mark.parametrize(
    ("kind", "api", "spec"),
    [
        ("DaemonSet", "apps/v1", template({"app": "web"})),
        ("ReplicationController", "v1", template({"app": "web"})),
        ("Job", "batch/v1", template({"app": "web"})),
        ("CronJob", "batch/v1", {"jobTemplate": {"spec": template({"app": "web"})}}),
    ],
)
def test_everything_that_makes_pods_is_an_endpoint(kind: str, api: str, spec: Object) -> None:
    """Its template has the labels, the service account and the ports."""
    roster = Roster()
    roster.take(thing(api, kind, "x", spec=spec))
    (found,) = roster.templates.values()
    assert (found.name, found.labels, found.service_account) == (
        "default/x", (("app", "web"),), "default")  # fmt: skip


def test_pods_are_read_as_the_api_has_them() -> None:
    """hostNetwork, ports of all containers, one address, ended pods, generated names."""
    roster = Roster("home")
    spec = {"hostNetwork": True, "serviceAccount": "old", "initContainers": [{"ports": [SQL]}],
            "containers": [{"ports": DNS}, {}]}  # fmt: skip
    roster.take(thing("v1", "Pod", "a", spec=spec, status={"podIP": "10.0.0.1"}))
    roster.take({"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "b-"}})
    for phase in ("Succeeded", "Failed"):
        roster.take(thing("v1", "Pod", phase, status={"phase": phase, "podIP": "10.0.0.1"}))
    one, other = roster.pods.values()
    assert (one.name, one.kind, one.service_account) == ("home/a", EndpointKind.HOST, "old")
    assert [(p.name, p.protocol) for p in roster.ports["home", "a"]] == [
        ("dns", Protocol.TCP), ("dns", Protocol.UDP), ("sql", Protocol.TCP)]  # fmt: skip
    assert (other.name, other.addresses) == ("home/b-", ())


def test_service_accounts_bring_their_labels() -> None:
    """Calico's policies choose by them."""
    calico = thing("projectcalico.org/v3", "NetworkPolicy", "p", "shop", spec={
        "ingress": [{"action": "Allow",
                     "source": {"serviceAccounts": {"selector": "role == 'x'"}}}]})  # fmt: skip
    account = thing("v1", "ServiceAccount", "front", "shop", meta={"labels": {"role": "x"}})
    web = pod("w", {}, "10.0.0.1", serviceAccountName="front")
    assert verdicts(ask("w", "db-0", "1", calico, web, DB, account)) == ["IPv4 ALLOWED"]
    found = ask("w", "db-0", "1", calico, web, DB)
    assert verdicts(found) == ["IPv4 DENIED"]
    assert "service account shop/front is taken to have no labels: no file has it" in (
        found.premises
    )


CALICO_ACCOUNTS = thing("projectcalico.org/v3", "GlobalNetworkPolicy", "p", spec={
    "selector": "all()", "ingress": [
        {"action": "Allow", "source": {"serviceAccounts": {"names": ["front"]}}}]})  # fmt: skip
HAS_TEAM = {"matchExpressions": [{"key": "team", "operator": "Exists"}]}
NAME = "kubernetes.io/metadata.name"
IN_X = {"matchExpressions": [{"key": NAME, "operator": "In", "values": ["x"]}]}


def from_namespaces(*selectors: Object) -> Object:
    """A policy that lets these namespaces in."""
    rules = [{"from": [{"namespaceSelector": selector}]} for selector in selectors]
    return network_policy("p", {"podSelector": {}, "ingress": rules})


BY_TEAM, BY_NAME = from_namespaces(HAS_TEAM), from_namespaces({"matchLabels": {NAME: "x"}}, IN_X)
CALICO_TEAM = thing("projectcalico.org/v3", "GlobalNetworkPolicy", "p", spec={
    "selector": "", "ingress": [{
        "action": "Allow", "source": {"namespaceSelector": "team == 'a'"}, "protocol": "TCP",
        "destination": {"ports": ["80:90", 1]}}]})  # fmt: skip
FAR = network_policy("db", FROM_WEB["spec"], "far")
A, B = "shop/a,10.0.0.1", "shop/b,10.0.0.2"
NO_LABELS = "is taken to have no labels: none are known"


@pytest.mark.parametrize(
    ("policy", "source", "premises"),
    [
        (FROM_WEB, A, (f"shop/a {NO_LABELS}", f"shop/b {NO_LABELS}",
                       "shop/b is taken to have no named ports, and a policy goes by port sql: "
                       "none were given (port:NAME=tcp/8080)")),
        (FAR, A, ()),
        (BY_TEAM, A, ("namespace shop is taken to have no label but its name: no file has it",
                      ) * 2),
        (BY_TEAM, f"{A},ns:team=a", ()),
        (BY_NAME, A, ()),
        (CALICO_TEAM, A, ("namespace shop is taken to have no label but its name: no file has "
                          "it",) * 2),
        (CALICO_ACCOUNTS, f"{A},sa:front", ("shop/b is taken to run as service account default",)),
        (network_policy("p", {"podSelector": {}}), A, ()),
    ],
    ids=["labels", "elsewhere", "team", "team-said", "by-name", "calico-team", "account", "none"],
)  # fmt: skip
def test_premises_are_what_policies_look_at_and_nobody_said(
    policy: Object, source: str, premises: tuple[str, ...]
) -> None:
    """Only what is looked at, by a policy that may matter, is reported."""
    assert ask(source, B, "80", policy).premises == tuple(dict.fromkeys(premises))


def test_a_namespace_that_no_file_mentions_is_a_premise() -> None:
    """A slip of the pen in a namespace would else count as a stranger there."""
    found = ask("shpo/web,10.0.0.1,app=web", "db-0", "sql", FROM_WEB, DB)
    assert found.premises == ("no file has namespace shpo",)


def test_a_policy_without_a_namespace_stands_in_default_and_the_answer_says_so() -> None:
    """Where -n names it, nothing is taken for granted."""
    bare = [{**FROM_WEB, "metadata": {"name": f"p{i}"}} for i in range(5)]
    a, b = "default/a,10.0.0.1,app=x", "default/b,10.0.0.2,app=db,port:sql=tcp/1"
    assert ask(a, b, "sql", bare[0]).premises == (
        "namespace default is taken for NetworkPolicy default/p0, which names none (-n says "
        "another)",
    )
    (premise,) = ask(a, b, "sql", *bare).premises
    assert "default/p2 and 2 more, which name none" in premise
    assert ask(a, b, "sql", bare[0], namespace="default").premises == ()


@pytest.mark.parametrize(
    ("kind", "version", "profile", "releases"),
    [
        ("AdminNetworkPolicy", "v1alpha1", CALICO, "from 3.32 on"),
        ("AdminNetworkPolicy", "v1alpha1", CALICO_3_31, ""),
        ("ClusterNetworkPolicy", "v1alpha2", CALICO, ""),
        ("ClusterNetworkPolicy", "v1alpha2", CALICO_3_31, "up to 3.31"),
        ("AdminNetworkPolicy", "v1alpha1", KUBERNETES, ""),
    ],
)
def test_an_api_that_a_release_does_not_enforce_is_a_premise(
    kind: str, version: str, profile: ProviderProfile, releases: str
) -> None:
    """Calico 3.32 took ClusterNetworkPolicy in the place of AdminNetworkPolicy."""
    tier = {"tier": "Admin"} if kind == "ClusterNetworkPolicy" else {}
    value = thing(f"policy.networking.k8s.io/{version}", kind, "a",
                  spec={"priority": 1, "subject": {"namespaces": {}}, **tier})  # fmt: skip
    said = f"{kind} is judged as the API says; Calico {releases} does not enforce it"
    assert ask(A, B, "1", value, profile=profile).premises == ((said,) if releases else ())


NOTHING: dict[str, list[Object]] = {
    "no-object": [],
    "an-empty-list": [{"apiVersion": "v1", "kind": "List", "items": []}],
    "no-policy": [WEB, SERVICE, thing("v1", "ConfigMap", "c")],
    "tiers-alone": [thing("projectcalico.org/v3", "Tier", "t", spec={"order": 1})],
}


@pytest.mark.parametrize("values", NOTHING.values(), ids=NOTHING)
def test_nothing_to_judge_is_an_error(values: list[Object]) -> None:
    """No policy read is no finding that all is allowed."""
    with pytest.raises(UsageError, match="nothing to judge: no file holds a policy"):
        ask(A, B, "80", *values)
    assert verdicts(ask(A, B, "80", *values, no_policies=True)) == ["IPv4 ALLOWED"]


def test_nothing_to_judge_says_what_was_left_out() -> None:
    """Who gave policies of another API learns that they were seen, and why they do not count."""
    cilium = thing("cilium.io/v2", "CiliumNetworkPolicy", "deny")
    with pytest.raises(
        UsageError, match=r"no file holds a policy \(CiliumNetworkPolicy deny left out"
    ) as bad:
        ask(A, B, "80", cilium)
    assert "cilium.io/v2 is an API whose policies are not judged here" in str(bad.value)


def test_a_question_without_policies_takes_none() -> None:
    """The two contradict each other."""
    with pytest.raises(UsageError, match="the files hold some: NetworkPolicy shop/db"):
        ask(A, B, "80", FROM_WEB, no_policies=True)


def test_lists_inside_lists_are_judged() -> None:
    """What an outer list holds is as good as what stands alone."""
    inner = {"apiVersion": "v1", "kind": "List", "items": [FROM_WEB]}
    outer = {"apiVersion": "v1", "kind": "List", "items": [inner, DB]}
    assert verdicts(ask(A, "db-0", "sql", outer)) == ["IPv4 DENIED"]


def refused(*values: Placed, **more: Any) -> tuple[str, ...]:
    """What is wrong with these objects."""
    with pytest.raises(Refusals) as caught:
        answer_placed(Question(A, B, "80", **more), values)
    assert str(caught.value).splitlines() == list(caught.value.reasons)
    return caught.value.reasons


def test_all_that_is_wrong_is_reported_at_once_with_its_place() -> None:
    """One run of the command shows every error, not the first of them."""
    bad_port = network_policy("a", {"podSelector": {}, "ingres": []})
    bad_set = thing("projectcalico.org/v3", "GlobalNetworkSet", "s", spec={"nets": ["x"]})
    tiered = thing("projectcalico.org/v3", "GlobalNetworkPolicy", "g", spec={"tier": "t"})
    bad_pod = pod("p", {}, "10.0.0.300")
    reasons = refused(
        Placed(bad_port, "x.yaml: document 1, line 1"),
        Placed(bad_set, "x.yaml: document 2, line 9"),
        Placed({"kind": "List", "apiVersion": "v1", "items": [tiered, bad_pod]}, "y.yaml: line 1"),
        Placed(7, "z.yaml: document 3, line 4"),
    )
    assert reasons == (
        "y.yaml: line 1: status.podIPs[0].ip: '10.0.0.300' is not an IP address (in Pod shop/p)",
        "z.yaml: document 3, line 4: must be an object, is 7 (in a value that is no object)",
        "x.yaml: document 1, line 1: spec.ingres: unknown field, did you mean ingress? (in "
        "NetworkPolicy shop/a)",
        "x.yaml: document 2, line 9: spec.nets[0]: 'x' is not a CIDR: 'x' is not an IP address "
        "(in GlobalNetworkSet s)",
        "y.yaml: line 1: spec.tier: no file holds tier t, so its place is not known: add its Tier, "
        "or say --tier t=ORDER (in GlobalNetworkPolicy g)",
    )


def test_a_thousand_errors_are_counted() -> None:
    """Errors are bounded: twenty are reported."""
    some = [network_policy(f"p{i}", {"x": 1}) for i in range(1000)]
    reasons = refused(*map(Placed, some))
    assert (len(reasons), reasons[-1]) == (21, "and 980 more")
    assert len("\n".join(reasons)) < 10_000


OLD = {"apiVersion": "extensions/v1beta1", "kind": "NetworkPolicy", "metadata": {"name": "a"}}
TYPO = {"apiVersion": "networking.k8s.io/v1", "kind": "Networkpolicy", "metadata": {"name": "a"}}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (OLD, "write networking.k8s.io/v1"),
        (TYPO, "did you mean NetworkPolicy?"),
        (thing("v1", "Pod", ""), "metadata.name: is required"),
        (thing("v1", "Service", "s", spec={"ports": [{}]}), "spec.ports[0].port: is required"),
        (thing("v1", "Pod", "p" * 300), "metadata.name: is longer than 253 characters"),
        (pod("p", {}, "fe80::1%eth0"), "has a zone"),
        (pod("p", {}, "10.0.0.1", containers=[{"ports": [
            {"name": "x", "containerPort": 1, "protocol": "IP"}]}]), "'IP' is not one of TCP"),
    ],
)  # fmt: skip
def test_objects_that_are_wrong_say_where(value: Object, reason: str) -> None:
    (said,) = refused(Placed(value, "f.yaml: document 1, line 1"))
    assert said.startswith("f.yaml: document 1, line 1: ")
    assert reason in said


def test_what_is_left_out_is_reported_by_kind() -> None:
    """The cluster's own objects are used; a policy of another API is named as such."""
    cilium = thing("cilium.io/v2", "CiliumNetworkPolicy", "c", "shop")
    found = ask(A, B, "80", FROM_WEB, SHOP, WEB, DB, cilium, thing("v1", "Secret", "s"))
    assert any("CiliumNetworkPolicy" in note and "cilium.io/v2" in note for note in found.notes)
    assert any("Secret" in note for note in found.notes)
    assert not any("Deployment" in note or "Pod" in note for note in found.notes)


@pytest.mark.parametrize("length", [4, 240])
def test_what_is_reported_of_a_service_with_many_pods_is_bounded(length: int) -> None:
    """A list of names ends after eight."""
    pods = [pod(f"{'p' * length}-{n}", {"app": "web"}, "10.0.0.1") for n in range(500)]
    service = thing("v1", "Service", "web", "shop",
                    spec={"clusterIP": "None", "selector": {"app": "web"}})  # fmt: skip
    with pytest.raises(UsageError) as caught:
        ask(A, "svc:shop/web", "80", FROM_WEB, service, *pods)
    assert len(str(caught.value)) < 1500
    assert "and 492 more" in str(caught.value)
