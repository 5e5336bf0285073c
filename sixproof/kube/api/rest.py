"""Requests to the API server: each with a time-out, every failure an `ApiError`.

Each thread has its own `ApiClient`.
"""

from __future__ import annotations

import dataclasses
import datetime
import email.utils
import json
import threading
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from kubernetes.client.api_client import ApiClient
from urllib3.connectionpool import HTTPSConnectionPool

from sixproof.errors import ApiError, ClusterUnreachable, NoAnswer
from sixproof.kube.access.config import Access
from sixproof.kube.access.exec_plugin import Say
from sixproof.kube.access.silence import Silence, server_of
from sixproof.kube.api import failures, json_fields, wait
from sixproof.kube.api.json_fields import Manifest

T = TypeVar("T")

JSON = "application/json"
_CONNECT = 5.0  # seconds that connecting may take at most
_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """One request; `purpose` is its name in errors (``get pods default/web``).

    `repeatable` requests may be sent again although an earlier try may have been carried out.
    """

    method: str
    path: str
    purpose: str
    query: tuple[tuple[str, str], ...] = ()  # empty values are not sent
    body: Manifest | None = None
    content_type: str = JSON
    repeatable: bool = True
    accept: str = JSON


_GREETING = Request("GET", "/version", "connect")


@dataclasses.dataclass(frozen=True, slots=True)
class ApiResponse:
    """The body of a successful answer, and the API server's clock if the answer has it."""

    body: bytes
    date: datetime.datetime | None


class Rest:
    """The connections to one API server; safe to use from many threads at once."""

    def __init__(
        self,
        access: Access,
        *,
        timeout: float,
        patience: float,
        say: Say | None = None,
        final: bool = False,
    ) -> None:
        """`timeout` is for one try, `patience` for all tries of a request, both in seconds; `say`
        gets a message when the API server keeps a request waiting. `final` as for `Silence`."""
        self.access = access
        self.patience = patience
        self._timeouts = (min(timeout, _CONNECT), timeout)
        self._silence = Silence(patience, timeout, say, final=final)
        self._mine = threading.local()
        self._all: list[ApiClient] = []
        self._lock = threading.Lock()

    def hasty(self, seconds: float) -> Rest:
        """See `Cluster.hasty`."""
        return Rest(self.access, timeout=seconds, patience=seconds, final=True)

    @property
    def given_up(self) -> str:
        """The request that was given up, and why; "" where the API server answers."""
        return self._silence.given_up()

    def greet(self) -> tuple[str, datetime.timedelta]:
        """The API server's version ("" if not reported), and how far its clock is ahead.

        Raises:
            ApiError: no answer, refused credentials, or not an API server.
        """
        try:
            answer = self.send(_GREETING, patience=0)
        except ApiError as error:
            if error.status == 403 and error.reason == "Forbidden":
                return "", datetime.timedelta()
            if error.status == 401:
                hint = failures.credentials_refused(self.access)
                raise ApiError(f"{error}; {hint}", status=401, reason=error.reason) from error
            raise
        version = json_fields.text(_decode(_GREETING, answer), "gitVersion")
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
        accept: str = JSON,
    ) -> Manifest:
        """The object at a path, of the media types in `accept`. Raises: ApiError."""
        request = Request("GET", path, purpose, tuple(query.items()), accept=accept)
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

    def send(self, request: Request, *, patience: float | None = None) -> ApiResponse:
        """Send a request; retry while the API server is busy or away.

        `patience` bounds the retries after transient refusals. Silence is met with this
        connection's own patience, whatever is given here: a single try may have used up a short
        one. 0 ends both at the first try.

        Raises:
            ApiError: the last try failed; status 0 means that no answer came.
        """
        patient = self.patience if patience is None else patience
        if patient <= 0:
            return self._once(request)

        def lasting(error: BaseException) -> float:
            if not failures.is_transient(error, repeatable=request.repeatable):
                return 0.0
            if not isinstance(error, NoAnswer):
                return patient
            return self._silence.patience(request.path, error)

        self._silence.check(request.path, request.purpose)
        return wait.retry(lambda: self._once(request), lasting)

    def authorized(self, purpose: str, attempt: Callable[[str], T]) -> T:
        """The result of `attempt`, given the ``Authorization`` header ("" for none). Where the API
        server refuses the credentials and newer ones exist, it is called again with them.

        Raises:
            ApiError: as `attempt`; status 401 where no credentials are available.
        """
        credentials = self.access.credentials
        try:
            header = credentials.header()
            try:
                return attempt(header)
            except ApiError as error:
                if error.status != 401 or not credentials.refused(header):
                    raise
            client = self._client()
            client.rest_client.close()  # its connections may have presented an old certificate
            return attempt(credentials.header())
        except ClusterUnreachable as error:
            raise ApiError(f"{purpose}: {error}", status=401) from error

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            clients, self._all = self._all, []
            self._mine = threading.local()
        for client in clients:
            client.rest_client.close()

    def _client(self) -> ApiClient:
        client: ApiClient | None = getattr(self._mine, "client", None)
        if client is None:
            client = ApiClient(self.access.configuration)
            client.user_agent = "sixproof"
            if not self.access.verified:
                pools = client.rest_client.pool_manager
                pools.pool_classes_by_scheme = {
                    **pools.pool_classes_by_scheme,
                    "https": _Unverified,
                }
            with self._lock:
                self._all.append(client)
            self._mine.client = client
        return client

    def _once(self, request: Request) -> ApiResponse:
        return self.authorized(request.purpose, lambda header: self._exchange(request, header))

    def _exchange(self, request: Request, authorization: str) -> ApiResponse:
        client = self._client()
        try:
            url, headers = _address(client, request, authorization)
            response = client.call_api(
                request.method, url, headers, request.body, _request_timeout=self._timeouts
            )
            body: bytes = response.read()  # type: ignore[no-untyped-call]
        except failures.FOREIGN as error:
            behind = bool(server_of(request.path))
            raise failures.no_answer(
                request.purpose, self.access, self._timeouts, error, behind=behind
            ) from error
        self._silence.broken(request.path)
        if not 200 <= response.status <= 299:
            raise failures.refusal(request.purpose, response.status, body, response.headers)
        return ApiResponse(body, _date(response.headers))


class _Unverified(HTTPSConnectionPool):
    """Connections to a server whose certificate is not verified. The user is informed once instead
    of being warned at each request, since such warnings may be errors where we run."""

    def _validate_conn(self, conn: Any) -> None:
        if conn.is_closed:
            conn.connect()


def _address(client: ApiClient, request: Request, authorization: str) -> tuple[str, dict[str, Any]]:
    """The URL and the headers, including credentials."""
    headers: dict[str, Any] = {"Accept": request.accept}
    if authorization:
        headers["Authorization"] = authorization
    if request.body is not None:
        headers["Content-Type"] = request.content_type
    _, url, headers, _, _ = client.param_serialize(
        request.method,
        request.path,
        query_params=[(key, value) for key, value in request.query if value],
        header_params=headers,
    )
    return url, headers


def _decode(request: Request, answer: ApiResponse) -> Manifest:
    try:
        value = json.loads(answer.body)
    except ValueError as error:
        raise failures.no_json(request.purpose, answer.body, str(error)) from error
    if not isinstance(value, dict):
        raise ApiError(f"{request.purpose}: the answer is not an object")
    return value


def _date(headers: Mapping[str, str]) -> datetime.datetime | None:
    try:
        date = email.utils.parsedate_to_datetime(headers.get("Date", ""))
    except ValueError:
        return None
    return date if date.tzinfo else date.replace(tzinfo=datetime.UTC)
