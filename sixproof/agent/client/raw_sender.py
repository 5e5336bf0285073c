"""Whole packets, sent as they are; for pods with NET_RAW."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ipaddress
import socket

from sixproof.agent import protocol
from sixproof.agent.addresses import family_of
from sixproof.agent.client.sockets import error_name
from sixproof.agent.protocol import RAW_LIMIT, RAW_SECONDS

IPPROTO_RAW, IP_NODEFRAG = 255, 22


class RawSender:
    """Packets as the runner made them; the kernel finds the way and the neighbour, nothing else."""

    def __init__(self, packets: list[protocol.RawPacket]) -> None:
        if len(packets) > RAW_LIMIT or not 0 <= sum(p.delay for p in packets) <= RAW_SECONDS:
            raise ValueError(f"at most {RAW_LIMIT} packets within {RAW_SECONDS:.0f} s are sent")
        self.packets = [(p.address, self.bytes_of(p), p.delay) for p in packets]

    @staticmethod
    def bytes_of(packet: protocol.RawPacket) -> bytes:
        """The packet, its version checked against the address that it is to go to."""
        data = base64.b64decode(packet.packet, validate=True)
        version = ipaddress.ip_address(packet.address).version  # a name would ask the resolver
        if not 20 <= len(data) <= 65535 or data[0] >> 4 != version or packet.delay < 0:
            raise ValueError(f"{len(data)} bytes are no IPv{version} packet")
        return data

    async def run(self) -> list[protocol.RawResult]:
        """Send all; one that the kernel refuses stops none of the others."""
        results = []
        with contextlib.ExitStack() as stack:
            socks: dict[int, socket.socket] = {}
            for address, data, delay in self.packets:
                await asyncio.sleep(delay)
                family = family_of(address)
                if family not in socks:
                    sock = socket.socket(family, socket.SOCK_RAW, IPPROTO_RAW)
                    socks[family] = stack.enter_context(sock)
                    sock.setblocking(False)
                    if family == socket.AF_INET:  # else connection tracking joins fragments here
                        sock.setsockopt(socket.IPPROTO_IP, IP_NODEFRAG, 1)
                results.append(self.one(socks[family], address, data))
        return results

    def one(self, sock: socket.socket, address: str, data: bytes) -> protocol.RawResult:
        """Hand one packet to the kernel."""
        try:
            sock.sendto(data, (address, 0))
        except OSError as error:
            return protocol.RawResult(error_name(error))
        return protocol.RawResult()
