"""Whole packets: what an agent refuses to send or keep, whatever it may do on its machine."""

from __future__ import annotations

import base64
import socket

import pytest

from sixproof.agent import protocol
from sixproof.agent.control.agent import Agent
from sixproof.agent.server.ports import Server
from tests.unit.agent.agents_on_loopback import run

V4 = base64.b64encode(b"\x45" + bytes(27)).decode()
V6 = base64.b64encode(b"\x60" + bytes(47)).decode()


async def asked(request: object) -> object:
    """What an agent of its own answers."""
    return await Agent(Server()).answer(request)


@pytest.mark.parametrize(
    ("address", "packet", "delay"),
    [
        ("::1", V4, 0.0),
        ("127.0.0.1", V6, 0.0),
        ("localhost", V4, 0.0),
        ("127.0.0.1", "not base64", 0.0),
        ("127.0.0.1", base64.b64encode(b"\x45").decode(), 0.0),
        ("127.0.0.1", V4, -1.0),
        ("127.0.0.1", V4, 1e9),
    ],
)
def test_what_is_no_packet_is_refused(address: str, packet: str, delay: float) -> None:
    """Nothing of the list is sent where one of it cannot be; a name is not looked up."""
    good = protocol.RawPacket("127.0.0.1", V4)
    with pytest.raises(ValueError):  # noqa: PT011 - the agent answers any of them with an error
        run(asked(protocol.SendRaw([good, protocol.RawPacket(address, packet, delay)])))


@pytest.mark.parametrize(
    "request_",
    [
        protocol.StartCapture("a", 0.0),
        protocol.StartCapture("a", 1e6),
        protocol.StartCapture("a", 1.0, limit=0),
        protocol.StartCapture("a", 1.0, limit=10**9),
        protocol.EndCapture("never begun"),
    ],
)
def test_a_capture_without_bounds_is_refused(request_: object) -> None:
    """Time and number are limited, and one that was never begun cannot end."""
    with pytest.raises(ValueError):  # noqa: PT011
        run(asked(request_))


def test_too_many_packets_are_refused() -> None:
    """One request may not keep an agent busy for ever."""
    packets = [protocol.RawPacket("127.0.0.1", V4)] * (protocol.RAW_LIMIT + 1)
    with pytest.raises(ValueError, match="at most"):
        run(asked(protocol.SendRaw(packets)))


def test_without_the_capability_the_runner_gets_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """EPERM becomes an answer that says so; the agent goes on."""

    def forbidden(*_: object) -> object:
        raise PermissionError(1, "Operation not permitted")

    async def scenario() -> list[str]:
        helper = Agent(Server())
        monkeypatch.setattr(socket, "socket", forbidden)
        said = []
        for request in (
            protocol.StartCapture("a", 1.0),
            protocol.SendRaw([protocol.RawPacket("127.0.0.1", V4)]),
        ):
            try:
                await helper.answer(request)
            except OSError as error:
                said.append(str(error))
        return [*said, str(helper.captures)]

    assert run(scenario()) == ["[Errno 1] Operation not permitted"] * 2 + ["{}"]
