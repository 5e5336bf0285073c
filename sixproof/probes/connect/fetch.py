"""The page probe: asks HTTP servers that are no agents, such as Felix, and keeps what they say."""

from __future__ import annotations

import concurrent.futures
import dataclasses
from collections import defaultdict
from collections.abc import Sequence

from sixproof.agent import protocol
from sixproof.agent.protocol import Event
from sixproof.errors import AgentError, InfrastructureError, brief
from sixproof.model import Endpoint, Flow, IPAddress, Observation, Outcome, Protocol
from sixproof.probes.connect import verdict
from sixproof.probes.connect.payload import new_nonce
from sixproof.probes.connect.probe import SLACK, AgentClient
from sixproof.probes.connect.verdict import ServerEvidence

GET = "GET "
"""How the question of a flow begins that asks for a page."""
GOOD = range(200, 300)
_SAID = 160
"""Characters of a refusal that are reported."""


@dataclasses.dataclass(frozen=True, slots=True)
class FetchedPage:
    """The result of asking for a page: the flow's outcome and, where it is ALLOWED, the `body`."""

    observation: Observation
    body: str = ""
    cut: bool = False


def asking(source: Endpoint, server: Endpoint, address: IPAddress, port: int, path: str) -> Flow:
    """The flow that asks a server for a page."""
    return Flow(source, server, address, Protocol.TCP, port, GET + path)


class PageProbe:
    """Fetches pages."""

    def __init__(self, agents: AgentClient) -> None:
        self._agents = agents

    def fetch(self, flows: Sequence[Flow], timeout: float) -> tuple[FetchedPage, ...]:
        """The result of each flow (`asking`), in the order given; `timeout` is of each, in seconds.

        An answer with a status other than 2xx is WRONG, with its text as the reason. A flow is
        tried once more, with twice the time, where an agent was too busy to measure it.
        """
        found = list(self._once(flows, timeout))
        if again := [i for i, one in enumerate(found) if one.observation.stalled]:
            later = self._once([flows[i] for i in again], 2 * timeout)
            for i, one in zip(again, later, strict=True):
                found[i] = one
        return tuple(found)

    def _once(self, flows: Sequence[Flow], timeout: float) -> list[FetchedPage]:
        rows: dict[str, list[int]] = defaultdict(list)
        for index, flow in enumerate(flows):
            rows[flow.source.name].append(index)
        batches = [
            indices[start : start + protocol.PAGES]
            for indices in rows.values()
            for start in range(0, len(indices), protocol.PAGES)
        ]
        asked = [(batch, *self._ask([flows[i] for i in batch], timeout)) for batch in batches]
        found: dict[int, FetchedPage] = {}
        for batch, gets, future in asked:
            try:
                answer = future.result()
                if [page.nonce for page in answer.pages] != [get.nonce for get in gets]:
                    raise AgentError("the agent answered other requests than it was given")
            except InfrastructureError as error:
                found |= {i: FetchedPage(verdict.unmeasured(flows[i], str(error))) for i in batch}
                continue
            for i, get, page in zip(batch, gets, answer.pages, strict=True):
                found[i] = _fetched(flows[i], get, page, answer.lag)
        return [found[i] for i in range(len(flows))]

    def _ask(
        self, flows: Sequence[Flow], timeout: float
    ) -> tuple[list[protocol.Get], concurrent.futures.Future[protocol.Fetched]]:
        gets = [
            protocol.Get(
                protocol=flow.protocol.value.lower(),
                address=str(flow.address),
                port=flow.port or 0,
                nonce=new_nonce(),
                timeout=timeout,
                path=flow.question.removeprefix(GET),
            )
            for flow in flows
        ]
        request = protocol.Fetch(gets)
        return gets, self._agents.ask(flows[0].source, request, protocol.Fetched, timeout + SLACK)


def _fetched(flow: Flow, get: protocol.Get, page: protocol.Page, lag: float) -> FetchedPage:
    if page.event != Event.ANSWERED:
        return FetchedPage(verdict.observe(flow, get, page, ServerEvidence(), lag))
    works = page.status in GOOD
    said = brief(page.body.strip(), _SAID)
    return FetchedPage(
        Observation(
            flow,
            Outcome.ALLOWED if works else Outcome.WRONG,
            "" if works else f"HTTP status {page.status}{f': {said}' if said else ''}",
            attempts=page.sent,
            waited=page.elapsed,
            latency=page.latency,
            nonce=get.nonce,
        ),
        page.body if works else "",
        page.cut,
    )
