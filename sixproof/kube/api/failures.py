"""Failed requests: the client library's errors become one `ApiError` of one line."""

from __future__ import annotations

import html
import http.client
import json
import re
import socket
import ssl
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import urllib3.exceptions
from kubernetes.client.exceptions import ApiException

from sixproof.errors import ApiError, NoAnswer
from sixproof.kube.access import certificates
from sixproof.kube.access.config import Access
from sixproof.kube.api import json_fields
from sixproof.kube.api.json_fields import one_line

FOREIGN = (urllib3.exceptions.HTTPError, ApiException, OSError)
"""What the client library and those below it raise when no answer came."""

_BUSY = frozenset({429, 502, 503, 504})  # the request was not carried out, and may be soon
# Refusals that pass by themselves: a new namespace gets its service account a moment later, etcd
# elects a leader, and pods created in parallel race for their quota counter.
_PASSING = ("error looking up service account", "etcdserver:", "on resourcequotas")
# Every failure to connect is a kind of urllib3's ConnectTimeoutError, raised from the cause.
_UNSENT = (urllib3.exceptions.ConnectTimeoutError, ConnectionRefusedError)
_NOTHING: Mapping[str, str] = MappingProxyType({})
_TITLE = re.compile(r"<title[^>]*>(.{0,200}?)</title", re.IGNORECASE | re.DOTALL)
_PAGE = re.compile(r"\s*(<!--.{0,2000}?-->\s*)*<(!doctype\s+html|html|head|body)", re.I | re.DOTALL)
# OpenSSL's X509_V_ERR_…
_ENDED, _NOT_YET, _NAMES = 10, 9, (62, 64)
_UNKNOWN_CA = (2, 18, 19, 20, 21)


def no_answer(
    purpose: str,
    access: Access,
    timeouts: tuple[float, float],
    error: BaseException,
    *,
    behind: bool = False,
) -> NoAnswer:
    """The error for a request without an answer; `timeouts` are to connect and to read, in s."""
    chain = _chain(error)
    server = one_line(access.server, 200)
    return NoAnswer(
        f"{purpose}: no answer from {server}: {_why(chain, access, timeouts)}",
        sent=not any(isinstance(e, _UNSENT) for e in chain),
        silent=_is_slow_tls(chain)
        or any(isinstance(e, urllib3.exceptions.ReadTimeoutError) for e in chain),
        behind=behind,
    )


def refusal(
    purpose: str, status: int, body: bytes, headers: Mapping[str, str] = _NOTHING
) -> ApiError:
    """The error for an answer other than 2xx; its text is the API server's own."""
    try:
        parsed = json.loads(body)
    except ValueError:
        parsed = None
    message = json_fields.text(parsed, "message")
    if not message and 300 <= status <= 399:
        message = (
            f"it sends us on to {one_line(headers.get('Location') or 'nowhere', 200)}; {_OTHER}"
        )
    if not message and is_page(body):
        message = f"it is {page(body)}; {_OTHER}"
    message = message or body[:2000].decode("utf-8", "replace").strip() or _phrase(status)
    return ApiError(
        f"{purpose}: {status}: {one_line(message)}",
        status=status,
        reason=json_fields.text(parsed, "reason"),
    )


def _phrase(status: int) -> str:
    """What to say of an answer without text: HTTP's own words (RFC 9110), where it has any."""
    phrase = http.client.responses.get(status)
    return f"{phrase}, no reason given" if phrase else "no reason given"


_OTHER = (
    "something else than an API server answers (a login page, a proxy?): "
    "check the server of the kubeconfig"
)


def no_json(purpose: str, body: bytes, why: str) -> ApiError:
    """The error for an answer that should have been JSON and is not."""
    if is_page(body):
        return ApiError(f"{purpose}: the answer is {page(body)}; {_OTHER}")
    return ApiError(f"{purpose}: the answer is not JSON: {one_line(why)}")


def is_page(body: bytes) -> bool:
    """Whether an answer is a web page."""
    return _PAGE.match(body[:5000].decode("utf-8", "replace")) is not None


def page(body: bytes) -> str:
    """What to call a web page."""
    found = _TITLE.search(body[:20000].decode("utf-8", "replace"))
    title = one_line(html.unescape(found[1]), 120) if found and found[1].strip() else ""
    return f"the web page {title!r}" if title else "a web page"


def credentials_refused(access: Access) -> str:
    """What to add to a 401."""
    return _ended(access) or "the credentials were refused"


