"""Payloads of several sizes between pods: tried together, so that silences are waited for once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sixproof.checks.connect.connectivity import Connectivity
from sixproof.model import Endpoint, Family, Matrix
from sixproof.probes.connect.payload import largest_udp_payload
from sixproof.probes.connect.probe import ProbeOptions
from sixproof.workloads.probe_pods.ports import TCP, UDP, PortSpec
from sixproof.workloads.probe_pods.topology import flows

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
        self._seen: dict[tuple[Family, PortSpec], dict[str, Matrix]] = {}

    def tcp(self, family: Family, size: int) -> Matrix:
        """TCP connections that carry so many bytes each way."""
        timeout = self._connectivity.patience * 2
        titles = {n: f"TCP, {n} bytes each way" for n in TCP_SIZES}
        tries = {title: ProbeOptions(timeout, upload=n, download=n) for n, title in titles.items()}
        return self._each(family, TCP, tries)[titles[size]]

    def udp(self, family: Family, share: str) -> Matrix:
        """Datagrams that must not be fragmented, of a share of what the MTU leaves."""
        timeout, most = self._connectivity.patience, largest_udp_payload(self._mtu, family)
        sizes = dict(zip(SHARES, (1, most // 2, most), strict=True))
        titles = {share: f"UDP, {n} bytes" for share, n in sizes.items()}
        tries = {
            titles[share]: ProbeOptions(timeout, upload=n, dont_fragment=True)
            for share, n in sizes.items()
        }
        return self._each(family, UDP, tries)[titles[share]]

    def _each(
        self, family: Family, port: PortSpec, tries: Mapping[str, ProbeOptions]
    ) -> dict[str, Matrix]:
        """What came of these tries over a family, by their titles; tried once."""
        if (family, port) not in self._seen:
            asked = flows(self._pods, self._pods, [family], [port])
            self._seen[family, port] = self._connectivity.measure_each(asked, tries)
        return self._seen[family, port]
