"""A variant of the bed: one small TOML file in this folder."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from testbed.errors import BedError
from testbed.variants import calico, table
from testbed.variants.keys import (
    Bgp,
    DataPlane,
    Encapsulation,
    Family,
    NetworkPlugin,
    Peering,
    Stack,
)
from testbed.variants.table import Network, Table

FOLDER = Path(__file__).parent
DEFAULT = "dual"
TWIN = "twin"
"""A second bed of the default kind: two beds of one kind can be broken at the same time."""
VARIABLE = "SIX_VARIANT"
"""The environment variable that selects another variant; the suites read it too."""
LEAST_POD_MTU = 1280
"""The smallest MTU of a link with IPv6, in bytes (RFC 8200 section 5)."""
MOST_MTU = 65535
HOSTILE_WORKERS = 3
"""One normal, one with a taint, one cordoned."""
MOST_AS = 4294967294
"""RFC 7300: the last 32-bit AS number is reserved."""


@dataclass(frozen=True, slots=True)
class Variant:
    """What a kind of bed consists of. Containers, network and bridge are named after the cluster.

    `mtu` is that of the nodes' network, in bytes; `stacks` are its families, Kubernetes' first one
    first; `calico_env` holds settings of calico-node that do not follow from the other keys. With
    `bgp`, nodes run BIRD and peer with a router of the bed, which has a client behind it. A
    `hostile` one has what a strict owner would have in a cluster (testbed/cluster/hostile.py). With
    `metallb`, MetalLB gives services of type LoadBalancer addresses of the nodes' network.
    """

    name: str
    cluster: str
    workers: int
    mtu: int
    data_plane: DataPlane
    network_plugin: NetworkPlugin
    stacks: tuple[Stack, ...]
    node_network_ipv6: Network
    calico_env: Mapping[str, str]
    bgp: Bgp | None = None
    hostile: bool = False
    metallb: bool = False

    @property
    def calico(self) -> bool:
        """Whether Calico is the network plugin."""
        return self.network_plugin is NetworkPlugin.CALICO

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
    def router(self) -> str:
        return f"{self.cluster}-router"

    @property
    def router_agent(self) -> str:
        """The container with Python that shares the router's network."""
        return f"{self.router}-agent"

    @property
    def rack(self) -> str:
        return f"{self.cluster}-rack"

    @property
    def nodes(self) -> tuple[str, ...]:
        """Container and Kubernetes names of the nodes, as kind gives them."""
        workers = ("worker" if n == 1 else f"worker{n}" for n in range(1, self.workers + 1))
        return (self.control_plane, *(f"{self.cluster}-{worker}" for worker in workers))

    @property
    def families(self) -> tuple[Family, ...]:
        return tuple(stack.family for stack in self.stacks)

    @property
    def pod_subnets(self) -> tuple[str, ...]:
        return tuple(str(stack.pods) for stack in self.stacks)

    @property
    def service_subnets(self) -> tuple[str, ...]:
        return tuple(str(stack.services) for stack in self.stacks)

    @property
    def pod_mtu(self) -> int:
        """The MTU that the tunnel with the largest headers leaves, in bytes; all pods get it."""
        return self.mtu - headers(self.stacks)

    @property
    def links(self) -> tuple[tuple[str, ...], ...]:
        """The types of links that nodes create, as arguments of ip-link(8)."""
        return tuple(sorted({stack.tunnel.link for stack in self.stacks if stack.tunnel}))

    @property
    def calico_settings(self) -> dict[str, str]:
        """The part of calico-node's environment that the variant determines."""
        decided = calico.settings(self.stacks, self.data_plane, bgp=self.bgp is not None)
        return {**decided, **self.calico_env}

    def tunnel(self, family: str) -> str:
        """The name of a family's tunnel device, "" where it has none."""
        tunnels = (stack.tunnel for stack in self.stacks if stack.family == family)
        return next((tunnel.device for tunnel in tunnels if tunnel), "")

    def ranges(self) -> dict[str, Network]:
        """Every range of addresses, by its key."""
        found = {f"{stack.family}.pods": stack.pods for stack in self.stacks}
        found |= {f"{stack.family}.services": stack.services for stack in self.stacks}
        found |= {f"{stack.family}.rack": stack.rack for stack in self.stacks if stack.rack}
        found |= {
            f"{stack.family}.{key}": network
            for stack in self.stacks
            for key, network in stack.outside_ranges().items()
        }
        return {**found, "IPv6.nodes": self.node_network_ipv6}


def headers(stacks: tuple[Stack, ...]) -> int:
    """The largest overhead of the tunnels per packet, in bytes."""
    return max(stack.tunnel.headers if stack.tunnel else 0 for stack in stacks)


def names() -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def asked() -> str:
    """The name of the variant that the environment selects, else the default."""
    return os.environ.get(VARIABLE) or DEFAULT


def load(name: str = DEFAULT) -> Variant:
    """Read a variant by its file's name; an unknown name or a wrong key is a BedError."""
    if name not in names():
        raise BedError(
            f"a bed variant named {name}",
            seen=f"there are: {', '.join(names())}",
            remedy=f"choose one of them with --variant, --six-variant or {VARIABLE}",
        )
    return parse(name, (FOLDER / f"{name}.toml").read_text())


