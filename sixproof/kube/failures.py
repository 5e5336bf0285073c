"""What went wrong with a request: the client library's errors become one `ApiError` of one line."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Sequence

import urllib3.exceptions
from kubernetes.client.exceptions import ApiException
from kubernetes.config.config_exception import ConfigException

from sixproof.errors import ApiError
from sixproof.kube import fields
from sixproof.kube.fields import one_line

FOREIGN = (urllib3.exceptions.HTTPError, ApiException, ConfigException, OSError)
"""What the client library and those below it raise when no answer came."""

_BUSY = frozenset({429, 502, 503, 504})  # the request was not carried out, and may be soon
# Refusals that pass by themselves: a new namespace gets its service account a moment later, etcd
# elects a leader, and pods created side by side race for the counter of their quota.
_PASSING = ("error looking up service account", "etcdserver:", "on resourcequotas")
# All ways not to connect are kinds of urllib3's ConnectTimeoutError; it is raised from the cause.
_UNSENT = (urllib3.exceptions.ConnectTimeoutError, ConnectionRefusedError)


class NoAnswer(ApiError):
    """No answer came (status 0). `sent` tells whether the server may have seen the request."""

    def __init__(self, message: str, *, sent: bool) -> None:
        self.sent = sent
        super().__init__(message)


def no_answer(
    purpose: str, server: str, timeouts: tuple[float, float], error: BaseException
) -> NoAnswer:
    """The error for a request without an answer; `timeouts` are to connect and to read, in s."""
    chain = _chain(error)
    return NoAnswer(
        f"{purpose}: no answer from {server}: {_why(chain, *timeouts)}",
        sent=not any(isinstance(e, _UNSENT) for e in chain),
    )


def refusal(purpose: str, status: int, body: bytes) -> ApiError:
    """The error for an answer that is none of 2xx; its text is the API server's own."""
    try:
        told = json.loads(body)
    except ValueError:
        told = None
    message = fields.text(told, "message") or body.decode("utf-8", "replace").strip()
    return ApiError(
        f"{purpose}: {status}: {one_line(message or 'no reason given')}",
        status=status,
        reason=fields.text(told, "reason"),
    )


def is_transient(error: BaseException, *, repeatable: bool) -> bool:
    """Whether the request may succeed in a moment; `repeatable` ones may have been carried out."""
    if isinstance(error, NoAnswer):
        return repeatable or not error.sent
    if isinstance(error, ApiError):
        passing = error.status in _BUSY or any(words in str(error) for words in _PASSING)
        return error.status == 429 or (repeatable and passing)
    return False


def _chain(error: BaseException) -> list[BaseException]:
    """The errors that the libraries wrapped in each other, the outermost first."""
    chain = [error]
    while True:
        inner = getattr(error, "reason", None)
        if not isinstance(inner, BaseException):
            inner = error.__cause__ or error.__context__
        if not isinstance(inner, BaseException) or inner in chain:
            return chain
        chain.append(error := inner)


def _why(chain: Sequence[BaseException], connect: float, read: float) -> str:
    root = chain[-1]
    for error in chain:
        if isinstance(error, urllib3.exceptions.ReadTimeoutError):
            return f"it was silent for {read:g} s"
    if isinstance(root, TimeoutError):
        return f"connecting took longer than {connect:g} s"
    if isinstance(root, socket.gaierror):
        return "its name does not resolve"
    if isinstance(root, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {root.verify_message}"
    if isinstance(root, OSError) and root.strerror and not isinstance(root, ssl.SSLError):
        return root.strerror.lower()
    return one_line(root)
