"""Whether all that knows a pod's address says the same: the API server, Calico, its IPAM. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence

from sixproof.calico.ipam import Ipam
from sixproof.calico.pools import Pool
from sixproof.errors import Subject
from sixproof.kube.api import json_fields
from sixproof.kube.api.json_fields import Manifest
from sixproof.model import Endpoint, Family, IPAddress, within

POD_IPS = "cni.projectcalico.org/podIPs"
"""The annotation in which Calico's CNI plugin notes the addresses that it assigned to a pod."""


@dataclasses.dataclass(frozen=True, slots=True)
class PodRecord:
    """A pod, its podIPs as they are now, and the addresses that Calico noted at it: None where it
    notes none anywhere."""

    pod: Endpoint
    pod_ips: tuple[IPAddress, ...]
    noted: tuple[IPAddress, ...] | None

    def address(self, family: Family) -> IPAddress | None:
        """Its address of a family, from its status or from Calico's annotation; None without."""
        return _of(self.pod_ips, family) or _of(self.noted or (), family)


def records(
    pods: Iterable[Endpoint], manifests: Mapping[tuple[str, str], Manifest]
) -> tuple[PodRecord, ...]:
    """What their objects, by namespace and name, say; pods that are gone are left out."""
    there = [(pod, m) for pod in pods if (m := manifests.get((pod.namespace, pod.pod)))]
    notes = any(json_fields.annotation(m, POD_IPS) for _, m in there)
    return tuple(
        PodRecord(
            pod,
            json_fields.addresses(
                json_fields.text(e, "ip") for e in json_fields.entries(m, "status", "podIPs")
            ),
            _noted(m) if notes else None,
        )
        for pod, m in there
    )


def disagreement(record: PodRecord, family: Family, ipam: Ipam | None) -> str:
    """The first that disagrees about a pod's address of a family, "" where all agree."""
    address = record.address(family)
    if address is None:
        return ""
    mine, noted = _of(record.pod_ips, family), _of(record.noted or (), family)
    if mine is None:
        return f"its podIPs lack {address}, which Calico gave it (annotation {POD_IPS})"
    if record.noted is not None and noted != mine:
        has = f"has {noted}" if noted else f"has no {family} address"
        return (
            f"its podIPs have {mine}, what Calico's CNI plugin noted (annotation {POD_IPS}) {has}"
        )
    return _in_ipam(record.pod, mine, ipam) if ipam is not None and ipam.blocks else ""


def _in_ipam(pod: Endpoint, address: IPAddress, ipam: Ipam) -> str:
    block = ipam.block_of(address)
    if block is None:
        return f"no IPAM block holds its address {address}"
    holder = block.assigned.get(address)
    if holder is None:
        return f"IPAM block {block.cidr} has {address} free: it may be given to another pod"
    if (holder.namespace, holder.pod) != (pod.namespace, pod.pod):
        return f"IPAM block {block.cidr} assigns its address {address} to {holder}"
    return ""


def odd_blocks(
    ipam: Ipam, pools: Sequence[Pool], nodes: Iterable[str]
) -> Iterator[tuple[str, Subject]]:
    """Blocks that are of no pool or not of its size, and those of nodes that do not exist."""
    known = frozenset(nodes)
    for block in ipam.blocks:
        subject = Subject("IPAM block", str(block.cidr), block.node)
        pool = next((p for p in pools if within(block.cidr, p.cidr)), None)
        if pool is None:
            yield f"IPAM block {block.cidr} is in no IPPool", subject
        elif block.cidr.prefixlen != pool.block_size:
            yield (
                f"IPAM block {block.cidr} of IPPool {pool.name} is no /{pool.block_size}, which is "
                f"its blockSize",
                Subject("IPPool", pool.name),
            )
        if block.node and block.node not in known:
            yield f"IPAM block {block.cidr} is of node {block.node}, which does not exist", subject
    for cidr, node in ipam.affinities.items():
        owner = next((b.node for b in ipam.blocks if b.cidr == cidr), node)
        if owner != node:
            said = f"IPAM block {cidr} is of {owner or 'no node'}, its affinity says node {node}"
            yield said, Subject("IPAM block", str(cidr), owner)


def borrowed(records_: Iterable[PodRecord], ipam: Ipam) -> Iterator[str]:
    """Pods whose address is from another node's block: their node had no block of its own left."""
    for record in records_:
        for address in record.pod_ips:
            block = ipam.block_of(address)
            if block is not None and block.node not in ("", record.pod.node):
                yield (
                    f"pod {record.pod.name} on {record.pod.node} has {address} from block "
                    f"{block.cidr} of {block.node}"
                )


def _of(addresses: Iterable[IPAddress], family: Family) -> IPAddress | None:
    return next((a for a in addresses if Family.of(a) is family), None)


def _noted(manifest: Manifest) -> tuple[IPAddress, ...]:
    texts = json_fields.annotation(manifest, POD_IPS).split(",")
    return json_fields.addresses(text.partition("/")[0] for text in texts)
