"""What a heap of objects holds: nothing that means to be a policy is left out in silence."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from sixproof.errors import ManifestError
from sixproof.policy import ClusterSnapshot, Oracle
from sixproof.policy.manifests.intake import Intake, joined, take
from tests.unit.policy.cluster import manifests, network_policy

POLICY = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p}}"
OURS = "networking.k8s.io/v1"
CALICO = "projectcalico.org/v3"

SLIPS: dict[str, tuple[str, str, str]] = {
    "wrong case": (f"{{apiVersion: {OURS}, kind: Networkpolicy}}", "kind",
                   "has no 'Networkpolicy', did you mean NetworkPolicy?"),
    "small letters": (f"{{apiVersion: {CALICO}, kind: globalnetworkpolicy}}", "kind",
                      "did you mean GlobalNetworkPolicy?"),
    "short kind in small letters": (f"{{apiVersion: {CALICO}, kind: tier}}", "kind",
                                    "did you mean Tier?"),
    "a letter lost": (f"{{apiVersion: {OURS}, kind: NetworkPolcy}}", "kind", "mean NetworkPolicy?"),
    "plural": (f"{{apiVersion: {OURS}, kind: NetworkPolicies}}", "kind", "mean NetworkPolicy?"),
    "kind of another group of ours": (
        f"{{apiVersion: {OURS}, kind: GlobalNetworkPolicy}}", "kind",
        "GlobalNetworkPolicy is of projectcalico.org/v3"),
    "unknown policy in a group of ours": (
        f"{{apiVersion: {OURS}, kind: OtherPolicy}}", "kind", "is no policy that can be judged"),
    "no group": ("{apiVersion: v1, kind: NetworkPolicy}", "apiVersion",
                 "'v1' has no 'NetworkPolicy': NetworkPolicy is of networking.k8s.io/v1 or"),
    "half a group": ("{apiVersion: networking/v1, kind: NetworkPolicy}", "apiVersion", "has no"),
    "misspelt group": ("{apiVersion: networking.k8.io/v1, kind: NetworkPolicy}", "apiVersion",
                       "NetworkPolicy is of networking.k8s.io/v1"),
    "group in the wrong case": ("{apiVersion: Networking.k8s.io/v1, kind: NetworkPolicy}",
                                "apiVersion", "NetworkPolicy is of networking.k8s.io/v1"),
    "group ending otherwise": ("{apiVersion: projectcalico.com/v3, kind: GlobalNetworkPolicy}",
                               "apiVersion", "is of projectcalico.org/v3"),
    "group and kind misspelt": ("{apiVersion: networking.k8s/v1, kind: Networkpolicy}",
                                "apiVersion", "NetworkPolicy is of"),
    "no apiVersion": ("{kind: NetworkPolicy}", "apiVersion", "is required"),
    "no kind": (f"{{apiVersion: {OURS}, spec: {{}}}}", "kind", "is required"),
    "kind is null": (f"{{apiVersion: {OURS}, kind: }}", "kind", "is required"),
    "kind is a number": ("{apiVersion: v1, kind: 3}", "kind", "must be text, is 3"),
    "version is a number": ("{apiVersion: 1, kind: NetworkPolicy}", "apiVersion", "must be text"),
    "keys in the wrong case": ("{apiversion: v1, Kind: NetworkPolicy}", "apiversion",
                               "unknown field, did you mean apiVersion?"),
    "a list without items": ("{apiVersion: v1, kind: List}", "items", "must be a list of objects"),
    "items that are none": ("{apiVersion: v1, kind: List, items: {}}", "items", "must be a list"),
    "a typed list without items": (f"{{apiVersion: {OURS}, kind: NetworkPolicyList}}", "items",
                                   "must be a list of objects, kind NetworkPolicyList holds one"),
    "a list in the wrong case": (f"{{apiVersion: v1, kind: list, items: [{POLICY}]}}", "kind",
                                 "did you mean List?"),
    "a typed list in the wrong case": (
        f"{{apiVersion: {OURS}, kind: networkpolicylist, items: [{POLICY}]}}", "kind",
        "did you mean NetworkPolicyList?"),
    "a misspelt typed list": (
        f"{{apiVersion: {OURS}, kind: NetworkpolicyList, items: [{{metadata: {{name: a}}}}]}}",
        "kind", "did you mean NetworkPolicy?"),
    "a list without type": (f"{{items: [{POLICY}]}}", "kind", "is required"),
    "a list without version": ("{kind: List, items: 1}", "apiVersion", "is required"),
    "no object": ("text", "", "must be an object, is 'text'"),
    "no object in a list": ("{apiVersion: v1, kind: List, items: [7]}", "", "must be an object"),
    "keys that are no text": (POLICY.replace("{api", "{1: a, api", 1), "", "keys must be text"),
}  # fmt: skip


@pytest.mark.parametrize("what", SLIPS)
def test_what_means_to_be_a_policy_and_is_none_is_refused(what: str) -> None:
    text, path, reason = SLIPS[what]
    with pytest.raises(ManifestError) as refused:
        take([yaml.safe_load(text)])
    assert refused.value.path == path
    assert reason in refused.value.reason


LEFT = {
    "Istio": ("security.istio.io/v1", "AuthorizationPolicy"),
    "Flux": ("image.toolkit.fluxcd.io/v1beta2", "ImagePolicy"),
    "Cilium": ("cilium.io/v2", "CiliumNetworkPolicy"),
    "Cilium, cluster-wide": ("cilium.io/v2", "CiliumClusterwideNetworkPolicy"),
    "admission": ("admissionregistration.k8s.io/v1alpha1", "MutatingAdmissionPolicy"),
    "Pod Security": ("policy/v1beta1", "PodSecurityPolicy"),
    "Antrea": ("crd.antrea.io/v1beta1", "NetworkPolicy"),
    "AWS": ("networking.k8s.aws/v1alpha1", "ClusterNetworkPolicy"),
    "Multus": ("k8s.cni.cncf.io/v1beta1", "MultiNetworkPolicy"),
    "Gateway API": ("gateway.networking.k8s.io/v1", "BackendTLSPolicy"),
    "Calico's egress gateways": (CALICO, "EgressGatewayPolicy"),
}


@pytest.mark.parametrize("whose", LEFT)
def test_policies_of_other_apis_are_left_out_with_a_note(whose: str) -> None:
    api, kind = LEFT[whose]
    value = {"apiVersion": api, "kind": kind, "metadata": {"name": "a", "namespace": "b"}}
    found = take([value])
    (note,) = found.notes()
    assert f"{kind} b/a left out: {api} is an API whose policies are not judged here" in note
    assert (found.count, found.policies, found.others) == (0, (), (value,))


OTHERS = [
    "{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: a}}",
    "{apiVersion: projectcalico.org/v3, kind: IPPool, metadata: {name: a}}",
    "{apiVersion: crd.projectcalico.org/v1, kind: FelixConfiguration, metadata: {name: a}}",
    "{apiVersion: extensions/v1beta1, kind: Ingress, metadata: {name: a}}",
    "{apiVersion: kubeflow.org/v1, kind: Profile, metadata: {name: a}}",
    "{apiVersion: example.org/v1, kind: AddressList, items: [10.0.0.1], metadata: {name: a}}",
]


@pytest.mark.parametrize("text", OTHERS)
def test_other_objects_are_left_out_with_a_note(text: str) -> None:
    value = yaml.safe_load(text)
    assert take([value]).notes() == (f"{value['kind']} a is no policy, and was left out",)


@pytest.mark.parametrize("text", ["{}", "{replicas: 2, kind: {on: true}}", "{8080: a, Error: b}",
                                  "{apiVersion: 2, items: {}}"])  # fmt: skip
def test_values_of_a_chart_are_left_alone(text: str) -> None:
    found = take([yaml.safe_load(text)])
    assert found.notes() == ("an object without kind or apiVersion left out",)
    assert found.count == 0


def test_lists_in_lists_are_taken_apart() -> None:
    inner = {"apiVersion": "v1", "kind": "List", "items": [yaml.safe_load(POLICY)]}
    found = take([{"apiVersion": "v1", "kind": "List", "items": [inner, inner["items"][0]]}])
    assert found.count == 2
    assert found.notes() == ("without metadata.namespace: read as NetworkPolicy default/p, "
                             "NetworkPolicy default/p",)  # fmt: skip


def test_a_list_that_holds_itself_is_refused() -> None:
    loop: dict[str, Any] = {"apiVersion": "v1", "kind": "List", "items": []}
    loop["items"].append(loop)
    with pytest.raises(ManifestError, match="must be a list of objects"):
        take([loop])


def test_nothing_is_no_policy() -> None:
    assert take([]) == Intake()
    assert take([]).count == 0


def test_what_decides_a_flow_is_counted() -> None:
    tier = {"apiVersion": CALICO, "kind": "Tier", "metadata": {"name": "t"}}
    profile = {"apiVersion": CALICO, "kind": "Profile", "metadata": {"name": "kns.a"}}
    found = take([tier, profile, yaml.safe_load(POLICY)])
    assert (len(found.policies), found.count) == (3, 2)


def test_policies_without_a_namespace_stand_in_the_one_that_is_asked_for() -> None:
    bare = yaml.safe_load(POLICY)
    empty = {**bare, "metadata": {"name": "q", "namespace": ""}}
    own = {**bare, "metadata": {"name": "r", "namespace": "own"}}
    found = take([bare, empty, own], "shop")
    spaces = [p.ref.namespace for p in Oracle.of(found.policies, ClusterSnapshot.of()).policies]
    assert sorted(spaces) == ["own", "shop", "shop"]
    assert len(found.defaulted) == 2


def test_notes_are_as_many_as_there_are_kinds() -> None:
    pods = [{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"p{i}"}} for i in range(500)]
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    found = joined([take([*pods, {"a": 1}, space]), take([{"b": 1}])])
    assert found.notes() == (
        "Pod p0, p1, p2 and 497 more are no policies, and were left out",
        "2 objects without kind or apiVersion left out",
    )
    assert len(found.others) == 503


def test_notes_are_as_many_as_anybody_reads() -> None:
    found = take([{"apiVersion": "v1", "kind": f"K{i}"} for i in range(100)])
    assert len(found.notes()) == 31
    assert found.notes()[-1] == "objects of 70 further kinds were left out"


def test_notes_and_errors_are_short_whatever_the_objects_hold() -> None:
    long = "x" * 100_000
    odd = {"apiVersion": f"{long}.io/v1", "kind": f"{long}Policy", "metadata": {"name": long}}
    assert all(len(note) < 500 for note in take([odd]).notes())
    for value in ({**odd, "apiVersion": OURS}, {**odd, "kind": {long: [long] * 9}}):
        with pytest.raises(ManifestError) as refused:
            take([value])
        assert len(str(refused.value)) < 800


def test_a_policy_of_the_old_group_is_refused_with_what_to_write() -> None:
    old = {**yaml.safe_load(POLICY), "apiVersion": "extensions/v1beta1"}
    with pytest.raises(ManifestError, match=r"extensions/v1beta1 is not served since Kubernetes"):
        Oracle.of(take([old]).policies, ClusterSnapshot.of())


def test_policies_are_taken_as_they_stand() -> None:
    some = manifests(network_policy("p", "{podSelector: {}}"))
    assert take(some).policies == tuple(some)
    assert take(some).notes() == ()
