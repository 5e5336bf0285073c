"""What goes over the network: headers, answers, payloads, and how errors are sorted."""

from __future__ import annotations

import errno
import socket
import struct
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sixproof.agent import identity, wire
from sixproof.agent.client.datagrams import checksum
from sixproof.agent.client.sockets import event_of, offender
from sixproof.agent.protocol import PAYLOAD_LIMIT, Event
from sixproof.agent.server.echo import answer_line
from sixproof.agent.server.log import Log
from sixproof.agent.wire import Answer, Header
from sixproof.agent.witness.facts import _proc_address, half_open

NONCE = "0123456789abcdef"


@given(st.text(max_size=20), st.integers(min_value=0, max_value=5000))
def test_payload_is_the_nonce_s_own(nonce: str, size: int) -> None:
    """Both sides derive the same bytes, different ones for the two directions."""
    up, down = (wire.payload(nonce, side, size) for side in ("up", "down"))

    assert (len(up), up) == (size, wire.payload(nonce, "up", size))
    assert size < 16 or up != down


@pytest.mark.parametrize(
    ("line", "header"),
    [
        (b"SIX1 0123456789abcdef 0 0", Header(NONCE, 0, 0)),
        (b"SIX1 0123456789abcdef 10 20\r", Header(NONCE, 10, 20)),
        (b"", None),
        (b"GET / HTTP/1.1", None),
        (b"SIX2 0123456789abcdef 0 0", None),
        (b"SIX1 short 0 0", None),
        (b"SIX1 " + b"a" * 65 + b" 0 0", None),
        (b"SIX1 01234567-9abcdef 0 0", None),
        (b"SIX1 0123456789abcdef -1 0", None),
        (b"SIX1 0123456789abcdef 0 1e3", None),
        (b"SIX1 0123456789abcdef 0", None),
        (b"SIX1 0123456789abcdef 0 %d" % (PAYLOAD_LIMIT + 1), None),
    ],
    ids=range(12),
)
def test_header(line: bytes, header: Header | None) -> None:
    """Anything that is not exactly a probe is none."""
    assert Header.read(line) == header


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        (b"SIX1 n ok 192.0.2.1 4242 echo 7", Answer("n", True, "192.0.2.1", 4242, "echo", 7)),
        (b"SIX1 n bad ::1 1 echo 0", Answer("n", False, "::1", 1, "echo", 0)),
        (b"SIX1 n maybe ::1 1 echo 0", None),
        (b"SIX1 n ok ::1 port echo 0", None),
        (b"SIX1 n ok ::1 1 echo -1", None),
        (b"SIX1 n ok ::1 1 echo 1000000000", None),
        (b"SIX1 n ok ::1 1 0", None),
        (b"HTTP/1.1 400 Bad Request a b c", None),
        (b"\xff\xfe", None),
    ],
    ids=range(9),
)
def test_answer(line: bytes, answer: Answer | None) -> None:
    """Anything that is not exactly an answer is none."""
    assert Answer.read(line) == answer


@given(st.binary(max_size=300))
def test_no_bytes_crash_the_readers(line: bytes) -> None:
    """A foreign server or client cannot make a flow hang by what it says."""
    assert Header.read(line) is None or line.startswith(b"SIX1")
    assert Answer.read(line) is None or b"SIX1" in line


@given(st.booleans(), st.ip_addresses(), st.integers(0, 65535), st.integers(0, PAYLOAD_LIMIT))
def test_answer_line_is_read_back(intact: bool, peer: object, port: int, size: int) -> None:
    """Client and server agree on the line, which has no zone."""
    line = answer_line(Header(NONCE, 0, 0), intact, (f"{peer}%eth0", port), size)

    assert Answer.read(line) == Answer(NONCE, intact, str(peer), port, identity.HOST, size)


@pytest.mark.parametrize(
    ("data", "wanted"),
    [(b"", 0xFFFF), (bytes.fromhex("0001f203f4f5f6f7"), 0x220D), (b"\x01", 0xFEFF)],
    ids=["nothing", "RFC 1071 section 3", "odd"],
)
def test_internet_checksum(data: bytes, wanted: int) -> None:
    """RFC 1071."""
    assert checksum(data) == wanted


E = errno
V6 = socket.inet_pton(socket.AF_INET6, "2001:db8::1")


