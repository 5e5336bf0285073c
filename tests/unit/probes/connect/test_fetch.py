"""The page probe: what came of each page, and what says nothing is UNKNOWN."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sixproof.agent import protocol
from sixproof.agent.protocol import Event, Page
from sixproof.errors import ChannelLost
from sixproof.model import Flow, Outcome
from sixproof.probes.connect import fake_agents
from sixproof.probes.connect.fake_agents import FakeAgents, Script
from sixproof.probes.connect.fetch import PageProbe, asking
from tests.unit.model.places import CLIENT, ECHO

ADDRESS = ECHO.addresses[0]


def flow(path: str = "/metrics") -> Flow:
    return asking(CLIENT, ECHO, ADDRESS, 9091, path)


def saying(lag: float = 0.0, **fields: Any) -> Script:
    """An agent to whose every request the same is answered."""

    def script(request: object) -> object:
        assert isinstance(request, protocol.Fetch)
        pages = [Page(**{"nonce": g.nonce, "sent": 1, **fields}) for g in request.gets]
        return protocol.Fetched(pages, lag)

    return script


def test_the_question_names_the_page() -> None:
    one = flow("/liveness")
    assert (one.asked, one.port_spec) == ("tcp/9091 GET /liveness", "tcp/9091")


@pytest.mark.parametrize(
    ("fields", "outcome", "words"),
    [
        ({"event": Event.ANSWERED, "status": 200, "body": "here"}, Outcome.ALLOWED, ""),
        ({"event": Event.ANSWERED, "status": 204}, Outcome.ALLOWED, ""),
        (
            {"event": Event.ANSWERED, "status": 503, "body": "not\nready"},
            Outcome.WRONG,
            "HTTP status 503: not ready",
        ),
        ({"event": Event.ANSWERED, "status": 0}, Outcome.WRONG, "HTTP status 0"),
        ({"event": Event.SILENT, "stage": "exchange"}, Outcome.DROPPED, "then no answer"),
        ({"event": Event.RESET, "error": "ECONNREFUSED"}, Outcome.REFUSED, "ECONNREFUSED"),
        ({"event": Event.CORRUPTED, "detail": "no HTTP"}, Outcome.CORRUPTED, "no HTTP"),
        ({"event": Event.CLOSED}, Outcome.CORRUPTED, "before the answer"),
        ({"event": Event.FAILED, "detail": "no socket"}, Outcome.UNKNOWN, "no socket"),
    ],
)
def test_what_came_of_it(fields: dict[str, Any], outcome: Outcome, words: str) -> None:
    (found,) = PageProbe(FakeAgents({CLIENT.name: saying(**fields)})).fetch([flow()], 1.0)
    assert found.observation.outcome is outcome
    assert words in found.observation.reason
    assert found.body == (fields.get("body", "") if outcome is Outcome.ALLOWED else "")


def test_agents_that_do_not_answer_leave_it_unknown() -> None:
    lost = fake_agents.failing(ChannelLost("silent for 20 s"))
    (found,) = PageProbe(FakeAgents({CLIENT.name: lost})).fetch([flow()], 1.0)
    assert found.observation.outcome is Outcome.UNKNOWN
    assert "silent for 20 s" in found.observation.reason


def test_answers_to_other_requests_are_none() -> None:
    stale = saying(event=Event.ANSWERED, status=200, nonce="of another")
    (found,) = PageProbe(FakeAgents({CLIENT.name: stale})).fetch([flow()], 1.0)
    assert found.observation.outcome is Outcome.UNKNOWN


def test_a_stalled_agent_is_asked_once_more() -> None:
    agents = FakeAgents({CLIENT.name: saying(lag=0.9, event=Event.SILENT)})
    (found,) = PageProbe(agents).fetch([flow()], 1.0)
    assert found.observation.outcome is Outcome.DROPPED  # 0.9 s are little of the second wait
    waits = [r.gets[0].timeout for _, r in agents.asked if isinstance(r, protocol.Fetch)]
    assert waits == [1.0, 2.0]


def test_many_pages_of_many_agents_come_in_order() -> None:
    other = dataclasses.replace(CLIENT, name="other")
    flows = [dataclasses.replace(flow(f"/{n}"), source=(CLIENT, other)[n % 2]) for n in range(20)]

    def script(request: object) -> object:
        assert isinstance(request, protocol.Fetch)
        assert len(request.gets) <= protocol.PAGES
        pages = [Page(g.nonce, Event.ANSWERED, status=200, body=g.path) for g in request.gets]
        return protocol.Fetched(pages, 0.0)

    found = PageProbe(FakeAgents({CLIENT.name: script, "other": script})).fetch(flows, 1.0)
    assert [one.body for one in found] == [f"/{n}" for n in range(20)]
