"""The messages between runner and agent: there and back, and nothing foreign gets through."""

from __future__ import annotations

import dataclasses
import json
import math
import typing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sixproof.agent import protocol
from sixproof.agent.control.agent import HANDLERS
from sixproof.agent.protocol import ProtocolError

ANSWERS = [
    kind
    for kind in vars(protocol).values()
    if isinstance(kind, type)
    and dataclasses.is_dataclass(kind)
    and kind not in protocol.REQUESTS.values()
]


def values(hint: typing.Any) -> st.SearchStrategy[typing.Any]:
    """Values of a field's type."""
    arguments = typing.get_args(hint)
    if typing.get_origin(hint) is list:
        return st.lists(values(arguments[0]), max_size=3)
    if typing.get_origin(hint) is dict:
        return st.dictionaries(st.text(max_size=5), values(arguments[1]), max_size=3)
    if arguments:
        return st.one_of([values(a) for a in arguments])
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        hints = typing.get_type_hints(hint)
        return st.builds(hint, **{name: values(h) for name, h in hints.items()})
    plain: dict[typing.Any, st.SearchStrategy[typing.Any]] = {
        int: st.integers(),
        float: st.floats(allow_nan=False, allow_infinity=False),
        str: st.text(max_size=20),
        bool: st.booleans(),
        type(None): st.none(),
    }
    return plain[hint]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
few = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize("kind", protocol.REQUESTS.values(), ids=list(protocol.REQUESTS))
@few
@given(data=st.data(), number=st.integers(min_value=0))
def test_request_there_and_back(kind: type, data: st.DataObject, number: int) -> None:
    """What is read is what was written, for every field of every request."""
    message = data.draw(values(kind))

    line = protocol.encode_request(number, message)
    value = protocol.decode_line(line)

    assert (value["id"], protocol.decode_request(value)) == (number, message)
    assert line.count(b"\n") == 1


@pytest.mark.parametrize("kind", ANSWERS, ids=[k.__name__ for k in ANSWERS])
@few
@given(data=st.data())
def test_answer_there_and_back(kind: type, data: st.DataObject) -> None:
    """The same for every answer."""
    message = data.draw(values(kind))

    value = protocol.decode_line(protocol.encode_answer(7, message))

    assert protocol.decode(kind, value["ok"]) == message


def test_error_there_and_back() -> None:
    """A refusal carries its number and words."""
    value = protocol.decode_line(protocol.encode_error(3, "flows: missing"))

    assert (value["id"], value["error"]) == (3, "flows: missing")


def test_optional_fields_have_their_defaults() -> None:
    """An older runner may leave them out."""
    flow = {"protocol": "tcp", "address": "::1", "port": 1, "nonce": "n", "timeout": 1}

    assert protocol.decode(protocol.FlowSpec, flow) == protocol.FlowSpec("tcp", "::1", 1, "n", 1.0)
    node = protocol.NodeSeen([], [], [], [], [], [], {}, {}, [], 0.0, 0.0, [], [])
    told = {name: value for name, value in vars(node).items() if name != "sockets"}
    assert protocol.decode(protocol.NodeSeen, told) == node


@few
@given(st.binary(max_size=200))
def test_no_bytes_crash_the_reader(line: bytes) -> None:
    """Only `ProtocolError` comes out of what is not of the protocol."""
    try:
        protocol.decode_request(protocol.decode_line(line))
    except ProtocolError:
        return


@few
@given(json_values)
def test_no_json_crashes_the_reader(value: object) -> None:
    """Nor does well-formed JSON of another shape."""
    try:
        protocol.decode_request(protocol.decode_line(json.dumps(value).encode()))
    except ProtocolError:
        return


@pytest.mark.parametrize("kind", protocol.REQUESTS.values(), ids=list(protocol.REQUESTS))
@few
@given(data=st.data())
def test_no_changed_request_crashes_the_reader(kind: type, data: st.DataObject) -> None:
    """A request of which any part was replaced is read or refused."""
    value = json.loads(protocol.encode_request(1, data.draw(values(kind))))
    key = data.draw(st.sampled_from(sorted(value)) | st.text(max_size=3))
    value[key] = data.draw(json_values)

    try:
        protocol.decode_request(protocol.decode_line(json.dumps(value).encode()))
    except ProtocolError:
        return


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"1" * 5000, "not JSON"),
        (b"[]", "not a JSON object"),
        (b"{}", "protocol version None"),
        (b'{"v":"1","id":1}', "protocol version '1'"),
        (b'{"v":2,"id":1}', "protocol version 2, this side speaks 1"),
        (b'{"v":1}', "id None is not a number"),
        (b'{"v":1,"id":true}', "id True is not a number"),
        (b'{"v":1,"id":-1}', "id -1 is not a number"),
        (b'{"v":1,"id":"7"}', "id '7' is not a number"),
    ],
    ids=range(12),
)
def test_foreign_line_is_refused(line: bytes, reason: str) -> None:
    """The reason says what was wrong."""
    with pytest.raises(ProtocolError) as refused:
        protocol.decode_line(line)

    assert reason in str(refused.value)


