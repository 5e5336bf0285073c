"""A flow as one kubectl line, for who wants to see a cell of a matrix with their own eyes.

The run's key is read in the pod: the line does not give it away.
"""

from __future__ import annotations

import shlex

from sixproof.model import Flow, Protocol

_FAMILY = {4: "socket.AF_INET", 6: "socket.AF_INET6"}


def kubectl(flow: Flow) -> str:
    """The line that tries a flow once from its source's pod: it prints what was answered."""
    command = ["kubectl", "exec", "-n", flow.source.namespace, flow.source.pod, "--"]
    return shlex.join([*command, "python3", "-c", _program(flow)])


def _program(flow: Flow) -> str:
    head, to = "import socket; ", f"({str(flow.address)!r}, {flow.port or 0})"
    family = _FAMILY[flow.family.version]
    if flow.protocol is Protocol.TCP:
        return f"{head}print(socket.create_connection({to}, 3))"
    if flow.protocol is Protocol.UDP:
        head += "import sys; sys.path.append('/sixproof'); import wire; "
        seal = "wire.Seal(open('/sixproof/key', 'rb').read())"
        kind, said = "socket.SOCK_DGRAM", f"{seal}.line('0123456789ab', 0, 0)"
    else:
        number, echo = (1, 8) if flow.family.version == 4 else (58, 128)
        kind, said = f"socket.SOCK_DGRAM, {number}", f"bytes([{echo}, 0, 0, 0, 0, 0, 0, 1])"
    return (
        f"{head}s = socket.socket({family}, {kind}); s.settimeout(3); s.connect({to}); "
        f"s.send({said}); print(s.recv(500))"
    )
