"""A variant of the bed: one small TOML file under variants/."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from testbed.errors import BedError

FOLDER = Path(__file__).parent
DEFAULT = "dual"
VARIABLE = "SIX_VARIANT"
"""The environment's way to ask for another one; the suites read it too."""
_VXLAN_OVER_IPV6 = 70  # 40 IPv6, 8 UDP, 8 VXLAN, 14 Ethernet


@dataclass(frozen=True, slots=True)
class Variant:
    """What a kind of bed is made of. Containers, network and bridge are named by the cluster.

    `mtu` is that of the nodes' network, in bytes.
    """

    name: str
    cluster: str
    workers: int
    pod_subnets: tuple[str, ...]
    service_subnets: tuple[str, ...]
    node_network_ipv6: str
    mtu: int
    calico_env: Mapping[str, str]

    @property
    def network(self) -> str:
        return f"{self.cluster}-net"

    @property
    def bridge(self) -> str:
        return f"br-{self.cluster}"

    @property
    def context(self) -> str:
        return f"kind-{self.cluster}"

    @property
    def control_plane(self) -> str:
        return f"{self.cluster}-control-plane"

    @property
    def outside(self) -> str:
        return f"{self.cluster}-outside"

    @property
    def nodes(self) -> tuple[str, ...]:
        """Container and Kubernetes names of the nodes, as kind gives them."""
        workers = ("worker" if n == 1 else f"worker{n}" for n in range(1, self.workers + 1))
        return (self.control_plane, *(f"{self.cluster}-{worker}" for worker in workers))

    @property
    def pod_mtu(self) -> int:
        """What the wider of the two tunnels leaves to pods, in bytes."""
        return self.mtu - _VXLAN_OVER_IPV6

    @property
    def dual(self) -> bool:
        return len(self.pod_subnets) == 2


def names() -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def asked() -> str:
    """The name of the variant that the environment asks for, else the default."""
    return os.environ.get(VARIABLE) or DEFAULT


def load(name: str = DEFAULT) -> Variant:
    """Read a variant by its file's name; an unknown name or a wrong key is a BedError."""
    path = FOLDER / f"{name}.toml"
    if name not in names():
        raise BedError(
            f"a bed variant named {name}",
            seen=f"there are: {', '.join(names())}",
            remedy=f"choose one of them with --variant, --six-variant or {VARIABLE}",
        )
    values = tomllib.loads(path.read_text())
    try:
        return Variant(
            name=name,
            cluster=str(values["cluster"]),
            workers=int(values["workers"]),
            pod_subnets=tuple(values["pod_subnets"]),
            service_subnets=tuple(values["service_subnets"]),
            node_network_ipv6=str(values["node_network_ipv6"]),
            mtu=int(values["mtu"]),
            calico_env={str(k): str(v) for k, v in values["calico_env"].items()},
        )
    except KeyError as missing:
        raise BedError(f"the key {missing} in {path.name}", remedy="add it") from missing
