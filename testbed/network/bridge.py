"""The bed's own Docker network: both families, its own bridge, no way out."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable
from pathlib import Path

from testbed.errors import BedError
from testbed.host import command
from testbed.host.engine import Engine
from testbed.variants.table import Network
from testbed.variants.variant import Variant

CANDIDATES = tuple(f"172.{second}.66.0/24" for second in range(31, 19, -1))


def routed(text: str) -> list[ipaddress.IPv4Network]:
    """The networks of `ip -json -4 route show table all`, without the default route."""
    found = []
    for route in json.loads(text or "[]"):
        target = str(route.get("dst", "default"))
        if target != "default":
            found.append(ipaddress.IPv4Network(target, strict=False))
    return found


def free(taken: Iterable[Network]) -> str:
    """The first candidate network that overlaps none of `taken`."""
    used = list(taken)
    for candidate in CANDIDATES:
        if not any(ipaddress.IPv4Network(candidate).overlaps(other) for other in used):
            return candidate
    raise BedError(
        "a free IPv4 network for the bed",
        seen=f"this machine's routes or the variant overlap all of {', '.join(CANDIDATES)}",
        remedy="free one of them (`ip route`, `docker network ls`)",
    )


def ensure(engine: Engine, variant: Variant) -> None:
    """Create the network if it does not exist."""
    if engine.attempt("network", "inspect", variant.network).ok:
        return
    routes = command.run(["ip", "-json", "-4", "route", "show", "table", "all"]).out
    taken = [*routed(routes), *variant.ranges().values()]
    engine.run(
        *("network", "create", "--driver", "bridge", "--ipv6"),
        *("--subnet", free(taken), "--subnet", str(variant.node_network_ipv6)),
        *("--opt", f"com.docker.network.bridge.name={variant.bridge}"),
        *("--opt", "com.docker.network.bridge.enable_ip_masquerade=false"),
        *("--opt", f"com.docker.network.driver.mtu={variant.mtu}"),
        *("--label", f"sixproof.test/bed={variant.cluster}", variant.network),
    )


def subnets(engine: Engine, variant: Variant) -> tuple[Network, ...]:
    """The ranges of the network's addresses, IPv4 first."""
    template = "{{range .IPAM.Config}}{{.Subnet}} {{end}}"
    said = engine.run("network", "inspect", "--format", template, variant.network).split()
    return tuple(sorted(map(ipaddress.ip_network, said), key=lambda n: n.version))


def present(variant: Variant) -> bool:
    """Whether the kernel has the network's bridge, whatever an engine knows about it."""
    return Path("/sys/class/net", variant.bridge).exists()


def remove(engine: Engine, variant: Variant) -> None:
    """Remove the network, and endpoints left on it by an engine that died."""
    name = variant.network
    if (
        engine.attempt("network", "inspect", name).ok
        and not engine.attempt("network", "rm", name).ok
    ):
        template = "{{range .Containers}}{{.Name}} {{end}}"
        for left in engine.run("network", "inspect", "--format", template, name).split():
            engine.attempt("network", "disconnect", "--force", name, left)
        engine.run("network", "rm", name)
    if present(variant):
        command.run(
            ["ip", "link", "delete", variant.bridge], remedy=f"delete {variant.bridge} by hand"
        )
