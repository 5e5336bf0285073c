"""HTTP servers elsewhere, asked how they are."""

from __future__ import annotations

import socket

import pytest

from sixproof.agent import protocol
from sixproof.agent.witness import health
from sixproof.model import Family
from tests.unit.agent.agents_on_loopback import LOOPBACK, free_port, run, speaking


def said(line: bytes) -> list[bytes]:
    """An HTTP server that is not well."""
    assert line == b"GET /healthz HTTP/1.0\r\n"
    return [b"HTTP/1.0 503 Service Unavailable\r\n", b"X: y\r\n\r\n", b'{"localEndpoints": 0}\n']


@pytest.mark.parametrize("family", Family, ids=str)
def test_a_server_is_asked_at_its_own_address(family: Family) -> None:
    async def scenario() -> list[protocol.HealthSeen]:
        async with speaking(family, said) as port:
            return await health.elsewhere([protocol.ServerAsked(LOOPBACK[family], port)])

    (answer,) = run(scenario())
    assert (answer.status, answer.body, answer.error) == (503, '{"localEndpoints": 0}', "")


@pytest.mark.parametrize("family", Family, ids=str)
def test_a_path_of_its_own_is_asked_for(family: Family) -> None:
    """A pod's probes name one; of a long answer the beginning is kept."""

    def unready(line: bytes) -> list[bytes]:
        assert line == b"GET /ready?verbose HTTP/1.0\r\n"
        return [b"HTTP/1.1 503 Service Unavailable\r\n\r\n", b"kubernetes", b"x" * health.LONGEST]

    async def scenario() -> list[protocol.HealthSeen]:
        async with speaking(family, unready) as port:
            asked = protocol.ServerAsked(LOOPBACK[family], port, "ready?verbose")
            return await health.elsewhere([asked])

    (answer,) = run(scenario())
    assert answer.status == 503
    assert answer.body.startswith("kubernetesxxx")
    assert len(answer.body) < health.LONGEST


def test_a_server_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others have answered by then."""
    monkeypatch.setattr(health, "PATIENCE", 0.2)

    async def scenario() -> list[protocol.HealthSeen]:
        with socket.create_server(("::1", 0), family=socket.AF_INET6) as hangs:
            async with speaking(Family.IPV6, said) as port:
                ports = (hangs.getsockname()[1], port)
                return await health.elsewhere([protocol.ServerAsked("::1", p) for p in ports])

    silent, other = run(scenario())
    assert (silent.status, silent.error) == (0, "no answer within 0.2 s")
    assert other.status == 503


def test_a_refusal_and_what_is_no_http_are_no_status() -> None:
    async def scenario() -> list[protocol.HealthSeen]:
        async with speaking(Family.IPV6, lambda _: [b"hello\n"]) as port:
            asked = [protocol.ServerAsked("::1", free_port()), protocol.ServerAsked("::1", port)]
            return await health.elsewhere(asked)

    refused, other = run(scenario())
    assert (refused.status, refused.error) == (0, "Connection refused")
    assert (other.status, other.error) == (0, "no HTTP")


@pytest.mark.parametrize(
    "asked",
    [
        [protocol.ServerAsked("kubernetes.default", 80)],
        [protocol.ServerAsked("::1", 0)],
        [protocol.ServerAsked("::1", 80)] * (health.MOST_ELSEWHERE + 1),
        [protocol.ServerAsked("::1", 80, "x HTTP/1.0\r\nHost: y")],
        [protocol.ServerAsked("::1", 80, "x" * (health.LONGEST_PATH + 1))],
    ],
    ids=["name", "port", "many", "more than a path", "long"],
)
def test_what_is_no_address_port_or_path_and_too_many_are_refused(
    asked: list[protocol.ServerAsked],
) -> None:
    with pytest.raises(ValueError, match=r"does not appear|is no port|at most|is no path"):
        run(health.elsewhere(asked))
