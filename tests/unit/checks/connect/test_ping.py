"""Whether probe pods may send ICMP echo is asked of those agents that answer."""

from __future__ import annotations

from concurrent.futures import Future

import pytest

from sixproof.agent.protocol import Inspected
from sixproof.checks.connect.ping import PING, may_ping
from sixproof.errors import ChannelLost, InfrastructureError


def said(low_high: str) -> Future[Inspected]:
    """An agent that answers with its range of groups that may ping."""
    future: Future[Inspected] = Future()
    future.set_result(Inspected({}, [], {PING: low_high}, "", {}))
    return future


def lost() -> Future[Inspected]:
    """An agent that does not answer."""
    future: Future[Inspected] = Future()
    future.set_exception(ChannelLost("gone"))
    return future


ALL, NONE = "0 2147483647", "1 0"


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ([said(ALL), said(ALL)], True),
        ([said(ALL), said(NONE)], False),
        ([lost(), said(ALL)], True),
        ([lost(), said(NONE)], False),
    ],
)
def test_a_lost_agent_has_no_say(asked: list[Future[Inspected]], wanted: bool) -> None:
    assert may_ping(asked) is wanted


def test_without_any_answer_nothing_is_known() -> None:
    with pytest.raises(InfrastructureError, match="gone"):
        may_ping([lost(), lost()])
