"""The record of a bed: written by `up`, read by `describe()` and `status`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from testbed.errors import BedError

FILE = "bed.json"


@dataclass(frozen=True, slots=True)
class Machine:
    """A container of the bed with its address of each family on the bed's network.

    `global_ipv6` is a global unicast address besides the unique local one, where it has one.
    """

    name: str
    role: str
    ipv4: str
    ipv6: str
    global_ipv6: str = ""


@dataclass(frozen=True, slots=True)
class Bed:
    """A bed as `up` left it. `outside` represents the world beyond the cluster; `router` is what
    nodes of a bed with BGP peer with, `rack` the client behind it."""

    variant: str
    cluster: str
    context: str
    kubeconfig: Path
    image_mode: str
    probe_image: str
    node_image: str
    versions: Mapping[str, str]
    nodes: tuple[Machine, ...]
    outside: Machine
    docker_host: str | None
    own_engine: bool
    network: str
    bridge: str
    pod_subnets: tuple[str, ...]
    service_subnets: tuple[str, ...]
    pod_mtu: int
    dns_zone: str
    source: str = ""
    timings: Mapping[str, float] = field(default_factory=dict)
    router: Machine | None = None
    rack: Machine | None = None

    @property
    def node_names(self) -> tuple[str, ...]:
        return tuple(node.name for node in self.nodes)

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "kubeconfig": str(self.kubeconfig), "node_names": self.node_names}


def write(folder: Path, bed: Bed) -> None:
    part = folder / f"{FILE}.part"
    values = bed.as_json()
    del values["node_names"]
    part.write_text(json.dumps(values, indent=2))
    part.rename(folder / FILE)


def parse(text: str) -> Bed:
    values = json.loads(text)
    return Bed(
        **{
            **values,
            "kubeconfig": Path(values["kubeconfig"]),
            "nodes": tuple(Machine(**node) for node in values["nodes"]),
            "outside": Machine(**values["outside"]),
            **{name: Machine(**values[name]) for name in ("router", "rack") if values.get(name)},
            "pod_subnets": tuple(values["pod_subnets"]),
            "service_subnets": tuple(values["service_subnets"]),
        }
    )


def read(folder: Path) -> Bed:
    """The bed recorded in `folder`; raises BedError if none was finished."""
    path = folder / FILE
    try:
        return parse(path.read_text())
    except FileNotFoundError:
        raise BedError(
            f"a finished test bed in {folder}",
            seen="none (never made, taken down, or its making was interrupted)",
            remedy="python -m testbed up (--variant NAME where it is not the default one)",
        ) from None
    except (ValueError, TypeError, KeyError) as error:
        raise BedError(
            f"{path} to be a record of this version",
            seen=str(error),
            remedy="python -m testbed down, then up",
        ) from error
