"""What several tests of the test bed are given."""

from __future__ import annotations

from typing import Any

import pytest

VOLUMES = ["lib-modules", "bpffs", "sys-fs", "nodeproc"]


@pytest.fixture
def manifest() -> list[dict[str, Any]]:
    """The shape of Calico's manifest, as far as it is patched."""
    config = '{"ipam": {"type": "calico-ipam"}}'
    given = {
        "CLUSTER_TYPE": "k8s,bgp",
        "IP": "autodetect",
        "CALICO_IPV4POOL_VXLAN": "CrossSubnet",
        "FELIX_IPV6SUPPORT": "false",
    }
    node = {
        "name": "calico-node",
        "env": [
            *({"name": name, "value": text} for name, text in given.items()),
            {"name": "NODENAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        ],
        "volumeMounts": [{"name": name} for name in VOLUMES],
    }
    names = ["upgrade-ipam", "install-cni", "ebpf-bootstrap"]
    pod = {
        "initContainers": [{"name": name} for name in names],
        "containers": [node],
        "volumes": [{"name": name} for name in VOLUMES],
    }
    return [
        {"kind": "ConfigMap", "data": {"cni_network_config": config}},
        {"kind": "DaemonSet", "spec": {"template": {"spec": pod}}},
        {"kind": "ServiceAccount"},
    ]
