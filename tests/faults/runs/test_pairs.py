"""Two faults at once: both are named, or it is said that the first may hide another one; nothing
else is accused."""

from __future__ import annotations

import dataclasses
import functools
import re
from pathlib import Path

import pytest

import testbed
from sixproof.model import Family
from sixproof.reporting.conclusion import words as report_words
from sixproof.reporting.diagnosis.verdicts import verdicts
from tests.faults.conftest import faults, run_suites

pytestmark = [pytest.mark.bed, pytest.mark.usefixtures("mended")]

MESH = "suites/pods/test_reachability.py"
RECORDS = "suites/dns/test_records.py"
SERVICES = "suites/services/test_families.py"
NODE_PORTS = "suites/services/test_node_ports.py"
SOURCES = "suites/pods/test_source_address.py"
INTERFACES = "suites/mtu/test_interfaces.py"
CRAFTED = "suites/mtu/test_crafted.py"
DNS_SERVICE = "suites/dns/test_transports.py"
FOUR, SIX = (Family.IPV4,), (Family.IPV6,)
BOTH = tuple(Family)


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two faults, the suites that notice them, and words that a conclusion about each has. NODE and
    PEER are two workers, DNS is a CoreDNS pod. `families` are those that may be accused. Where the
    first fault lets nothing pass at its place, it may `hide` the second."""

    first: str
    second: str
    suites: str
    words: tuple[tuple[str, ...], tuple[str, ...]]
    families: tuple[Family, ...] = BOTH
    hides: bool = False

    @property
    def name(self) -> str:
        """The faults' codes."""
        return f"{self.first.split()[0]}-{self.second.split()[0]}"


PAIRS = (
    Pair(
        "R2 --node NODE",
        "R1 --node PEER",
        f"{MESH} {SERVICES}",
        (("NODE", "policy rule 5270"), ("PEER", "kube-proxy does not follow")),
    ),
    Pair(
        "I10 --node NODE --peer PEER --family IPv6",
        "V1 --node PEER --peer NODE --family IPv4",
        MESH,
        (("NODE", "blackhole", "PEER"), ("PEER", "no forwarding entry", "NODE")),
    ),
    Pair(
        "R4 --pod DNS",
        "I3T --node NODE",
        f"{RECORDS} {INTERFACES}",
        (("DNS", "NXDOMAIN"), ("NODE", "MTU 1300")),
    ),
    Pair(
        "R8",
        "I19 --node NODE --family IPv4",
        f"{NODE_PORTS} {SOURCES}",
        (("nodePortAddresses", "IPv6"), ("NODE", "to its pods arrive from")),
    ),
    Pair(
        "I7 --node NODE --family IPv4",
        "I16 --node PEER",
        MESH,
        (("NODE", "packet filter rule", "IPv4"), ("PEER", "forwarding is 0")),
    ),
    Pair(
        "F1 --node NODE",
        "H1 --node PEER --family IPv4",
        f"{CRAFTED} {MESH}",
        (("NODE", "fragment"), ("PEER", "hop limit")),
    ),
    Pair(
        "R5",
        "I7 --node NODE",
        f"{RECORDS} {MESH}",
        (("CoreDNS", "Corefile"), ("NODE", "packet filter rule", "IPv6")),
        SIX,
    ),
    Pair(
        "I23 --node NODE",
        "I10 --node PEER --peer NODE --family IPv4",
        f"{DNS_SERVICE} {MESH}",
        (("NODE", "dport 53"), ("PEER", "blackhole", "NODE")),
    ),
    Pair(
        "R7 --peer NODE",
        "R2 --node NODE",
        MESH,
        (("NODE", "4799", "4789"), ("NODE", "policy rule 5270")),
        hides=True,
    ),
    Pair(
        "R9 --node NODE",
        "I10 --node NODE --peer PEER --family IPv6",
        MESH,
        (("NODE", "VXLAN"), ("NODE", "blackhole", "PEER")),
        SIX,
        hides=True,
    ),
)


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
def test_two_faults_are_both_named(
    tmp_path: Path,
    bed: testbed.Bed,
    workers: tuple[str, str],
    replica: tuple[str, str],
    pair: Pair,
) -> None:
    """Each has a conclusion with its place and cause, unless the other one may hide it and the
    report says so. No conclusion names another place, and no family is accused that neither
    reaches."""
    node, peer = workers
    dns, home = replica
    names = {"NODE": node, "PEER": peer, "DNS": dns}

    def said(text: str) -> str:
        return functools.reduce(lambda t, name: t.replace(name, names[name]), names, text)

    for one in (pair.first, pair.second):
        faults("inject", *said(one).split())
    suite_run = run_suites(tmp_path, *pair.suites.split())
    concluded = [one for one in suite_run.conclusions.every if one.measured]
    screens = [one.first_screen for one in concluded]
    named = [
        any(all(said(word).rpartition("/")[2] in screen for word in words) for screen in screens)
        for words in pair.words
    ]
    hidden = report_words.HIDDEN in suite_run.output
    assert any(named), "\n\n".join(screens)
    assert all(named) or (pair.hides and hidden), "\n\n".join(screens)
    accused = {v.family for v in verdicts(suite_run.results) if v.accused}
    assert accused <= set(pair.families), suite_run.output[-3000:]
    involved = {n for text in (pair.first, pair.second) for n in names if n in text}
    places = {names[name] for name in involved} | ({home} if "DNS" in involved else set())
    for conclusion in concluded:
        assert conclusion.known, conclusion.headline
        for cause in conclusion.causes:
            others = [n for n in bed.node_names if n not in places]
            wrong = [n for n in others if re.search(rf"\b{re.escape(n)}\b", cause.place)]
            assert not wrong, cause.sentence
