"""How a node's pods reach the network: the CNI configuration, and routes to other nodes' pods.

The plugins are those of the CNI project: ptp connects a pod to its node by a veth pair, host-local
assigns addresses from the node's ranges, portmap handles hostPorts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

DEFAULT_ROUTES = {4: "0.0.0.0/0", 6: "::/0"}
# Below /run: the assignments of a node are released when it restarts.
STATE = "/run/cni-ipam-state"
METRIC = 100
"""Routes with a lower metric, set by a fault or by hand, take precedence and are left alone."""

Manifest = dict[str, Any]


def version(text: str) -> int:
    """The IP version of an address or range."""
    return 6 if ":" in text else 4


def pod_ranges(nodes: Iterable[Manifest], name: str) -> list[str]:
    """The ranges of a node's pods, one per family; none while it has none."""
    for node in nodes:
        if node["metadata"]["name"] == name:
            return list(node["spec"].get("podCIDRs", ()))
    return []


def config(ranges: Sequence[str], mtu: int) -> str:
    """The CNI configuration of a node whose pods have addresses of these ranges; `mtu` is that of
    their interfaces, in bytes."""
    addresses = {
        "type": "host-local",
        "dataDir": STATE,
        "ranges": [[{"subnet": one}] for one in ranges],
        "routes": [{"dst": DEFAULT_ROUTES[version(one)]} for one in ranges],
    }
    plugins = [
        {"type": "ptp", "ipMasq": False, "mtu": mtu, "ipam": addresses},
        {"type": "portmap", "capabilities": {"portMappings": True}},
    ]
    return json.dumps({"cniVersion": "1.0.0", "name": "kindnet", "plugins": plugins}, indent=2)


def write(path: Path, text: str) -> None:
    """Write the configuration atomically, under a temporary name that no runtime reads."""
    if path.is_file() and path.read_text() == text:
        return
    part = path.with_suffix(".part")
    part.write_text(text)
    part.replace(path)


def routes(nodes: Iterable[Manifest], own: str) -> dict[int, list[str]]:
    """The ip-route(8) commands for the pods of all other nodes, by IP version: each node's ranges
    are behind its InternalIP of that family."""
    commands: dict[int, list[str]] = {}
    for node in nodes:
        if node["metadata"]["name"] == own:
            continue
        via = {
            version(entry["address"]): entry["address"]
            for entry in node.get("status", {}).get("addresses", ())
            if entry["type"] == "InternalIP"
        }
        for one in node["spec"].get("podCIDRs", ()):
            if version(one) in via:
                line = f"route replace {one} via {via[version(one)]} metric {METRIC}"
                commands.setdefault(version(one), []).append(line)
    return commands
