"""How messages are written and read: as JSON lines, checked field by field."""

from __future__ import annotations

import dataclasses
import json
import math
import types
import typing

from sixproof.agent.protocol.bgp import ReadBgp, StartBgp, StopBgp
from sixproof.agent.protocol.evidence import Evidence
from sixproof.agent.protocol.facts import Hello, Inspect, Ping, RouteGet
from sixproof.agent.protocol.flows import Exchange, Probe, Transfer
from sixproof.agent.protocol.names import Resolve
from sixproof.agent.protocol.node import AskServers, ReadFilter, ReadIpSets, ReadNode
from sixproof.agent.protocol.packets import EndCapture, SendRaw, StartCapture
from sixproof.agent.protocol.pages import Fetch
from sixproof.agent.protocol.sizes import SendSized

VERSION = 1
LINE_LIMIT = 32 * 1024 * 1024
"""Bytes of one line; a longer one is refused on both sides."""


class ProtocolError(ValueError):
    """A message that is not of this protocol."""


REQUESTS: dict[str, type] = {
    "hello": Hello,
    "ping": Ping,
    "probe": Probe,
    "exchange": Exchange,
    "fetch": Fetch,
    "resolve": Resolve,
    "evidence": Evidence,
    "inspect": Inspect,
    "send-sized": SendSized,
    "transfer": Transfer,
    "route-get": RouteGet,
    "read-node": ReadNode,
    "read-filter": ReadFilter,
    "read-ip-sets": ReadIpSets,
    "ask-servers": AskServers,
    "send-raw": SendRaw,
    "start-capture": StartCapture,
    "end-capture": EndCapture,
    "start-bgp": StartBgp,
    "read-bgp": ReadBgp,
    "stop-bgp": StopBgp,
}
LONGEST_TOKEN = 64
_ENVELOPE = ("v", "id", "key", "token", "age", "do")
_NAMES = {message: name for name, message in REQUESTS.items()}

M = typing.TypeVar("M")


def encode_request(
    number: int, message: object, key: str = "", token: str = "", age: float | None = None
) -> bytes:
    """One request as a line; `key` is the mark of the runner's key. Of a request with a `token` the
    agent keeps the answer for a while; `age` is how many seconds ago it was first sent, None where
    this is the first time."""
    head: dict[str, object] = {"v": VERSION, "id": number}
    head |= {"key": key} if key else {}
    head |= {"token": token} if token else {}
    head |= {"age": round(age, 3)} if age is not None else {}
    return _line({**head, "do": _NAMES[type(message)], **vars(message)})


def encode_answer(number: int, message: object) -> bytes:
    """One answer as a line."""
    return _line({"v": VERSION, "id": number, "ok": vars(message)})


def renumbered(line: bytes, number: int) -> bytes:
    """An answer of number 0 as that of another request."""
    return _head(number) + line.removeprefix(_head(0))


def encode_error(number: int, reason: str) -> bytes:
    """One refusal as a line; number 0 where the request's own could not be read."""
    return _line({"v": VERSION, "id": number, "error": reason})


def decode_line(line: bytes) -> dict[str, typing.Any]:
    """The JSON object of a line, with its version and id checked.

    Raises:
        ProtocolError: not JSON, not an object, another version, no usable id.
    """
    if len(line) > LINE_LIMIT:
        raise ProtocolError(f"line of {len(line)} bytes, at most {LINE_LIMIT} are taken")
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"not JSON: {error}") from error
    if not isinstance(value, dict):
        raise ProtocolError("not a JSON object")
    if value.get("v") != VERSION:
        said = _short(value.get("v"))
        raise ProtocolError(f"protocol version {said}, this side speaks {VERSION}")
    number = value.get("id")
    if not isinstance(number, int) or isinstance(number, bool) or number < 0:
        raise ProtocolError(f"id {_short(number)} is not a number")
    return value


