from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from testbed.cluster import hostile, kind
from testbed.errors import BedError
from testbed.faults import fault
from testbed.variants import variant

STAGING = variant.load("staging")


def of_kind(name: str) -> list[dict[str, Any]]:
    return [one for one in hostile.objects() if one["kind"] == name]


def test_one_worker_is_left_for_those_who_ask_for_nothing() -> None:
    commands = [" ".join(words) for words in hostile.node_commands(STAGING)]
    assert commands[:3] == [
        "taint --overwrite node six-staging-worker2 sixproof.test/team=storage:NoSchedule",
        "cordon six-staging-worker3",
        "label --overwrite node six-staging-worker kubernetes.io/hostname=host-1.example",
    ]
    assert len(commands) == 3 + len(STAGING.nodes)


def test_labels_by_which_the_bed_itself_runs_stay() -> None:
    """DaemonSets of Calico and kube-proxy ask for the operating system."""
    assert not any("kubernetes.io/os" in word for w in hostile.node_commands(STAGING) for word in w)


def test_the_api_server_starts_with_restricted_pods_as_the_default() -> None:
    settings = kind.settings(STAGING, True, None, Path("/cache/clusters/six-staging"))
    patches = [yaml.safe_load(str(p)) for p in settings["kubeadmConfigPatches"]]  # type: ignore[attr-defined]
    (server,) = [p["apiServer"] for p in patches if "apiServer" in p]
    file = server["extraArgs"]["admission-control-config-file"]
    nodes: Any = settings["nodes"]
    (mount,) = nodes[0]["extraMounts"]
    assert mount["containerPath"] == file
    assert mount["hostPath"] == "/cache/clusters/six-staging/admission.yaml"
    (volume,) = server["extraVolumes"]
    assert file.startswith(volume["mountPath"])
    (plugin,) = hostile.admission()["plugins"]
    assert plugin["configuration"]["defaults"]["enforce"] == "restricted"
    assert set(plugin["configuration"]["exemptions"]["namespaces"]) == set(hostile.SYSTEM)


def test_other_beds_have_none_of_it() -> None:
    text = str(kind.settings(variant.load(), True, None, Path("/cache")))
    assert "apiServer" not in text
    assert "extraMounts" not in text


def test_the_default_deny_and_admission_leave_the_system_alone() -> None:
    (deny,) = of_kind("GlobalNetworkPolicy")
    (policy,) = of_kind("ValidatingAdmissionPolicy")
    (left,) = policy["spec"]["matchConstraints"]["namespaceSelector"]["matchExpressions"]
    assert (left["operator"], left["values"]) == ("NotIn", list(hostile.SYSTEM))
    for name in hostile.SYSTEM:
        assert f'"{name}"' in deny["spec"]["namespaceSelector"]
        assert name in fault.find("P0").inject  # the fault has the same ones
    assert deny["spec"]["types"] == ["Ingress", "Egress"]
    assert "ingress" not in deny["spec"]


def test_a_policy_without_its_binding_would_refuse_nothing() -> None:
    (policy,) = of_kind("ValidatingAdmissionPolicy")
    (binding,) = of_kind("ValidatingAdmissionPolicyBinding")
    assert binding["spec"]["policyName"] == policy["metadata"]["name"]
    assert binding["spec"]["validationActions"] == ["Deny"]


def test_quotas_come_with_defaults_so_that_pods_without_requests_count() -> None:
    homes = {one["metadata"]["namespace"] for one in of_kind("ResourceQuota")}
    assert homes == {one["metadata"]["namespace"] for one in of_kind("LimitRange")}
    assert homes == {"default", hostile.NAMESPACE}


@pytest.mark.parametrize(
    ("before", "after"), [("workers = 3", "workers = 2"), ('"calico"', '"kindnet"')]
)
def test_a_hostile_bed_needs_enough_workers_and_calico(before: str, after: str) -> None:
    text = (variant.FOLDER / "staging.toml").read_text().replace(before, after)
    with pytest.raises(BedError):
        variant.parse(
            "mine", text.replace('"VXLAN"', '"None"' if "kindnet" in after else '"VXLAN"')
        )


def test_hostile_is_true_or_false() -> None:
    text = (variant.FOLDER / "staging.toml").read_text()
    with pytest.raises(BedError, match=r"hostile in mine\.toml to be true or false"):
        variant.parse("mine", text.replace("hostile = true", "hostile = 1"))
    assert not variant.parse("mine", text.replace("hostile = true", "hostile = false")).hostile
