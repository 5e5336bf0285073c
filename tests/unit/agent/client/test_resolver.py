"""The pod's own resolver, asked in a few threads that nobody waits for longer than agreed."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from sixproof.agent import protocol
from sixproof.agent.client import resolver as own
from sixproof.agent.protocol import Event
from tests.unit.agent.agents_on_loopback import run

V4 = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 0))
V6 = (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("2001:db8::1%eth0", 0, 0, 2))


class Resolver:
    """A getaddrinfo that answers as scripted, and counts how many ask it at once."""

    def __init__(self) -> None:
        self.answer: Any = [V6, V4, V4]
        self.asked: list[tuple[bytes, int]] = []
        self.hold = threading.Event()
        self.hold.set()
        self.at_once = self.most = 0
        self._lock = threading.Lock()

    def __call__(self, name: bytes, _: None, family: int, *_kind: int) -> Any:
        with self._lock:
            self.asked.append((name, family))
            self.at_once += 1
            self.most = max(self.most, self.at_once)
        self.hold.wait(10)
        with self._lock:
            self.at_once -= 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Resolver]:
    """The resolver that the agent asks; threads that still hang are let go."""
    resolver = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    yield resolver
    resolver.hold.set()
    for thread in threading.enumerate():
        if thread.name == "resolver":
            thread.join(10)


def found(*names: str, timeout: float = 10.0, threads: int = 4, family: str = "any") -> Any:
    """What the agent finds under these names."""
    lookups = [protocol.Lookup(name, family) for name in names]

    async def scenario() -> list[protocol.Found]:
        return await own.Resolver().run(protocol.Resolve(lookups, timeout, threads))

    return run(scenario())


def test_addresses_come_in_the_resolver_s_order(resolver: Resolver) -> None:
    """Each once, without zone."""
    (only,) = found("echo.web.svc")

    assert (only.event, only.addresses) == (Event.ANSWERED, ["2001:db8::1", "192.0.2.1"])
    assert (only.error, only.latency >= 0) == ("", True)


@pytest.mark.parametrize(
    ("family", "number"),
    [("any", socket.AF_UNSPEC), ("IPv4", socket.AF_INET), ("IPv6", socket.AF_INET6)],
)
def test_family_is_asked_for(resolver: Resolver, family: str, number: int) -> None:
    """As the application would."""
    found("echo", family=family)

    assert resolver.asked == [(b"echo", number)]


@pytest.mark.parametrize(
    ("error", "event", "said"),
    [
        (socket.gaierror(socket.EAI_NONAME, "unknown"), Event.ANSWERED, "EAI_NONAME"),
        (socket.gaierror(socket.EAI_AGAIN, "later"), Event.ANSWERED, "EAI_AGAIN"),
        (socket.gaierror(socket.EAI_MEMORY, "full"), Event.FAILED, "EAI_MEMORY"),
        (socket.gaierror(-4711, "odd"), Event.ANSWERED, "-4711"),
        (UnicodeError("label too long"), Event.FAILED, "UnicodeError"),
    ],
    ids=["no such name", "try again", "memory", "unknown", "encoding"],
)
def test_errors_of_the_resolver(
    resolver: Resolver, error: Exception, event: str, said: str
) -> None:
    """What the resolver says is an answer; trouble of this process is none."""
    resolver.answer = error

    (only,) = found("echo")

    assert (only.event, only.error, only.addresses) == (event, said, [])


@pytest.mark.parametrize(
    ("name", "family"),
    [("", "any"), ("two words", "any"), ("bücher", "any"), ("a" * 513, "any"), ("echo", "IPv5")],
    ids=["empty", "space", "not ASCII", "long", "family"],
)
def test_lookup_that_cannot_be_is_failed(resolver: Resolver, name: str, family: str) -> None:
    """Without asking anybody."""
    (only,) = found(name, family=family)

    assert (only.event, only.error, resolver.asked) == (Event.FAILED, "EINVAL", [])


def test_results_keep_the_order_of_the_lookups(resolver: Resolver) -> None:
    """However many threads work on them, and never more than asked for."""
    names = [f"echo-{n}" for n in range(100)]

    assert [f.name for f in found(*names, threads=3)] == names
    assert resolver.most <= 3


def test_call_that_hangs_is_silent_and_the_rest_failed(resolver: Resolver) -> None:
    """When the time is up, what was asked is distinguished from what no thread came to."""
    resolver.hold.clear()

    first, second, third = found("a", "b", "c", timeout=0.1, threads=2)

    assert [f.event for f in (first, second, third)] == [Event.SILENT, Event.SILENT, Event.FAILED]
    assert third.detail == "no thread came to it in time (2 are busy)"


def test_no_thread_is_no_answer(resolver: Resolver, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process at its limit blames no resolver."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)

    assert [f.event for f in found("a", "b")] == [Event.FAILED] * 2


def test_too_many_lookups_are_refused(resolver: Resolver, monkeypatch: pytest.MonkeyPatch) -> None:
    """The agent's memory and time are bounded."""
    monkeypatch.setattr("sixproof.agent.client.resolver.LOOKUP_LIMIT", 2)

    with pytest.raises(ValueError, match="3 lookups, at most 2 are taken"):
        found("a", "b", "c")


def test_no_lookups_no_threads(resolver: Resolver) -> None:
    """Nothing to do."""
    assert found() == []