def parse(name: str, text: str) -> Variant:
    """A variant from its file's text; missing, unknown and wrong keys are BedErrors."""
    top = table.read(f"{name}.toml", text)
    # A bed without IPv6 would show nothing relevant to this project.
    families = [f for f in Family if f is Family.IPV6 or top.has(f)]
    tables = {family: top.table(family) for family in families}
    bgp = _bgp(top)
    stacks = tuple(_stack(family, found, bgp) for family, found in tables.items())
    variant = Variant(
        name=name,
        # Linux allows 15 characters for the bridge, which is called br-CLUSTER.
        cluster=top.text(
            "cluster", "[a-z]([a-z0-9-]{0,10}[a-z0-9])?", "at most 12 of a-z, 0-9 and -"
        ),
        workers=top.number("workers", 0, 9),
        mtu=top.number("mtu", LEAST_POD_MTU + headers(stacks), MOST_MTU),
        data_plane=top.choice("data_plane", DataPlane),
        network_plugin=top.choice("network_plugin", NetworkPlugin),
        stacks=stacks,
        node_network_ipv6=tables[Family.IPV6].network("nodes", 6),
        calico_env=top.texts("calico_env"),
        bgp=bgp,
        hostile=top.flag("hostile"),
        metallb=top.flag("metallb"),
    )
    for each in (top, *tables.values()):
        each.end()
    _apart(variant)
    _said_once(variant)
    _routed(variant)
    _calicos_own(variant)
    _strict(variant)
    _balanced(variant)
    return variant


def _bgp(top: Table) -> Bgp | None:
    if not top.has("bgp"):
        return None
    keys = top.table("bgp")
    found = Bgp(
        as_number=keys.number("as_number", 1, MOST_AS),
        router_as_number=keys.number("router_as_number", 1, MOST_AS),
        peering=keys.choice("peering", Peering),
    )
    keys.end()
    return found


def _stack(family: Family, keys: Table, bgp: Bgp | None) -> Stack:
    return Stack(
        family=family,
        pods=keys.network("pods", family.version),
        services=keys.network("services", family.version),
        encapsulation=keys.choice("encapsulation", Encapsulation),
        rack=keys.network("rack", family.version) if bgp else None,
        load_balancer=(
            keys.network("load_balancer", family.version) if keys.has("load_balancer") else None
        ),
        external=keys.network("external", family.version) if keys.has("external") else None,
    )


def _apart(variant: Variant) -> None:
    """Refuse ranges that overlap."""
    for (one, first), (other, second) in itertools.combinations(variant.ranges().items(), 2):
        if first.overlaps(second):
            raise BedError(
                f"ranges in {variant.name}.toml that do not overlap",
                seen=f"{one} {first} and {other} {second}",
                remedy="give each a range of its own",
            )


def _said_once(variant: Variant) -> None:
    """Refuse settings of Calico that other keys determine, whatever their value."""
    bgp = variant.bgp is not None
    decided = {k for plane in DataPlane for k in calico.settings(variant.stacks, plane, bgp=bgp)}
    twice = sorted(decided & variant.calico_env.keys())
    if twice:
        raise BedError(
            f"calico_env of {variant.name}.toml without settings that follow from other keys",
            seen=", ".join(twice),
            remedy=f"remove them; {table.REMEDY}",
        )


def _routed(variant: Variant) -> None:
    """Refuse a family whose packets nothing would route."""
    bare = [s.family for s in variant.stacks if s.encapsulation is Encapsulation.NONE]
    if bare and variant.bgp is None and variant.calico:
        raise BedError(
            f"[bgp] in {variant.name}.toml, since {' and '.join(bare)} has encapsulation None",
            seen="no such table",
            remedy=f"add it, or choose another encapsulation; {table.REMEDY}",
        )


def _calicos_own(variant: Variant) -> None:
    """Refuse what only Calico supports where another network plugin is selected."""
    if variant.calico:
        return
    wrapped = [s.family for s in variant.stacks if s.encapsulation is not Encapsulation.NONE]
    amiss = [f"encapsulation of {family}" for family in wrapped]
    amiss += ["[bgp]"] if variant.bgp else []
    amiss += ["[calico_env]"] if variant.calico_env else []
    if amiss:
        raise BedError(
            f"{variant.name}.toml with network_plugin {variant.network_plugin} to ask for nothing"
            " that Calico alone does",
            seen=", ".join(amiss),
            remedy=f'remove it, or set encapsulation = "None"; {table.REMEDY}',
        )


def _strict(variant: Variant) -> None:
    """Refuse a hostile bed that lacks what makes it hostile."""
    if variant.hostile and not (variant.calico and variant.workers >= HOSTILE_WORKERS):
        raise BedError(
            f"{variant.name}.toml with hostile = true to have Calico and at least"
            f" {HOSTILE_WORKERS} workers",
            seen=f"network_plugin {variant.network_plugin}, {variant.workers} workers",
            remedy=f"change these or remove hostile; {table.REMEDY}",
        )


def _balanced(variant: Variant) -> None:
    """Refuse addresses of services that nothing announces, or that only one family has."""
    if variant.metallb and any(stack.load_balancer for stack in variant.stacks):
        raise BedError(
            f"one provider of load balancer addresses in {variant.name}.toml",
            seen="metallb = true, and ranges load_balancer of Calico",
            remedy="remove one of them",
        )
    for key in ("load_balancer", "external"):
        wanted = [s.family for s in variant.stacks if key in s.outside_ranges()]
        if wanted and variant.bgp is None:
            raise BedError(
                f"[bgp] in {variant.name}.toml, since {' and '.join(wanted)} has {key}",
                seen="no such table",
                remedy=f"add it, or remove {key}; {table.REMEDY}",
            )
        if wanted and len(wanted) < len(variant.stacks):
            raise BedError(
                f"{key} in every family of {variant.name}.toml, or in none",
                seen=f"in [{wanted[0]}] alone",
                remedy=f"add it to the other one, or remove it; {table.REMEDY}",
            )
