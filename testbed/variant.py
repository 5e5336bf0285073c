"""A variant of the bed: one small TOML file under variants/."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass

from testbed import paths
from testbed.errors import BedError

DEFAULT = "dual"


@dataclass(frozen=True, slots=True)
class Variant:
    """What a kind of bed is made of. Containers, network and bridge are named by the cluster."""

    name: str
    cluster: str
    workers: int
    pod_subnets: tuple[str, ...]
    service_subnets: tuple[str, ...]
    node_network_ipv6: str
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
    def dual(self) -> bool:
        return len(self.pod_subnets) == 2


def names() -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in paths.VARIANTS.glob("*.toml")))


def load(name: str = DEFAULT) -> Variant:
    """Read a variant by its file's name; an unknown name or a wrong key is a BedError."""
    path = paths.VARIANTS / f"{name}.toml"
    if not path.is_file():
        raise BedError(
            f"a bed variant named {name}",
            seen=f"there are: {', '.join(names())}",
            remedy="choose one of them with --variant",
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
            calico_env={str(k): str(v) for k, v in values["calico_env"].items()},
        )
    except KeyError as missing:
        raise BedError(f"the key {missing} in {path.name}", remedy="add it") from missing
