"""What an unprivileged agent reports of path MTU, on the loopback of this machine."""

from __future__ import annotations

import socket
import struct

import pytest

from sixproof.agent import identity, protocol
from sixproof.agent.client.sized import SizedSender
from sixproof.agent.control.agent import Agent
from sixproof.agent.protocol import Event
from sixproof.agent.server.ports import Server
from sixproof.agent.witness.facts import counters_v4
from sixproof.agent.witness.netlink import attributes
from sixproof.model import Family
from tests.unit.agent.agents_on_loopback import LOOPBACK, free_port, run, serving, spec

families = pytest.mark.parametrize("ip_family", Family, ids=str)


async def asked(request: object) -> object:
    """What an agent of its own answers, having gone over the wire in both directions."""
    line = protocol.encode_request(1, request)
    return await Agent(Server()).answer(protocol.decode_request(protocol.decode_line(line)))


def sized(family: Family, port: int, *sizes: int, fragment: bool = False) -> protocol.SendSized:
    """One socket's datagrams to loopback."""
    one = protocol.SizedSpec(LOOPBACK[family], port, "a" * 14, list(sizes), 1.0, fragment)
    return protocol.SendSized([one])


@families
def test_datagrams_of_exact_sizes_are_echoed_one_by_one(ip_family: Family) -> None:
    """Also where the size has fewer digits than the packet's length would suggest."""

    async def scenario() -> object:
        port = free_port()
        async with serving(f"udp/{port}"):
            return await asked(sized(ip_family, port, 1430, 128, 1100, 1027))

    answer = run(scenario())
    assert isinstance(answer, protocol.SentSized)
    (seen,) = answer.seen
    assert [s.event for s in seen.sends] == [Event.ECHOED] * 4
    assert [s.size for s in seen.sends] == [1430, 128, 1100, 1027]
    assert seen.mtu == seen.sends[0].mtu >= 65535


@families
@pytest.mark.parametrize("size", [100, 999, 1280, 1430, 9000])
def test_a_probe_fills_its_packet_to_the_byte(ip_family: Family, size: int) -> None:
    """Headers, line and payload together; what a server reads as a whole probe."""

    async def scenario() -> bytes:
        one = protocol.SizedSpec(LOOPBACK[ip_family], 1, "a" * 14, [size], 1.0)
        return SizedSender(one).datagram("a" * 16, size)

    data = run(scenario())
    headers = 48 if ip_family is Family.IPV6 else 28
    header = identity.SEAL.header(data.partition(b"\n")[0])
    assert len(data) + headers == size
    assert header is not None
    assert header.upload == len(data.partition(b"\n")[2])


@families
def test_nobody_there_is_a_reset_and_not_a_size(ip_family: Family) -> None:
    """ICMP port unreachable, with who sent it."""
    answer = run(asked(sized(ip_family, free_port(), 500)))
    assert isinstance(answer, protocol.SentSized)
    (send,) = answer.seen[0].sends
    assert send.event == Event.RESET
    assert send.icmp is not None
    assert (send.icmp.sender, send.icmp.mtu) == (LOOPBACK[ip_family], None)


@families
def test_a_plain_socket_may_fragment(ip_family: Family) -> None:
    """As far as a datagram goes."""

    async def scenario() -> object:
        port = free_port()
        async with serving(f"udp/{port}"):
            return await asked(sized(ip_family, port, 60000, fragment=True))

    answer = run(scenario())
    assert isinstance(answer, protocol.SentSized)
    assert answer.seen[0].sends[0].event == Event.ECHOED


def test_sizes_that_cannot_be_are_refused() -> None:
    """Smaller than their own header, or too many."""
    for sizes in ([40], [1000] * 65):
        with pytest.raises(ValueError, match=r"cannot be|at most"):
            run(asked(sized(Family.IPV6, 9, *sizes)))


@families
def test_bulk_reports_what_its_socket_knew(ip_family: Family) -> None:
    """All bytes moved, MSS and path MTU of loopback."""

    async def scenario() -> object:
        port = free_port()
        async with serving(f"tcp/{port}"):
            flow = spec("tcp", ip_family, port, upload=300_000, download=300_000)
            return await asked(protocol.Transfer([flow]))

    answer = run(scenario())
    assert isinstance(answer, protocol.Transferred)
    (bulk,) = answer.results
    headers = 60 if ip_family is Family.IPV6 else 40
    assert bulk.event == Event.ECHOED
    assert bulk.acknowledged > 300_000
    assert bulk.received > 300_000
    assert bulk.pmtu - headers - 12 <= bulk.offered <= bulk.pmtu - headers
    assert bulk.segment == bulk.offered - (12 if bulk.timestamps else 0)
    assert 0 <= bulk.stall <= bulk.elapsed


@families
def test_bulk_that_nobody_reads_stands_still(ip_family: Family) -> None:
    """A server that takes the connection and no more: silence, with the time it stood still."""

    async def scenario() -> object:
        kind = socket.AF_INET6 if ip_family is Family.IPV6 else socket.AF_INET
        with socket.socket(kind, socket.SOCK_STREAM) as deaf:
            deaf.bind((LOOPBACK[ip_family], 0))
            deaf.listen()
            port = deaf.getsockname()[1]
            return await asked(
                protocol.Transfer([spec("tcp", ip_family, port, 0.5, download=1000)])
            )

    answer = run(scenario())
    assert isinstance(answer, protocol.Transferred)
    (bulk,) = answer.results
    assert (bulk.event, bulk.stage) == (Event.SILENT, "exchange")
    assert bulk.stall >= 0.3
    assert bulk.received == 0


def test_transfers_are_tcp() -> None:
    """Anything else is an agent's failure, no verdict."""
    answer = run(asked(protocol.Transfer([spec("udp", Family.IPV6, 9)])))
    assert isinstance(answer, protocol.Transferred)
    assert answer.results[0].event == Event.FAILED


@families
def test_the_route_to_loopback(ip_family: Family) -> None:
    """Through lo, from itself, with no MTU of its own."""
    answer = run(asked(protocol.RouteGet([LOOPBACK[ip_family]])))
    assert isinstance(answer, protocol.RoutesSeen)
    (route,) = answer.routes
    assert (route.device, route.source, route.mtu) == ("lo", LOOPBACK[ip_family], 0)
    assert (route.expires, route.error) == (None, "")


def test_no_route_has_an_error() -> None:
    """An address of a network that cannot be."""
    answer = run(asked(protocol.RouteGet(["0.0.0.1"])))
    assert isinstance(answer, protocol.RoutesSeen)
    assert answer.routes[0].error or answer.routes[0].device


def test_what_is_no_address_is_refused() -> None:
    """Nothing is resolved by name, and not too much at once."""
    for addresses in (["localhost"], ["::1"] * 2001):
        with pytest.raises(ValueError, match=r"address|at most"):
            run(asked(protocol.RouteGet(addresses)))


def test_attributes_end_where_they_are_cut() -> None:
    """A length below a header's ends the list instead of the agent."""
    whole = struct.pack("=HH4s", 8, 2, b"abcd")
    assert attributes(whole + struct.pack("=HH", 0, 5)) == {2: b"abcd"}
    assert attributes(whole[:3]) == {}


def test_counters_of_ipv4_pair_names_with_values() -> None:
    """A line that pairs with no other is left out, and so is what is no count."""
    text = "Ip: FragFails Odd\nIp: 7 -1\nIcmpMsg: OutType3\nIcmpMsg: 2\nTcp: A\nUdp: 1\n"
    assert counters_v4(text) == {"IpFragFails": 7, "IcmpMsgOutType3": 2}
