"""Agents that answer from a script: what tests of probes have in place of a cluster."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable, Mapping
from typing import TypeVar

from sixproof.agent import protocol
from sixproof.errors import InfrastructureError
from sixproof.model import Endpoint

A = TypeVar("A")

_CONTROLS = {True: (protocol.Event.ECHOED,), False: (protocol.Event.RESET, "ECONNREFUSED")}

Script = Callable[[object], object]
"""From a request to its answer; may raise an InfrastructureError."""


class FakeAgents:
    """Agents by their endpoint's name; what they were asked is kept in `asked`."""

    def __init__(self, scripts: Mapping[str, Script]) -> None:
        self._scripts = scripts
        self.asked: list[tuple[str, object]] = []

    def has(self, endpoint: Endpoint) -> bool:
        """As with the real ones: true of every pod."""
        return bool(endpoint.pod)

    def ask(
        self,
        endpoint: Endpoint,
        request: object,
        answer: type[A],
        timeout: float,  # noqa: ARG002 - the seam's name; a script answers at once
    ) -> concurrent.futures.Future[A]:
        """The script's answer, checked for its type."""
        future: concurrent.futures.Future[A] = concurrent.futures.Future()
        self.asked.append((endpoint.name, request))
        try:
            message = self._scripts[endpoint.name](request)
        except InfrastructureError as error:
            future.set_exception(error)
            return future
        if not isinstance(message, answer):
            raise TypeError(f"the script of {endpoint.name} answered {message!r}")
        future.set_result(message)
        return future


def client(event: str, lag: float = 0.0, **fields: object) -> Script:
    """A client to whose every flow the same happens; `fields` are those of its FlowResult."""

    def script(request: object) -> object:
        if not isinstance(request, protocol.Probe):
            raise TypeError(f"a client was asked {request!r}")
        results = [
            protocol.FlowResult(**{"nonce": f.nonce, "event": event, "sent": 1, **fields})  # type: ignore[arg-type]
            for f in request.flows
        ]
        return protocol.Probed(results=results, lag=lag)

    return script


def witness(
    arrived: bool = False,
    control: bool = True,
    half_open: tuple[protocol.HalfOpen, ...] = (),
    lag: float = 0.0,
    uptime: float = 3600.0,
) -> Script:
    """A server that has seen all nonces or none, and answers its controls or refuses them."""

    def script(request: object) -> object:
        if not isinstance(request, protocol.Evidence):
            raise TypeError(f"a witness was asked {request!r}")
        return protocol.EvidenceFound(
            arrivals=[
                protocol.Arrival(nonce, "tcp", "192.0.2.1", 40000, "192.0.2.2", 8080, 0.0)
                for nonce in request.nonces
                if arrived
            ],
            half_open=list(half_open),
            controls=[
                protocol.ControlResult(c.protocol, c.address, c.port, *_CONTROLS[control])
                for c in request.controls
            ],
            lag=lag,
            uptime=uptime,
        )

    return script


def failing(error: InfrastructureError) -> Script:
    """An agent that cannot be asked."""

    def script(_: object) -> object:
        raise error

    return script