def _ended(access: Access) -> str:
    """That our client certificate has expired, "" where it has not."""
    when = certificates.ended(access.configuration.cert_file)
    return f"the client certificate of the kubeconfig ended on {when}" if when else ""


def is_transient(error: BaseException, *, repeatable: bool) -> bool:
    """Whether a retry may succeed in a moment; `repeatable` requests may have been carried out."""
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
        inside = (getattr(error, "reason", None), error.__cause__, error.__context__, *error.args)
        inner = next((e for e in inside if isinstance(e, BaseException)), None)
        if inner is None or inner in chain:
            return chain
        chain.append(error := inner)


def _why(chain: Sequence[BaseException], access: Access, timeouts: tuple[float, float]) -> str:
    connect, read = timeouts
    root = chain[-1]
    tls = next((e for e in chain if isinstance(e, ssl.SSLError)), None)
    if _is_slow_tls(chain):
        why = f"the TLS handshake took longer than {connect:g} s"
    elif any(isinstance(e, urllib3.exceptions.ReadTimeoutError) for e in chain):
        why = f"it was silent for {read:g} s"
    elif isinstance(tls, ssl.SSLCertVerificationError):
        return _untrusted(tls, access)
    elif isinstance(root, TimeoutError):
        why = f"connecting took longer than {connect:g} s"
    elif isinstance(root, socket.gaierror):
        why = "its name does not resolve"
    elif tls is not None:
        why = _tls(tls)
    elif isinstance(root, http.client.IncompleteRead):
        partial: object = root.partial  # bytes; of urllib3's own subclass their number
        came = len(partial) if isinstance(partial, bytes) else partial
        why = f"the connection ended in the middle of it, after {came} bytes"
    elif isinstance(root, OSError) and root.strerror:
        why = root.strerror.lower()
    else:
        why = one_line(root)
    if access.proxy and _at_proxy(chain):
        return f"the proxy {access.proxy.url} ({access.proxy.source}): {why}"
    # With TLS 1.3 a server that rejects our certificate just closes the connection.
    cut = tls is not None or isinstance(root, ConnectionError | http.client.HTTPException)
    hint = _ended(access) if cut and not isinstance(root, ConnectionRefusedError) else ""
    return f"{why}; {hint}" if hint else why


def _is_slow_tls(chain: Sequence[BaseException]) -> bool:
    """Whether the server was connected and did not answer the TLS handshake: a stopped process
    looks like this, since its kernel accepts connections."""
    return any("handshake operation timed out" in str(e) for e in chain)


def _at_proxy(chain: Sequence[BaseException]) -> bool:
    """Whether the path ended at the proxy: it was not reached, or refused the tunnel."""
    kinds = (*_UNSENT, urllib3.exceptions.ProxyError, socket.gaierror)
    return any(isinstance(e, kinds) or "Tunnel connection failed" in str(e) for e in chain)


def _untrusted(error: ssl.SSLCertVerificationError, access: Access) -> str:
    """Why the server's certificate is not trusted."""
    known = "its certificate is not trusted: "
    if error.verify_code == _ENDED:
        return f"{known}it has ended (or this machine's clock is wrong)"
    if error.verify_code == _NOT_YET:
        return f"{known}it is not valid yet (or this machine's clock is wrong)"
    if error.verify_code in _NAMES:
        return f"its certificate is for another name: {one_line(error.verify_message)}"
    if error.verify_code not in _UNKNOWN_CA:
        return f"{known}{one_line(error.verify_message)}"
    if access.configuration.ssl_ca_cert:
        return f"{known}it was not signed by the certificate-authority of the kubeconfig"
    return (
        f"{known}no CA of this machine signed it, and the kubeconfig names no certificate-authority"
    )


def _tls(error: ssl.SSLError) -> str:
    """Another error of the TLS library, in plain words where known."""
    reason = (error.reason or "").upper()
    if "ALERT" in reason and ("CERTIFICATE" in reason or "UNKNOWN_CA" in reason):
        return f"it refuses our client certificate ({_plain(reason.partition('ALERT_')[2])})"
    if reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"):
        return "it does not speak TLS: is the server of the kubeconfig http:// in truth?"
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return "it closed the connection"
    return f"TLS failed: {_plain(reason) or one_line(error).partition(' (_ssl')[0]}"


def _plain(reason: str) -> str:
    return reason.replace("_", " ").lower()
