"""Interfaces of pods and nodes: what agents say of them, and what a check requires."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping, Sequence

from sixproof.agent import protocol
from sixproof.errors import NotAsked, Subject, VerdictError
from sixproof.model import Endpoint
from sixproof.probes.connect.probe import AgentClient
from sixproof.probes.pmtu.interfaces import PATIENCE, POD_INTERFACE, inspected
from sixproof.reporting.allure import steps

ETHERNET = 1500
"""Bytes of a packet on Ethernet without jumbo frames."""
SOMEWHERE = tuple(map(ipaddress.ip_address, ("192.0.2.1", "2001:db8::1")))
"""Documentation addresses: where a node would send what it has no special route for."""
NoneWrong = Callable[[str, Mapping[str, Subject]], None]


def pod_mtu(agents: AgentClient, pods: Sequence[Endpoint]) -> int:
    """The smallest MTU in bytes of the pods' own interfaces, as they see them themselves.

    Raises:
        InfrastructureError: an agent could not be asked.
    """
    return min(
        mtu
        for _, seen in inspected(agents, pods)
        for name, mtu in seen.mtus.items()
        if name == POD_INTERFACE
    )


def underlay(agents: AgentClient, hosts: Sequence[Endpoint]) -> dict[str, int]:
    """By node, the smallest MTU of the interfaces by which it sends to other nodes, in bytes.

    Raises:
        InfrastructureError: an agent could not be asked.
        NotAsked: no node has an agent on its own network.
    """
    found: dict[str, int] = {}
    for host in hosts:
        others = [str(a) for h in hosts if h != host for a in h.addresses]
        request = protocol.RouteGet(others or [str(a) for a in SOMEWHERE])
        routes = agents.ask(host, request, protocol.RoutesSeen, PATIENCE)
        ((_, seen),) = inspected(agents, [host])
        mtus = [seen.mtus[r.device] for r in routes.result().routes if not r.error]
        found |= {host.node: min(mtus)} if mtus else {}
    if not found:
        raise NotAsked("no agent on the nodes' network to measure the underlay with")
    return found


def none_wrong(source: str, wrong: Mapping[str, Subject]) -> None:
    """Require that no interface is wrong: `wrong` has sentences, and what each is about; `source`
    says where the expectation is from.

    Raises:
        VerdictError: some are, one a line.
    """
    __tracebackhide__ = True
    steps.attach_text("expectation", source)
    if wrong:
        text = "\n".join([*wrong, f"  expected because: {source}"])
        raise VerdictError(text, subjects=wrong.values())
