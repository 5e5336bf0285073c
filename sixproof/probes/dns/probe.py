"""The DNS probe: every query of a test at once, a batch per source, judged on this side."""

from __future__ import annotations

import base64
import concurrent.futures
import secrets
from collections import defaultdict
from collections.abc import Sequence

from sixproof.agent import protocol
from sixproof.errors import AgentError, InfrastructureError
from sixproof.model import ATTEMPTS
from sixproof.probes.connect.payload import new_nonce
from sixproof.probes.connect.probe import SLACK, AgentClient
from sixproof.probes.dns import verdict as dns_verdict
from sixproof.probes.dns.message import encode
from sixproof.probes.dns.verdict import DnsObservation, DnsQuery

_Asked = tuple[list[protocol.Message], concurrent.futures.Future[protocol.Exchanged]]


class DnsProbe:
    """Puts questions to DNS servers from endpoints that have agents."""

    def __init__(self, agents: AgentClient) -> None:
        self._agents = agents

    def ask(self, queries: Sequence[DnsQuery], timeout: float = 3.0) -> tuple[DnsObservation, ...]:
        """One observation a query, in the order given. `timeout` is seconds for each query.

        All sources ask at once, and all silences wait together.
        """
        numbers = [secrets.randbelow(1 << 16) for _ in queries]
        rows: dict[str, list[int]] = defaultdict(list)
        for index, query in enumerate(queries):
            rows[query.source.name].append(index)
        asked = {
            name: self._ask_row(queries, numbers, indices, timeout)
            for name, indices in rows.items()
        }
        seen: dict[int, DnsObservation] = {}
        for name, indices in rows.items():
            messages, future = asked[name]
            try:
                answer = future.result()
                _check(messages, answer)
            except InfrastructureError as error:
                seen |= {i: dns_verdict.unmeasured(queries[i], str(error)) for i in indices}
                continue
            for i, message, reply in zip(indices, messages, answer.replies, strict=True):
                seen[i] = dns_verdict.observe(queries[i], message, reply, numbers[i], answer.lag)
        return tuple(seen[i] for i in range(len(queries)))

    def _ask_row(
        self,
        queries: Sequence[DnsQuery],
        numbers: Sequence[int],
        indices: Sequence[int],
        timeout: float,
    ) -> _Asked:
        messages = [_message(queries[i], numbers[i], timeout) for i in indices]
        source = queries[indices[0]].source
        request = protocol.Exchange(messages)
        return messages, self._agents.ask(source, request, protocol.Exchanged, timeout + SLACK)


def _message(query: DnsQuery, number: int, timeout: float) -> protocol.Message:
    return protocol.Message(
        protocol=query.transport.value.lower(),
        address=str(query.server.address),
        port=query.server.port(query.transport),
        nonce=new_nonce(),
        timeout=timeout,
        attempts=ATTEMPTS,
        payload=base64.b64encode(encode(query.question, number)).decode(),
    )


def _check(messages: Sequence[protocol.Message], answer: protocol.Exchanged) -> None:
    if [m.nonce for m in messages] != [r.nonce for r in answer.replies]:
        raise AgentError(f"{len(messages)} messages sent, {len(answer.replies)} others answered")
