"""Payloads of several sizes between pods: tried together, so that silences are waited for once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from sixproof.checks.connect.connectivity import Connectivity
from sixproof.model import Endpoint, Family, Matrix
from sixproof.probes.connect.payload import largest_udp_payload
from sixproof.probes.connect.probe import ProbeOptions
from sixproof.workloads.probe_pods.ports import TCP, UDP, PortSpec
from sixproof.workloads.probe_pods.topology import flows

_Size = TypeVar("_Size", int, str)

TCP_SIZES = (1, 1024, 1500, 9000, 65536)
"""Bytes each way: within and above what a packet holds, and more than a first TCP window."""
SHARES = ("one-byte", "half", "full")
"""Datagrams of one byte, and of half and all of what the pods' MTU leaves."""


class Payloads:
    """What pods carry, by family and size. All sizes of a family are tried at the first question,
    each with its own connections or datagrams.

    `mtu` is the pods' MTU in bytes.
    """

    def __init__(self, connectivity: Connectivity, pods: Sequence[Endpoint], mtu: int) -> None:
        self._connectivity = connectivity
        self._pods = pods
        self._mtu = mtu
        self._tcp: dict[Family, dict[int, Matrix]] = {}
        self._udp: dict[Family, dict[str, Matrix]] = {}

    def tcp(self, family: Family, size: int) -> Matrix:
        """TCP connections that carry so many bytes each way."""
        if family not in self._tcp:
            timeout = self._connectivity.patience * 2
            options = [ProbeOptions(timeout, upload=n, download=n) for n in TCP_SIZES]
            titles = [f"TCP, {n} bytes each way" for n in TCP_SIZES]
            self._tcp[family] = self._each(family, TCP, TCP_SIZES, titles, options)
        return self._tcp[family][size]

    def udp(self, family: Family, share: str) -> Matrix:
        """Datagrams that must not be fragmented, of a share of what the MTU leaves."""
        if family not in self._udp:
            timeout, most = self._connectivity.patience, largest_udp_payload(self._mtu, family)
            sizes = (1, most // 2, most)
            options = [ProbeOptions(timeout, upload=n, dont_fragment=True) for n in sizes]
            titles = [f"UDP, {n} bytes" for n in sizes]
            self._udp[family] = self._each(family, UDP, SHARES, titles, options)
        return self._udp[family][share]

    def _each(
        self,
        family: Family,
        port: PortSpec,
        sizes: Sequence[_Size],
        titles: Sequence[str],
        options: Sequence[ProbeOptions],
    ) -> dict[_Size, Matrix]:
        asked = flows(self._pods, self._pods, [family], [port])
        tries = dict(zip(titles, options, strict=True))
        seen = self._connectivity.measure_each(asked, tries)
        return {size: seen[title] for size, title in zip(sizes, titles, strict=True)}
