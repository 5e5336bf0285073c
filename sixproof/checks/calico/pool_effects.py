"""What one of the run's own pools must cause, and what of that is missing. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from sixproof.calico.ipam import Block, Ipam
from sixproof.errors import Subject
from sixproof.model import Endpoint, Family, IPAddress, Observation, within
from sixproof.workloads.pools.asking import AddressResult, Refusal
from sixproof.workloads.pools.own_pool import OwnPool, Purpose


def not_of(pod: Endpoint, pool: OwnPool) -> str:
    """Why a pod's address is none of the pool that it names, "" where it is one."""
    address = pod.address(pool.family)
    if address is None:
        return f"it has no {pool.family} address, it asked for one of IPPool {pool.name}"
    if address not in pool.cidr:
        return f"its address {address} is not in {pool.cidr}, as IPPool {pool.name} was created"
    return ""


def odd_block(pod: Endpoint, pool: OwnPool, ipam: Ipam) -> str:
    """What is wrong with the block of a pod's address, "" where nothing is."""
    address = pod.address(pool.family)
    block = ipam.block_of(address) if address is not None else None
    if address is None or block is None:
        return f"no IPAM block holds its address {address}"
    if block.cidr.prefixlen != pool.block_size:
        return (
            f"IPAM block {block.cidr} is no /{pool.block_size}, the blockSize with which IPPool "
            f"{pool.name} was created"
        )
    if not within(block.cidr, pool.cidr):
        return f"IPAM block {block.cidr} is not in {pool.cidr}, as IPPool {pool.name} was created"
    return ""


def blocks_of(pools: Sequence[OwnPool], ipam: Ipam) -> tuple[Block, ...]:
    """The blocks that are taken from some of the pools."""
    return tuple(b for b in ipam.blocks if any(within(b.cidr, pool.cidr) for pool in pools))


def strangers(
    blocks: Sequence[Block], pools: Sequence[OwnPool], namespaces: Collection[str]
) -> Iterator[tuple[str, Subject]]:
    """Holders of addresses in these blocks that are not pods of these namespaces, with the pool
    that a block is taken from."""
    for block in blocks:
        pool = next(pool for pool in pools if within(block.cidr, pool.cidr))
        for address, holder in block.assigned.items():
            if holder.namespace not in namespaces:
                said = f"IPAM block {block.cidr} of IPPool {pool.name} gave {address} to {holder}"
                yield said, pool.subject()


def unasked_for(pod: Endpoint, pools: Sequence[OwnPool]) -> Iterator[tuple[str, Subject]]:
    """The pool that serves a pod that asked for none although it is for those that ask."""
    for pool in pools:
        address = pod.address(pool.family)
        if pool.purpose is not Purpose.SEGMENT and address is not None and address in pool.cidr:
            said = (
                f"{pod.name} names no pool and has {address} of IPPool {pool.name}, which is "
                f"Manual and selects no node"
            )
            yield said, pool.subject()


def unrefused(refusal: Refusal, result: AddressResult) -> str:
    """What is wrong with a pod that must get no address, "" where nothing is."""
    who = f"pod {refusal.asking.name}, which asks for {refusal.words[0]},"
    if result.addresses:
        has = " and ".join(map(str, result.addresses))
        return f"{who} got {has}; wanted: no address, and a reason that names the pool"
    if not any(word in result.reason for word in refusal.words):
        reason = result.reason or "nothing"
        return f"{who} has no address, and the reason does not name the pool: {reason}"
    return ""


def disguised(seen: Observation, pool: OwnPool, own: Mapping[str, frozenset[IPAddress]]) -> str:
    """What is wrong with the address from which a pod's packet came, outside of all pools; "" where
    nothing is. `own` are each node's addresses."""
    source, family = seen.flow.source, seen.flow.family
    if pool.purpose is Purpose.BARE:
        mine = source.address(family)
        if seen.peer_saw == mine:
            return ""
        return f"the server saw {seen.peer_saw}, natOutgoing is off and the pod has {mine}"
    of_its_node = {a for a in own.get(source.node, ()) if Family.of(a) is family}
    if seen.peer_saw in of_its_node:
        return ""
    allowed = " or ".join(sorted(map(str, of_its_node)))
    return f"the server saw {seen.peer_saw}, natOutgoing asks for {source.node}'s own: {allowed}"
