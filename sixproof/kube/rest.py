"""Requests to the API server: each with a time-out, every failure an `ApiError`.

Each thread has an `ApiClient` of its own, and each thread that opens exec streams another one:
`kubernetes.stream.stream` swaps a method of the client while it runs, and 196 of 400 calls that
shared one went astray when measured.
"""

from __future__ import annotations

import dataclasses
import datetime
import email.utils
import json
import threading
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from kubernetes.client.api_client import ApiClient

from sixproof.errors import ApiError
from sixproof.kube import failures, fields, wait
from sixproof.kube.config import Access
from sixproof.kube.fields import Manifest, one_line

JSON = "application/json"
_CONNECT = 5.0  # seconds that connecting may take at most
_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """One request; `purpose` is how errors call it (``get pods default/web``).

    `repeatable` requests may be sent again although an earlier try may have been carried out.
    """

    method: str
    path: str
    purpose: str
    query: tuple[tuple[str, str], ...] = ()  # empty values are not sent
    body: Manifest | None = None
    content_type: str = JSON
    repeatable: bool = True


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """The body of a successful answer, and the API server's clock where it told it."""

    body: bytes
    date: datetime.datetime | None


class Rest:
    """The connections to one API server; safe to use from many threads at once."""

    def __init__(self, access: Access, *, timeout: float, patience: float) -> None:
        """`timeout` is for one try, `patience` for all tries of a request, both in seconds."""
        self.access = access
        self.patience = patience
        self._timeouts = (min(timeout, _CONNECT), timeout)
        self._mine = threading.local()
        self._all: list[ApiClient] = []
        self._lock = threading.Lock()

    def greet(self) -> tuple[str, datetime.timedelta]:
        """The API server's version ("" where it does not tell), and how far its clock is ahead.

        Raises:
            ApiError: no answer, refused credentials, or not an API server.
        """
        request = Request("GET", "/version", "connect")
        try:
            answer = self.send(request, patience=0)
        except ApiError as error:
            if error.status == 403 and error.reason == "Forbidden":
                return "", datetime.timedelta()
            raise
        version = fields.text(_decode(request, answer), "gitVersion")
        if not version:
            raise ApiError(f"{self.access.server} answers, but not as a Kubernetes API server")
        now = datetime.datetime.now(datetime.UTC)
        return version, (answer.date - now if answer.date else datetime.timedelta())

    def get(
        self,
        path: str,
        purpose: str,
        query: Mapping[str, str] = _NOTHING,
        *,
        patience: float | None = None,
    ) -> Manifest:
        """The object at a path. Raises: ApiError."""
        request = Request("GET", path, purpose, tuple(query.items()))
        return _decode(request, self.send(request, patience=patience))

    def text(self, path: str, purpose: str, query: Mapping[str, str]) -> str:
        """The text at a path. Raises: ApiError."""
        answer = self.send(Request("GET", path, purpose, tuple(query.items())))
        return answer.body.decode("utf-8", "replace")

    def change(
        self,
        method: str,
        path: str,
        purpose: str,
        body: Manifest,
        *,
        query: Mapping[str, str] = _NOTHING,
        content_type: str = JSON,
        repeatable: bool = True,
    ) -> Manifest:
        """What the API server answered to a change. Raises: ApiError."""
        pairs = tuple(query.items())
        request = Request(method, path, purpose, pairs, body, content_type, repeatable)
        return _decode(request, self.send(request))

    def send(self, request: Request, *, patience: float | None = None) -> Answer:
        """Send a request, again while the API server is busy or away.

        `patience` bounds the tries after refusals that pass. Silence is met with this connection's
        own patience, whatever is given here: one try may have used up a short one all alone. 0 ends
        both at the first try.

        Raises:
            ApiError: the last try failed; status 0 means that no answer came.
        """
        patient = self.patience if patience is None else patience
        if patient <= 0:
            return self._once(request)

        def lasting(error: BaseException) -> float:
            if not failures.is_transient(error, repeatable=request.repeatable):
                return 0.0
            return self.patience if isinstance(error, failures.NoAnswer) else patient

        return wait.retry(lambda: self._once(request), lasting)

    def exec_client(self) -> ApiClient:
        """This thread's client for exec streams, never shared with requests."""
        return self._client("exec")

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            clients, self._all = self._all, []
            self._mine = threading.local()
        for client in clients:
            client.rest_client.close()

    def _client(self, use: str) -> ApiClient:
        client: ApiClient | None = getattr(self._mine, use, None)
        if client is None:
            client = ApiClient(self.access.configuration)
            client.user_agent = "sixproof"
            with self._lock:
                self._all.append(client)
            setattr(self._mine, use, client)
        return client

    def _once(self, request: Request) -> Answer:
        client = self._client("rest")
        try:
            url, headers = self._address(client, request)
            response = client.call_api(
                request.method, url, headers, request.body, _request_timeout=self._timeouts
            )
            body: bytes = response.read()  # type: ignore[no-untyped-call]
        except failures.FOREIGN as error:
            server = self.access.server
            raise failures.no_answer(request.purpose, server, self._timeouts, error) from error
        if not 200 <= response.status <= 299:
            raise failures.refusal(request.purpose, response.status, body)
        return Answer(body, _date(response.headers))

    def _address(self, client: ApiClient, request: Request) -> tuple[str, dict[str, Any]]:
        """The URL and the headers, credentials among them."""
        headers: dict[str, Any] = {"Accept": JSON}
        if request.body is not None:
            headers["Content-Type"] = request.content_type
        with self._lock:  # a credential plugin may run here: once, not once a thread
            _, url, headers, _, _ = client.param_serialize(
                request.method,
                request.path,
                query_params=[(key, value) for key, value in request.query if value],
                header_params=headers,
                auth_settings=["BearerToken"],
            )
        return url, headers


def _decode(request: Request, answer: Answer) -> Manifest:
    try:
        value = json.loads(answer.body)
    except ValueError as error:
        raise ApiError(f"{request.purpose}: the answer is not JSON: {one_line(error)}") from error
    if not isinstance(value, dict):
        raise ApiError(f"{request.purpose}: the answer is not an object")
    return value


def _date(headers: Mapping[str, str]) -> datetime.datetime | None:
    try:
        return email.utils.parsedate_to_datetime(headers.get("Date", ""))
    except ValueError:
        return None
