"""The messages between runner and agent: JSON lines over one exec stream.

A request is ``{"v": 1, "id": 7, "key": "mark", "do": "probe", ...fields}``, its answer
``{"v": 1, "id": 7, "ok": {...fields}}`` or ``{"v": 1, "id": 7, "error": "what was wrong"}``.
Unknown or malformed requests are answered with an error, and so are all by an agent whose key has
another mark: it would not answer the probes of this run, and its silence would look like the
network's. Times are seconds, sizes bytes, addresses text without zone or brackets.

A new request is a class beside those of its topic, a row of `REQUESTS`, and a row of `HANDLERS` in
control/agent.py.
"""

from sixproof.agent.protocol.codec import (
    LINE_LIMIT,
    REQUESTS,
    VERSION,
    ProtocolError,
    decode,
    decode_line,
    decode_request,
    encode_answer,
    encode_error,
    encode_request,
)
from sixproof.agent.protocol.evidence import (
    Arrival,
    Control,
    ControlResult,
    Evidence,
    EvidenceFound,
    HalfOpen,
)
from sixproof.agent.protocol.facts import (
    AddressSeen,
    Hello,
    Inspect,
    Inspected,
    Ping,
    Pong,
    RouteGet,
    Routes,
    RouteSeen,
    Welcome,
)
from sixproof.agent.protocol.flows import (
    PAYLOAD_LIMIT,
    Bulk,
    Event,
    Exchange,
    Exchanged,
    FlowResult,
    FlowSpec,
    IcmpSeen,
    Message,
    Probe,
    Probed,
    Reply,
    Transfer,
    Transferred,
)
from sixproof.agent.protocol.names import Found, Lookup, Resolve, Resolved
from sixproof.agent.protocol.packets import (
    RAW_LIMIT,
    RAW_SECONDS,
    Captured,
    CaptureStarted,
    EndCapture,
    Frame,
    RawPacket,
    RawResult,
    SendRaw,
    SentRaw,
    StartCapture,
)
from sixproof.agent.protocol.sizes import SendSized, SentSized, Sized, SizedSeen, SizedSpec

__all__ = [
    "LINE_LIMIT",
    "PAYLOAD_LIMIT",
    "RAW_LIMIT",
    "RAW_SECONDS",
    "REQUESTS",
    "VERSION",
    "AddressSeen",
    "Arrival",
    "Bulk",
    "CaptureStarted",
    "Captured",
    "Control",
    "ControlResult",
    "EndCapture",
    "Event",
    "Evidence",
    "EvidenceFound",
    "Exchange",
    "Exchanged",
    "FlowResult",
    "FlowSpec",
    "Found",
    "Frame",
    "HalfOpen",
    "Hello",
    "IcmpSeen",
    "Inspect",
    "Inspected",
    "Lookup",
    "Message",
    "Ping",
    "Pong",
    "Probe",
    "Probed",
    "ProtocolError",
    "RawPacket",
    "RawResult",
    "Reply",
    "Resolve",
    "Resolved",
    "RouteGet",
    "RouteSeen",
    "Routes",
    "SendRaw",
    "SendSized",
    "SentRaw",
    "SentSized",
    "Sized",
    "SizedSeen",
    "SizedSpec",
    "StartCapture",
    "Transfer",
    "Transferred",
    "Welcome",
    "decode",
    "decode_line",
    "decode_request",
    "encode_answer",
    "encode_error",
    "encode_request",
]