def decode_request(value: dict[str, typing.Any]) -> object:
    """The request in an object that `decode_line` gave.

    Raises:
        ProtocolError: unknown request, missing or unknown field, wrong type.
    """
    name = value.get("do")
    message = REQUESTS.get(name) if isinstance(name, str) else None
    if message is None:
        known = ", ".join(sorted(REQUESTS))
        raise ProtocolError(f"unknown request {_short(name)}, known are {known}")
    return decode(message, {k: v for k, v in value.items() if k not in _ENVELOPE})


def decode_token(value: dict[str, typing.Any]) -> tuple[str, float | None]:
    """The token of a request, "" where it has none, and its age in seconds, None where it is sent
    for the first time.

    Raises:
        ProtocolError: one of them is malformed.
    """
    token, age = value.get("token", ""), value.get("age")
    if not isinstance(token, str) or len(token) > LONGEST_TOKEN:
        raise ProtocolError(f"token {_short(token)} is no text of {LONGEST_TOKEN} characters")
    return token, None if age is None else _checked(float, age, "age")


def decode(kind: type[M], value: typing.Any, path: str = "") -> M:
    """A message of `kind` from plain JSON values, checked field by field.

    Raises:
        ProtocolError: says the path of what is wrong.
    """
    if not isinstance(value, dict):
        raise ProtocolError(f"{path or kind.__name__}: expected an object, got {_kind_of(value)}")
    hints = _hints(kind)
    if unknown := value.keys() - hints.keys():
        raise ProtocolError(
            f"{path or kind.__name__}: unknown field {_short(sorted(map(str, unknown))[0])}"
        )
    fields = {}
    for field in dataclasses.fields(typing.cast(typing.Any, kind)):
        where = f"{path}.{field.name}" if path else field.name
        if field.name in value:
            fields[field.name] = _checked(hints[field.name], value[field.name], where)
        elif field.default is field.default_factory is dataclasses.MISSING:
            raise ProtocolError(f"{where}: missing")
    return kind(**fields)


def _checked(hint: typing.Any, value: typing.Any, path: str) -> typing.Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, getattr(types, "UnionType", typing.Union)):
        if value is None:
            return None
        hint = next(a for a in arguments if a is not type(None))
        return _checked(hint, value, path)
    if origin is list:
        if not isinstance(value, list):
            raise ProtocolError(f"{path}: expected a list, got {_kind_of(value)}")
        return [_checked(arguments[0], v, f"{path}[{i}]") for i, v in enumerate(value)]
    if origin is dict:
        if not isinstance(value, dict):
            raise ProtocolError(f"{path}: expected an object, got {_kind_of(value)}")
        return {str(k): _checked(arguments[1], v, f"{path}.{k}") for k, v in value.items()}
    if dataclasses.is_dataclass(hint):
        return decode(typing.cast(typing.Any, hint), value, path)
    if hint is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        return _finite(value, path)
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise ProtocolError(f"{path}: expected {hint.__name__}, got {_kind_of(value)}")
    return value


def _finite(value: int | float, path: str) -> float:
    """A number that clocks can work with: JSON readers take NaN, infinity and 400 digits alike."""
    try:
        number = float(value)
    except OverflowError as error:
        raise ProtocolError(f"{path}: too large a number") from error
    if not math.isfinite(number):
        raise ProtocolError(f"{path}: expected a finite number, got {number}")
    return number


_CACHE: dict[type, dict[str, typing.Any]] = {}


def _hints(kind: type) -> dict[str, typing.Any]:
    if kind not in _CACHE:
        _CACHE[kind] = typing.get_type_hints(kind)
    return _CACHE[kind]


def _kind_of(value: typing.Any) -> str:
    return "null" if value is None else type(value).__name__


def _short(value: typing.Any) -> str:
    """A foreign value for a message, cut to what a reader needs of it."""
    try:
        shown = repr(value)
    except (ValueError, RecursionError):  # an integer of 5000 digits, a list 900 deep
        return _kind_of(value)
    return shown if len(shown) <= 80 else f"{shown[:77]}..."


def _head(number: int) -> bytes:
    return _line({"v": VERSION, "id": number})[:-2]


def _line(value: dict[str, typing.Any]) -> bytes:
    return json.dumps(value, separators=(",", ":"), default=vars).encode() + b"\n"
