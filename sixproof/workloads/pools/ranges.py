"""Ranges that overlap nothing that is known of a cluster, for a run's own pools. Pure."""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Iterable, Iterator, Sequence

from sixproof.calico.pools import Pool
from sixproof.model import ClusterFacts, Family, IPNetwork

PREFIX = {Family.IPV4: 25, Family.IPV6: 121}
"""The length of an own pool's prefix: 128 addresses."""
TRIES = 400
"""Ranges that are tried before the search is given up."""

_PRIVATE = tuple(  # RFC 1918 section 3
    map(ipaddress.IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))
)
_LOCAL = ipaddress.IPv6Network("fd00::/8")  # RFC 4193 section 3.1
_LOW = ipaddress.IPv6Network("fd00::/31")  # of it, what sorts before most


def taken(
    facts: ClusterFacts, pools: Iterable[Pool], subnets: Iterable[IPNetwork] = ()
) -> tuple[IPNetwork, ...]:
    """Every range known to be in use: those of services, pods and pools, whether they are enabled
    or not, the nodes' addresses, and the `subnets` that these are in."""
    return (
        *facts.service_cidrs,
        *facts.pod_cidrs,
        *(cidr for node in facts.nodes for cidr in node.pod_cidrs),
        *(pool.cidr for pool in pools),
        *(ipaddress.ip_network(a) for node in facts.nodes for a in node.addresses),
        *subnets,
    )


def free(
    family: Family, others: Sequence[IPNetwork], chance: random.Random, *, before: str = ""
) -> IPNetwork | None:
    """A private range that overlaps none of the others, None where none was found in `TRIES` tries.

    Where `before` is the written name of a block (`written`), the range is one whose name sorts
    before it, if one is found.
    """
    met: IPNetwork | None = None
    for found in _drawn(family, chance):
        if any(o.version == found.version and o.overlaps(found) for o in others):
            continue
        if not before or written(found) < before:
            return found
        met = met or found
    return met


def written(cidr: IPNetwork) -> str:
    """A range as Calico writes it into names of objects: ``10-244-1-0-26``, ``fd00-1---122``."""
    return str(cidr).translate(str.maketrans(".:/", "---"))


def _drawn(family: Family, chance: random.Random) -> Iterator[IPNetwork]:
    """Random ranges; every second IPv6 range is a low one."""
    homes: Sequence[IPNetwork] = _PRIVATE if family is Family.IPV4 else (_LOCAL, _LOW)
    length = PREFIX[family]
    for number in range(TRIES):
        home = homes[number % len(homes)]
        drawn = chance.getrandbits(length - home.prefixlen) << (home.max_prefixlen - length)
        yield ipaddress.ip_network((int(home.network_address) | drawn, length))