@pytest.mark.parametrize(
    ("number", "at_once", "later"),
    [
        (E.ECONNREFUSED, Event.RESET, Event.RESET),
        (E.ECONNRESET, Event.RESET, Event.RESET),
        (E.EPIPE, Event.RESET, Event.RESET),
        (E.EMSGSIZE, Event.TOO_BIG, Event.TOO_BIG),
        (E.ENETUNREACH, Event.NO_ROUTE, Event.UNREACHABLE),
        (E.EADDRNOTAVAIL, Event.NO_ROUTE, Event.UNREACHABLE),
        (E.EAFNOSUPPORT, Event.NO_ROUTE, Event.UNREACHABLE),
        (E.EACCES, Event.NO_ROUTE, Event.UNREACHABLE),
        (E.EHOSTUNREACH, Event.UNREACHABLE, Event.UNREACHABLE),
        (E.EHOSTDOWN, Event.UNREACHABLE, Event.UNREACHABLE),
        (E.ENOPROTOOPT, Event.UNREACHABLE, Event.UNREACHABLE),
        (E.EPROTO, Event.UNREACHABLE, Event.UNREACHABLE),
        (E.EINVAL, Event.NO_ROUTE, Event.FAILED),
        (E.ETIMEDOUT, Event.SILENT, Event.SILENT),
        (E.EMFILE, Event.FAILED, Event.FAILED),
        (E.EPERM, Event.FAILED, Event.FAILED),
        (E.EADDRINUSE, Event.FAILED, Event.FAILED),
        (E.ENOBUFS, Event.FAILED, Event.FAILED),
        (0, Event.FAILED, Event.FAILED),
    ],
    ids=lambda v: errno.errorcode.get(v, "0") if isinstance(v, int) else v,
)
def test_errors_are_sorted_by_what_they_say_of_the_network(
    number: int, at_once: str, later: str
) -> None:
    """Before a packet left it is the kernel's own routing, afterwards what came back."""
    assert (event_of(number, False), event_of(number, True)) == (at_once, later)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (struct.pack("=HH4s8x", socket.AF_INET, 0, bytes([192, 0, 2, 1])), "192.0.2.1"),
        (struct.pack("=HHI16sI", socket.AF_INET6, 0, 0, V6, 0), "2001:db8::1"),
        (struct.pack("=HH", socket.AF_INET6, 0), ""),
        (b"", ""),
    ],
    ids=["IPv4", "IPv6", "cut off", "none"],
)
def test_sender_of_an_icmp_error(data: bytes, text: str) -> None:
    """As the kernel appends it to an extended error."""
    assert offender(data) == text


def test_log_forgets_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is bounded, and the first arrival of a nonce counts."""
    monkeypatch.setattr("sixproof.agent.server.log.LOG_LIMIT", 2)
    log = Log()

    for number, nonce in enumerate(("a", "b", "b", "c")):
        log.note(nonce, "udp", (f"fe80::{number}%eth0", 4242), ("::1", 8080))
    found = log.of(["a", "b", "c", "d"])

    assert [(a.nonce, a.peer) for a in found] == [("b", "fe80::1"), ("c", "fe80::3")]


TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000
   1: 0202000A:1F90 0102000A:9C40 03 00000000:00000000
"""
TCP6 = """\
  sl  local_address                         remote_address                        st
   0: B80D0120000000000000000002000000:1F90 B80D0120000000000000000001000000:9C41 03
   1: B80D0120000000000000000002000000:1F90 B80D0120000000000000000001000000:9C42 01
"""


def test_half_open_connections_of_both_families(monkeypatch: pytest.MonkeyPatch) -> None:
    """State SYN_RECV, and no other, as /proc/net/tcp and tcp6 write it."""
    files = {"/proc/net/tcp": TCP, "/proc/net/tcp6": TCP6}
    monkeypatch.setattr("sixproof.agent.files.read", files.__getitem__)
    monkeypatch.setattr(sys, "byteorder", "little")

    found = [(h.local, h.local_port, h.peer, h.peer_port) for h in half_open()]

    assert found == [
        ("10.0.2.2", 8080, "10.0.2.1", 40000),
        ("2001:db8::2", 8080, "2001:db8::1", 40001),
    ]


def test_addresses_of_a_big_endian_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """There the words of /proc/net/tcp are already in network order."""
    monkeypatch.setattr(sys, "byteorder", "big")

    assert _proc_address("0A000202:1F90") == ("10.0.2.2", 8080)
