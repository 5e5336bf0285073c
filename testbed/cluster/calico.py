"""Calico's manifests, read from the Go module of its pinned commit and patched in memory."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from testbed.build import gobuild
from testbed.cluster import bgp, yaml_text
from testbed.host import command
from testbed.variants.keys import Family
from testbed.variants.variant import Variant

# Without BIRD: Felix programs the routes, with or without tunnels.
MANIFEST = "calico-vxlan.yaml"
POOLS = "ippools.crd.projectcalico.org"
IPAM = '"type": "calico-ipam"'
USAGE = {"FELIX_USAGEREPORTINGENABLED": "false"}
# On every address of both families: that is what an unspecified one means to Go, whichever its
# family. calico-node's own probes use FELIX_HEALTHHOST, and would not accept "::" in a URL.
ENDPOINTS = {"FELIX_PROMETHEUSMETRICSENABLED": "true", "FELIX_HEALTHHOST": "0.0.0.0"}  # noqa: S104
# Programs built here have no cgo, so no BPF helpers; the first setting exists for this case.
WITHOUT_CGO = {"FELIX_DebugSkipCTLBCleanup": "true", "FELIX_XDPENABLED": "false"}
BPF_VOLUMES = ("bpffs", "sys-fs", "nodeproc")
CERTIFICATE_NAMES = "DNS:calico-api.calico-apiserver.svc"


def manifests() -> Path:
    """The folder of manifests inside Calico's module."""
    return gobuild.source(gobuild.CALICO, gobuild.CALICO_MODULE) / "manifests"


def manifest(variant: Variant) -> str:
    """The name of the manifest that a variant needs: with BIRD, or Felix only."""
    return bgp.MANIFEST if variant.bgp else MANIFEST


def documents(name: str) -> list[dict[str, Any]]:
    return yaml_text.documents((manifests() / name).read_text())


def set_env(container: dict[str, Any], values: Mapping[str, str]) -> None:
    """Set environment variables of a container, replacing those of the same name."""
    kept = [item for item in container.get("env", []) if item["name"] not in values]
    container["env"] = [*kept, *({"name": name, "value": text} for name, text in values.items())]


def patch(docs: list[dict[str, Any]], variant: Variant, built: bool) -> list[dict[str, Any]]:
    """Calico's manifest for the variant; `built` for images made here."""
    for doc in docs:
        if doc["kind"] == "ConfigMap" and "cni_network_config" in doc.get("data", {}):
            wanted = ", ".join([IPAM, *(assignment(variant, family) for family in Family)])
            config = doc["data"]["cni_network_config"]
            doc["data"]["cni_network_config"] = config.replace(IPAM, wanted)
        if doc["kind"] == "DaemonSet":
            pod = doc["spec"]["template"]["spec"]
            settings = {**ENDPOINTS, **variant.calico_settings, **USAGE}
            set_env(pod["containers"][0], settings)
            if variant.bgp:
                bgp.probes(pod, variant.families)
            if built:
                without_bpf(pod)
    return docs


def assignment(variant: Variant, family: Family) -> str:
    """Whether pods get an address of a family, as the IPAM plugin's setting."""
    return f'"assign_{family.lower()}": "{str(family in variant.families).lower()}"'


def without_bpf(pod: dict[str, Any]) -> None:
    """Remove what only upstream's image can do, and the one-time migration from another IPAM."""
    pod["initContainers"] = [c for c in pod["initContainers"] if c["name"] == "install-cni"]
    node = pod["containers"][0]
    set_env(node, WITHOUT_CGO)
    node["volumeMounts"] = [m for m in node["volumeMounts"] if m["name"] not in BPF_VOLUMES]
    pod["volumes"] = [v for v in pod["volumes"] if v["name"] not in BPF_VOLUMES]


def api_server(docs: list[dict[str, Any]], key: str, certificate: str) -> list[dict[str, Any]]:
    """The Calico API server's manifest with its certificate, trusted by the aggregator."""
    encoded = base64.b64encode(certificate.encode()).decode()
    for doc in docs:
        if doc["kind"] == "APIService":
            doc["spec"]["caBundle"] = encoded
        if doc["kind"] == "Deployment":
            # Ready counts from the first answer, not from the next of upstream's 60 s periods.
            container = doc["spec"]["template"]["spec"]["containers"][0]
            container["readinessProbe"]["periodSeconds"] = 3
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "calico-apiserver-certs", "namespace": "calico-apiserver"},
        "stringData": {"apiserver.key": key, "apiserver.crt": certificate},
    }
    namespaces = [doc for doc in docs if doc["kind"] == "Namespace"]
    return [*namespaces, secret, *(doc for doc in docs if doc["kind"] != "Namespace")]


def certificate() -> tuple[str, str]:
    """A new key and a self-signed certificate for the Calico API server's service."""
    with tempfile.TemporaryDirectory(prefix="six-") as folder:
        key, crt = Path(folder, "key"), Path(folder, "crt")
        command.run(
            [
                *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt"),
                *("ec_paramgen_curve:prime256v1", "-nodes", "-days", "365"),
                *("-subj", "/CN=calico-api.calico-apiserver.svc"),
                *("-addext", f"subjectAltName={CERTIFICATE_NAMES}"),
                *("-keyout", key, "-out", crt),
            ],
            remedy="install openssl",
        )
        return key.read_text(), crt.read_text()
