import base64
from dataclasses import replace
from typing import Any

from testbed.cluster import calico
from testbed.variants import variant


def env(docs: list[dict[str, Any]]) -> dict[str, Any]:
    (node,) = docs[1]["spec"]["template"]["spec"]["containers"]
    return {item["name"]: item.get("value") for item in node["env"]}


def test_both_families_are_switched_on_and_usage_reports_off(
    manifest: list[dict[str, Any]],
) -> None:
    seen = env(calico.patch(manifest, variant.load(), built=True))
    assert seen["FELIX_IPV6SUPPORT"] == "true"
    assert seen["CALICO_IPV6POOL_VXLAN"] == seen["CALICO_IPV4POOL_VXLAN"] == "Always"
    assert seen["FELIX_USAGEREPORTINGENABLED"] == "false"
    assert "NODENAME" in seen


def test_felix_is_asked_over_both_families(manifest: list[dict[str, Any]]) -> None:
    """A variant's own settings come first."""
    seen = env(calico.patch(manifest, variant.load(), built=True))
    assert seen["FELIX_PROMETHEUSMETRICSENABLED"] == "true"
    assert seen["FELIX_HEALTHHOST"] == "0.0.0.0"  # noqa: S104 - Go takes both families
    own = replace(variant.load(), calico_env={"FELIX_HEALTHHOST": "localhost"})
    assert env(calico.patch(manifest, own, built=True))["FELIX_HEALTHHOST"] == "localhost"


def test_pods_are_given_an_address_of_each_family(manifest: list[dict[str, Any]]) -> None:
    config = calico.patch(manifest, variant.load(), built=True)[0]["data"]["cni_network_config"]
    assert '"assign_ipv4": "true", "assign_ipv6": "true"' in config


def test_images_made_here_do_without_bpf(manifest: list[dict[str, Any]]) -> None:
    patched = calico.patch(manifest, variant.load(), built=True)
    pod = patched[1]["spec"]["template"]["spec"]
    assert [c["name"] for c in pod["initContainers"]] == ["install-cni"]
    assert [v["name"] for v in pod["volumes"]] == ["lib-modules"]
    assert env(patched)["FELIX_DebugSkipCTLBCleanup"] == "true"


def test_upstreams_images_keep_theirs(manifest: list[dict[str, Any]]) -> None:
    patched = calico.patch(manifest, variant.load(), built=False)
    pod = patched[1]["spec"]["template"]["spec"]
    assert len(pod["initContainers"]) == 3
    assert "FELIX_DebugSkipCTLBCleanup" not in env(patched)


def test_setting_a_variable_twice_keeps_one() -> None:
    container: dict[str, Any] = {"env": [{"name": "A", "value": "1"}]}
    calico.set_env(container, {"A": "2"})
    calico.set_env(container, {"A": "2"})
    assert container["env"] == [{"name": "A", "value": "2"}]


def test_the_api_server_is_trusted_by_its_certificate() -> None:
    probe = {"readinessProbe": {"periodSeconds": 60}}
    docs: list[dict[str, Any]] = [
        {"kind": "Deployment", "spec": {"template": {"spec": {"containers": [probe]}}}},
        {"kind": "APIService", "spec": {}},
        {"kind": "Namespace"},
    ]
    made = calico.api_server(docs, "KEY", "CERT")
    assert [doc["kind"] for doc in made[:2]] == ["Namespace", "Secret"]
    assert made[1]["stringData"] == {"apiserver.key": "KEY", "apiserver.crt": "CERT"}
    service = next(doc for doc in made if doc["kind"] == "APIService")
    assert base64.b64decode(service["spec"]["caBundle"]) == b"CERT"
