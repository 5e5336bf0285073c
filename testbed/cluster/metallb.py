"""MetalLB in layer 2 mode: its manifest, read from its Go module, and the addresses it gives."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from testbed.build import gobuild
from testbed.cluster import yaml_text
from testbed.variants.table import Network

NAMESPACE = "metallb-system"
NAME = "bed"
POOLS = "ipaddresspools.metallb.io"
_API = "metallb.io/v1beta1"
_MANIFEST = "config/manifests/metallb-native.yaml"
_SIXTEEN = {4: 28, 6: 124}
"""The prefix length of sixteen addresses."""
_FROM_THE_END = 32
"""Where they begin: the engine gives addresses to containers from the beginning."""


def documents() -> list[dict[str, Any]]:
    """MetalLB's own manifest."""
    folder = gobuild.source(gobuild.METALLB, gobuild.METALLB_MODULE)
    return yaml_text.documents((folder / _MANIFEST).read_text())


def ranges(subnets: Iterable[Network]) -> Iterator[str]:
    """Sixteen addresses of each of the nodes' networks: who asks for them on the link is answered
    by a node (ARP, RFC 826; Neighbor Discovery, RFC 4861)."""
    for subnet in subnets:
        yield f"{subnet[-_FROM_THE_END]}/{_SIXTEEN[subnet.version]}"


def objects(subnets: Iterable[Network]) -> list[dict[str, Any]]:
    """The pool of addresses of both families, and that they are announced on the link."""
    meta = {"name": NAME, "namespace": NAMESPACE}
    return [
        {
            "apiVersion": _API,
            "kind": "IPAddressPool",
            "metadata": meta,
            "spec": {"addresses": list(ranges(subnets))},
        },
        {
            "apiVersion": _API,
            "kind": "L2Advertisement",
            "metadata": meta,
            "spec": {"ipAddressPools": [NAME]},
        },
    ]
