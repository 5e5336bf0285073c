"""A batch is the unit: silences wait together, and an unprivileged agent stays small."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from sixproof.agent import protocol as messages
from sixproof.model import Family, Flow, Outcome, Protocol
from sixproof.probes.connect.probe import ProbeOptions
from tests.netns.laboratory import scenes
from tests.netns.laboratory.agents import NOBODY
from tests.netns.laboratory.lab import CLIENT, SERVER, Lab, flow

pytestmark = pytest.mark.netns


def welcome(lab: Lab) -> messages.Welcome:
    """What the client's agent says of itself."""
    return lab.agents.ask(CLIENT, messages.Hello(), messages.Welcome, 10.0).result()


def row(count: int) -> list[Flow]:
    """That many allowed flows, over both families and all protocols."""
    kinds = [(f, p) for f in Family for p in (Protocol.TCP, Protocol.UDP, Protocol.ICMP)]
    return [flow(SERVER, *kinds[i % len(kinds)]) for i in range(count)]


def test_all_silences_wait_together(lab: Lab) -> None:
    """200 flows that nobody answers take less than four time-outs, not 200."""
    server = scenes.server_of(scenes.scene("request dropped"))
    port_specs = [(f, p) for f in Family for p in (Protocol.TCP, Protocol.UDP)]
    flows = [flow(server, *port_specs[i % len(port_specs)]) for i in range(200)]
    lab.agents.open([CLIENT, SERVER])
    timeout = 2.5

    began = time.monotonic()
    seen = lab.measure(flows, ProbeOptions(timeout=timeout))
    took = time.monotonic() - began

    assert ({o.outcome for o in seen}, took < 4 * timeout) == ({Outcome.DROPPED}, True), took


def test_row_of_72_flows_takes_no_noticeable_time(lab: Lab) -> None:
    """A whole row of a nine-pod matrix is answered at once, every flow of it."""
    lab.agents.open([CLIENT, SERVER])

    began = time.monotonic()
    seen = lab.measure(row(72), ProbeOptions(timeout=3.0))
    took = time.monotonic() - began

    assert ({o.outcome for o in seen}, took < 3.0) == ({Outcome.ALLOWED}, True), took


def test_agent_stays_small(lab: Lab) -> None:
    """An agent fits the memory limit of a probe pod also after a batch."""
    lab.measure(row(72), ProbeOptions(timeout=3.0))

    assert welcome(lab).rss_kib < 40 * 1024


def test_agents_have_no_privilege(lab: Lab) -> None:
    """Every outcome of this suite was found by uid 65534 with not a single capability.

    Why: Pod Security "restricted" leaves no more.
    """
    status = Path("/proc", str(welcome(lab).pid), "status").read_text().splitlines()
    fields = dict(line.split(":\t", 1) for line in status if ":\t" in line)

    assert (
        {fields[key] for key in ("CapEff", "CapPrm", "CapBnd", "CapAmb", "CapInh")},
        set(fields["Uid"].split()) | set(fields["Gid"].split()),
        fields["NoNewPrivs"],
    ) == ({"0" * 16}, {str(NOBODY)}, "1")


def test_no_packet_can_leave(lab: Lab) -> None:
    """Every interface of the lab is loopback or one end of a link between its namespaces."""
    ends = {n.role: n.links() for n in lab.namespaces}
    hosts = {device for role, devices in ends.items() if role != "router" for device in devices}

    assert ends["router"] - {"lo"} == {f"r{device}" for device in hosts - {"lo"}}
