"""What a run concludes of each fault: the first line names the place and the cause, and no more."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path

import pytest

from sixproof.model import Family
from tests.faults.conftest import MESH as FULL_MESH
from tests.faults.conftest import assert_first_line, faults, run_suites

pytestmark = [pytest.mark.bed, pytest.mark.usefixtures("mended")]


@dataclasses.dataclass(frozen=True)
class Case:
    """A fault, or several, the suites that notice it, and the words of the first line.

    `words` must all be in it; NODE and PEER stand for the nodes, POD for the DNS pod or the probe
    pod that is broken. `families` are those that may be accused at all. A fault is there before the
    run unless `after` names the fixture after which it comes: ``ready`` for the probe pods.
    `others` are further conclusions of what was measured that are known to be there.
    """

    inject: str
    suites: str
    words: tuple[str, ...]
    families: tuple[Family, ...] = tuple(Family)
    after: str = ""
    others: int = 0

    @property
    def name(self) -> str:
        """The fault's code, with its family or value where it has one."""
        code, *words = self.inject.split()
        arguments = [w for w, before in zip(words[1:], words, strict=False) if before in SHOWN]
        return "-".join([code, *arguments])


SHOWN = ("--family", "--value")
SIX = (Family.IPV6,)
FOUR = (Family.IPV4,)
MESH = "suites/pods/test_reachability.py"
ACROSS = f"{MESH}::test_pods_reach_pods_on_other_nodes"
PATHS = "suites/mtu/test_path.py suites/mtu/test_bulk.py suites/mtu/test_packet_too_big.py"
CRAFTED = "suites/mtu/test_crafted.py"
RECORDS = "suites/dns/test_records.py suites/dns/test_resolver.py"
CALICO = "suites/calico/test_addresses.py"
SERVICES = "suites/services/test_families.py suites/services/test_node_ports.py"
SOURCES = "suites/services/test_source_address.py"
DROPS = ("packet filter rule", " drop")
"""Of one rule, or of several."""
CASES = (
    Case("I7 --node NODE", MESH, ("NODE", *DROPS), SIX),
    Case("I7 --node NODE --family IPv4", MESH, ("NODE", *DROPS), FOUR),
    Case("I10 --node NODE --peer PEER", MESH, ("NODE", "blackhole", "PEER"), SIX),
    Case("I10 --node NODE --peer PEER --family IPv4", MESH, ("NODE", "blackhole", "PEER"), FOUR),
    Case("I16 --node NODE", MESH, ("NODE", "net.ipv6.conf.all.forwarding is 0"), SIX),
    Case("I9 --node NODE", MESH, ("NODE", "Neighbor Solicitation"), SIX),
    Case("R2 --node NODE", MESH, ("NODE", "policy rule 5270", "table 52"), SIX),
    Case("R2 --node NODE --family IPv4", ACROSS, ("NODE", "policy rule 5270", "table 52"), FOUR),
    Case("R2F --node NODE", MESH, ("NODE", "policy rule 5271", "table 53", "of its pods"), SIX),
    Case("I24 --node NODE", MESH, ("NODE", "no device has its InternalIP"), SIX),
    Case("I24 --node NODE --value tentative", MESH, ("NODE", "InternalIP", "is tentative"), SIX),
    # Its proof dials from a pod of that node: probe pods are there in any case.
    Case(
        "R3 --node NODE",
        "suites/nodes suites/pods/test_from_nodes.py",
        ("NODE", *DROPS, "TCP and UDP packets meant for the node itself"),
        SIX,
        "ready",
    ),
    Case("R7 --peer NODE", MESH, ("NODE", "4799", "4789")),
    Case("R9 --node NODE", MESH, ("NODE", *DROPS, "VXLAN"), SIX),
    Case("R9 --node NODE --value output", MESH, ("NODE", *DROPS, "VXLAN"), SIX),
    Case("V1 --node NODE --peer PEER", MESH, ("NODE", "no forwarding entry", "PEER"), SIX),
    Case(
        "V1 --node NODE --peer PEER --family IPv4",
        ACROSS,
        ("NODE", "no forwarding entry", "PEER"),
        FOUR,
    ),
    Case(
        "S1 --node NODE",
        SERVICES,
        ("NODE", "PREROUTING and OUTPUT", "KUBE-SERVICES"),
        SIX,
        "shared_services",
    ),
    Case("R1 --node NODE", SERVICES, ("NODE", "kube-proxy does not follow")),
    Case(
        "S2 --service {service} --family IPv6", SERVICES, ("EndpointSlice",), SIX, "shared_services"
    ),
    Case("R8", "suites/services/test_node_ports.py", ("nodePortAddresses", "IPv6"), SIX),
    Case("I1 --node NODE; I2 --node NODE", PATHS, ("NODE", *DROPS, "Packet Too Big"), SIX),
    Case("I2S --node NODE", PATHS, ("NODE", *DROPS), SIX),
    Case("I3T --node NODE", "suites/mtu/test_interfaces.py", ("NODE", "MTU 1300"), SIX),
    Case("F1 --node NODE", CRAFTED, ("NODE", *DROPS, "fragment"), SIX),
    Case("F1 --node NODE --family IPv4", CRAFTED, ("NODE", *DROPS, "fragment"), FOUR),
    Case("F3 --node NODE", CRAFTED, ("NODE", "sets the MSS to 1220", "from its pods"), SIX),
    # Once the channels into the pods are open: new ones would not pass.
    Case("K1 --node NODE", MESH, ("NODE", "connection tracking is full"), after="echo_ports"),
    Case("H1 --node NODE", MESH, ("NODE", "exceed their hop limit", "hop limit to 1 in"), SIX),
    Case(
        "H1 --node NODE --family IPv4",
        ACROSS,
        ("NODE", "exceed their hop limit", "sets the TTL to 1 in IPv4"),
        FOUR,
    ),
    Case(
        "I18 --node NODE", SOURCES, ("NODE", "not masqueraded, since table inet six_fault_i18"), SIX
    ),
    Case(
        "I19 --node NODE",
        "suites/pods/test_source_address.py",
        ("NODE", "to its pods arrive from", "since table inet six_fault_i19"),
        SIX,
    ),
    Case(
        "I19 --node NODE --family IPv4",
        "suites/pods/test_source_address.py",
        ("NODE", "to its pods arrive from", "since table inet six_fault_i19"),
        FOUR,
    ),
    Case("A3 --value 60", SERVICES, ("the API server", "did not answer"), (), "ready"),
    Case(
        "A4 --pod {pod}",
        f"{MESH}::{FULL_MESH}",
        ("POD", "agent (python) does not answer"),
        (),
        "ready",
    ),
    # Late by more than half of this wait, and of twice as much when they are asked again; or, where
    # the machine has other work, silent.
    Case(
        "A5 --node NODE",
        f"{MESH}::{FULL_MESH} --six-connect-timeout 0.5",
        ("NODE", "probe agents (python)", "over IPv4 and IPv6 alike"),
        (),
        "echo_ports",
    ),
    Case("I13 --pod {pod}", MESH, ("POD", "disable_ipv6 is 1"), SIX, "ready"),
    Case("I4 --pod {pod}", MESH, ("POD", "MTU 1270"), SIX, "ready"),
    Case(
        "I3 --pod {pod}",
        "suites/mtu/test_interfaces.py",
        ("POD", "its eth0 has MTU 1500 bytes"),
        after="ready",
    ),
    Case("R6 --node NODE", CALICO, ("NODE", "podIPs lack"), SIX),
    Case("L4 --pod {pod}", CALICO, ("POD", "IPAM block", "free"), SIX, "ready"),
    Case(
        "L6",
        "suites/calico/test_installation.py",
        ("Calico chose", "not in 2001:db8:dead::/48"),
        SIX,
    ),
    # What the plugin answers lacks an SOA besides, which that test says in its own words.
    Case("I21", RECORDS, ("CoreDNS", "Corefile", "AAAA"), SIX, others=1),
    Case("R5", RECORDS, ("CoreDNS", "Corefile", "rewrite stop type AAAA A"), SIX),
    Case("R4 --pod DNS", RECORDS, ("POD", "NXDOMAIN")),
    Case("R10 --pod DNS", "suites/dns/test_transports.py", ("POD", "no answer on port 53")),
    Case("I23 --node NODE", "suites/dns/test_transports.py", ("NODE", *DROPS, "dport 53"), SIX),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_first_line_names_the_place_and_the_cause(
    tmp_path: Path, workers: tuple[str, str], replica: tuple[str, str], case: Case
) -> None:
    """Place and cause in at most two lines, and no family accused that the fault does not reach."""
    node, peer = workers
    dns, _ = replica
    pod = dns.partition("/")[2] if "DNS" in case.inject else f" on {node}"
    names = {"NODE": node, "PEER": peer, "POD": pod, "DNS": dns}

    def said(text: str) -> str:
        return functools.reduce(lambda t, name: t.replace(name, names[name]), names, text)

    if case.after:
        after = "" if case.after == "ready" else case.after
        suite_run = run_suites(
            tmp_path, *case.suites.split(), breaking=said(case.inject), node=node, after=after
        )
    else:
        for one in said(case.inject).split(";"):
            faults("inject", *one.split())
        suite_run = run_suites(tmp_path, *case.suites.split())
    words = [names.get(word) or word for word in case.words]
    assert_first_line(suite_run, *words, families=case.families, others=case.others)