FLOW = {"protocol": "tcp", "address": "::1", "port": 1, "nonce": "n", "timeout": 1.0}


def probe(**changes: object) -> dict[str, object]:
    """A request of one flow in which something is changed."""
    return {"do": "probe", "flows": [{**FLOW, **changes}]}


@pytest.mark.parametrize(
    ("foreign", "reason"),
    [
        ({}, "unknown request None, known are ask-servers, end-capture, "),
        ({"do": "shell"}, "unknown request 'shell'"),
        ({"do": ["probe"]}, "unknown request ['probe']"),
        ({"do": "hello", "sudo": 1}, "Hello: unknown field 'sudo'"),
        ({"do": "probe"}, "flows: missing"),
        ({"do": "probe", "flows": {}}, "flows: expected a list, got dict"),
        ({"do": "probe", "flows": [1]}, "flows[0]: expected an object, got int"),
        (probe(x=1), "flows[0]: unknown field 'x'"),
        (probe(port="80"), "flows[0].port: expected int, got str"),
        (probe(port=True), "flows[0].port: expected int, got bool"),
        (probe(port=1.5), "flows[0].port: expected int, got float"),
        (probe(nonce=None), "flows[0].nonce: expected str, got null"),
        (probe(timeout=True), "flows[0].timeout: expected float, got bool"),
        (probe(timeout=math.nan), "flows[0].timeout: expected a finite number, got nan"),
        (probe(timeout=math.inf), "flows[0].timeout: expected a finite number, got inf"),
        (probe(timeout=10**400), "flows[0].timeout: too large a number"),
        ({"do": "evidence", "nonces": [1], "controls": []}, "nonces[0]: expected str, got int"),
    ],
    ids=range(17),
)
def test_foreign_request_is_refused(foreign: dict[str, object], reason: str) -> None:
    """The path of what is wrong is named, so that a difference of versions can be found."""
    with pytest.raises(ProtocolError) as refused:
        protocol.decode_request({"v": 1, "id": 1, **foreign})

    assert reason in str(refused.value)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"mtus": []}, "mtus: expected an object, got list"),
        ({"mtus": {"eth0": "1500"}}, "mtus.eth0: expected int, got str"),
    ],
    ids=["no object", "wrong value"],
)
def test_foreign_mapping_is_refused(value: object, reason: str) -> None:
    """Mappings are checked value by value."""
    with pytest.raises(ProtocolError, match=reason):
        protocol.decode(protocol.Inspected, value)


def test_long_foreign_value_is_cut_in_the_message() -> None:
    """A refusal is not longer than what it refuses."""
    with pytest.raises(ProtocolError) as refused:
        protocol.decode_request({"do": "x" * 100_000})

    assert len(str(refused.value)) < 400


def deep(levels: int) -> object:
    """A list in a list in a list."""
    value: object = []
    for _ in range(levels):
        value = [value]
    return value


def test_foreign_value_that_cannot_be_shown_is_named_by_its_kind() -> None:
    """Python refuses to print very deep lists."""
    with pytest.raises(ProtocolError, match="unknown request list"):
        protocol.decode_request({"do": deep(100_000)})


def test_line_over_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before it is parsed."""
    monkeypatch.setattr("sixproof.agent.protocol.codec.LINE_LIMIT", 10)

    with pytest.raises(ProtocolError, match="line of 11 bytes, at most 10 are taken"):
        protocol.decode_line(b'{"v": 1   }')


def test_null_stands_for_an_absent_latency() -> None:
    """And a number for a present one."""
    absent = protocol.decode(
        protocol.FlowResult, {"nonce": "n", "event": "silent", "latency": None}
    )
    present = protocol.decode(protocol.FlowResult, {"nonce": "n", "event": "echoed", "latency": 1})

    assert (absent.latency, present.latency) == (None, 1.0)


def test_every_request_is_carried_out() -> None:
    """A row in the table of requests has one in the agent's."""
    assert set(HANDLERS) == set(protocol.REQUESTS.values())


def test_messages_compare_and_show_as_any_dataclass_does() -> None:
    """Equal by class and fields, found again in sets, and shown with every field."""
    ping, pong = protocol.Control("udp", "::1", 7), protocol.Control("udp", "::1", 7)

    assert ping == pong
    assert len({ping, pong, protocol.Control("udp", "::1", 8)}) == 2
    assert ping != protocol.ControlResult("udp", "::1", 7, "echoed")
    assert repr(ping) == "Control(protocol='udp', address='::1', port=7)"
    with pytest.raises(dataclasses.FrozenInstanceError):
        ping.port = 9  # type: ignore[misc]
