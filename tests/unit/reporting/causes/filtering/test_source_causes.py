"""Source addresses that a node translates where it must not, as causes."""

from __future__ import annotations

import dataclasses
import ipaddress

import pytest

from sixproof.agent.protocol import AddressHeld
from sixproof.checks.judged import judged
from sixproof.model import (
    Endpoint,
    EndpointKind,
    Family,
    Flow,
    IPAddress,
    MatrixKind,
    Observation,
    Protocol,
)
from sixproof.probes.nodes.examination import Examination
from sixproof.reporting.conclusion.conclusion import Conclusion
from sixproof.reporting.results.matrices.measured import Measured
from sixproof.reporting.results.results_json import Results
from sixproof.reporting.results.test_record import Case, CaseOutcome
from tests.unit.reporting.conclusion.cluster import (
    FACTS,
    conclude,
    drop,
    examined,
    node,
    packet_filter,
)
from tests.unit.reporting.samples import NODES, RUN, pods, seen, topology, works

SIX = Family.IPV6
TUNNEL: IPAddress = ipaddress.ip_address("fd00:10:244:7::1")
"""The address of worker2's tunnel device."""
HELD = {
    "worker2": node(
        "worker2",
        addresses=[
            *node("worker2").addresses,
            AddressHeld("vxlan-v6.calico", str(TUNNEL), 128, ["permanent"]),
        ],
    )
}


def ran(cells: list[Observation], wrong: dict[Flow, IPAddress], read: Examination) -> Results:
    """A run in which servers saw such addresses for the client's."""
    saw = [dataclasses.replace(o, peer_saw=wrong.get(o.flow, o.peer_saw)) for o in cells]
    said = {flow: f"saw {address}" for flow, address in wrong.items()}
    measured = Measured(*judged(MatrixKind.SOURCES, "sources", saw, said), "suites/pods/t.py::t")
    cases = (Case("suites/pods/t.py::t", CaseOutcome.FAILED),)
    return Results(RUN, facts=FACTS, cases=cases, matrices=(measured,), examination=read)


def only(results: Results) -> Conclusion:
    """Its only conclusion."""
    (one,) = conclude(results).every
    return one


def arriving(sources: tuple[str, ...] = NODES, address: IPAddress = TUNNEL) -> Results:
    """IPv6 packets of pods of these nodes arrive at worker2's pods from an address of its own."""
    cells = list(topology(works, endpoints=pods(nodes={*sources, "worker2"})).observations())
    wrong = {
        o.flow: address
        for o in cells
        if o.flow.destination.node == "worker2" != o.flow.source.node and o.flow.family is SIX
    }
    return ran(cells, wrong, examined(HELD))


@pytest.mark.parametrize("sources", [NODES, ("worker", "worker2")], ids=["two nodes", "one node"])
def test_what_the_destinations_node_masquerades_is_said_of_it(sources: tuple[str, ...]) -> None:
    """From one source node or several: the reader is sent to where the packets arrive."""
    line = only(arriving(sources)).first_screen
    of = "control-plane and worker" if len(sources) == 3 else "worker"
    assert line == (
        f"node worker2: IPv6 packets from {of} to its pods arrive from {TUNNEL}, the address of "
        f"its vxlan-v6.calico: they are masqueraded there. Find the masquerade rule that takes "
        f"them (nat, POSTROUTING) on worker2."
    )


def test_the_rule_of_the_destinations_node_is_looked_up_there() -> None:
    """It is named with what removes it, and not once more beside the cause."""
    rule = drop(9, "IPv6, oifname cali*", "nat", "source", chain="postrouting")
    filters = {"worker2": (packet_filter(rule), packet_filter(rule))}
    results = dataclasses.replace(arriving(), examination=examined(HELD, filters=filters))
    one = only(results)
    assert one.first_screen.startswith(
        "node worker2: IPv6 packets from control-plane and worker to its"
    )
    assert (
        "its vxlan-v6.calico, since table inet x translates them. Find out which program made"
        in one.first_screen
    )
    assert one.causes[0].do[-1].text == "nft delete rule inet x postrouting handle 7"
    assert [cause.code for cause in one.causes] == ["source-address", "packet-filter"]
    assert not [line for line in one.evidence if line.startswith("beside it")]


def test_an_internal_ip_is_of_its_node_though_no_device_was_read() -> None:
    """By the API server's word alone."""
    address = ipaddress.ip_address("2001:db8::3")
    results = arriving(address=address)
    results = dataclasses.replace(results, examination=Examination())
    assert only(results).first_screen.startswith(
        "node worker2: IPv6 packets from control-plane and wor"
    )


def test_packets_within_the_node_are_explained_with_those_of_others() -> None:
    """They pass the same rule."""
    results = arriving()
    cells = list(topology(works).observations())
    here = {
        o.flow: TUNNEL
        for o in cells
        if o.flow.destination.node == "worker2" and o.flow.family is SIX
    }
    one = only(ran(cells, here, examined(HELD)))
    assert [c.place for c in one.causes][:1] == ["node worker2"]
    assert "IPv6 packets from control-plane and worker to its pods" in one.first_screen
    assert only(results).headline == one.headline


def test_what_the_source_s_node_masquerades_stays_there() -> None:
    """An address of the node that sends: its own rule."""
    cells = list(topology(works).observations())
    wrong = {
        o.flow: TUNNEL
        for o in cells
        if o.flow.source.node == "worker2" and o.flow.crosses_nodes and o.flow.family is SIX
    }
    line = only(ran(cells, wrong, examined(HELD))).first_screen
    assert line.startswith(
        "node worker2: IPv6 packets of its pods to pod a on control-plane, pod a on worker"
    )


def test_no_node_is_named_for_a_client_outside() -> None:
    """Unless the node that takes its packets holds the address."""
    outside = Endpoint("outside", EndpointKind.OUTSIDE, (ipaddress.ip_address("2001:db8:9::9"),))
    ends = [p for p in pods() if p.node == "worker2"]
    asked = [Flow(outside, p, p.addresses[1], Protocol.TCP, 8080) for p in ends]
    cells = [seen(flow, works(flow)) for flow in asked]
    unknown: IPAddress = ipaddress.ip_address("2001:db8::77")
    assert not only(ran(cells, dict.fromkeys(asked, unknown), examined(HELD))).known
    line = only(ran(cells, dict.fromkeys(asked, TUNNEL), examined(HELD))).first_screen
    assert line.startswith("node worker2: IPv6 packets from elsewhere to its pods arrive from")


def test_a_service_is_named_as_one() -> None:
    """Its bare name says nothing: "host-network". Who answered says which node took the packet."""
    web = Endpoint("host-network", EndpointKind.SERVICE, (ipaddress.ip_address("fd00:10:96::9"),))
    backend = next(p for p in pods() if p.node == "worker2")
    asked = [Flow(p, web, web.addresses[0], Protocol.TCP, 80) for p in pods()]
    asked = [flow for flow in asked if flow.source.node != "worker2"]
    cells = [dataclasses.replace(seen(f, works(f)), answered_by=backend.pod) for f in asked]
    here = list(topology(works).observations())
    saw = ipaddress.ip_address("2001:db8::1")
    wrong = {f: saw for f in asked if f.source.node == NODES[0]}
    line = only(ran([*cells, *here], wrong, examined(HELD))).first_screen
    assert "IPv6 packets of its pods to Service host-network arrive from 2001:db8::1" in line
    wrong = dict.fromkeys(asked, TUNNEL)
    line = only(ran([*cells, *here], wrong, examined(HELD))).first_screen
    assert line.startswith("node worker2: IPv6 packets from control-plane and worker to its pods")
