"""index.md: what is wrong comes first, what is missing is said once, and nothing is promised."""

from __future__ import annotations

import dataclasses

from sixproof.kube.facts import diagnostics
from sixproof.kube.facts.diagnostics import Part
from sixproof.model import Finding, Severity
from sixproof.probes.nodes.examination import NodeReading
from sixproof.reporting.bundle import archive
from sixproof.reporting.bundle.check_list import ITEMS
from tests.unit.reporting.bundle.made import CALICO, PARTS, TAKEN, evidence
from tests.unit.reporting.bundle.unpacked import unpacked
from tests.unit.reporting.conclusion.cluster import node
from tests.unit.reporting.samples import NODES

WRONG = Finding("mtu", Severity.WARNING, "IPPool six", "9000", "1430", "set it")
WORSE = Finding("node-family", Severity.ERROR, "node worker", "no IPv6 InternalIP")


def index(**changes: object) -> str:
    """The page of a run with this evidence."""
    return archive.archived(evidence(**changes)).index


def test_the_page_says_when_of_what_and_how_it_is() -> None:
    page = index()
    assert page.startswith("# sixproof diagnostics of run abc123\n")
    assert f"Taken {TAKEN.isoformat()}, after the last test" in page
    assert "What nodes say of themselves here was read when the run began." in page
    assert "| Kubernetes | v1.34.1 |" in page
    assert "| CNI | Calico v3.31.0 |" in page
    assert "Check-list: 9 ok, 1 not seen, 1 not used. Findings: none." in page
    assert "Nothing: all parts were read, and none was cut." in page


def test_every_item_has_a_line_with_its_values_and_what_to_do() -> None:
    sick = node("worker", sysctls={"net/ipv6/conf/all/forwarding": "0", "net/ipv4/ip_forward": "1"})
    readings = tuple(NodeReading(n, sick if n == "worker" else node(n)) for n in NODES)
    page = index(readings=readings)
    for item in ITEMS:
        assert f" | {item.title} | " in page
    (line,) = (row for row in page.splitlines() if row.startswith("| not ok"))
    assert "worker: net.ipv6.conf.all.forwarding is 0 | sysctl -w" in line
    assert line.endswith("| node-facts/ |")
    assert "Check-list: 7 ok, 1 not ok, 2 not seen, 1 not used." in page, (
        "disable_ipv6 was not reported"
    )


def test_findings_stand_with_severity_and_remedy_the_worst_first() -> None:
    page = index(findings=(WRONG, WORSE))
    worse = "| error | node-family | node worker | no IPv6 InternalIP |  |"
    wrong = "| warning | mtu | IPPool six | 9000, wanted 1430 | set it |"
    assert f"{worse}\n{wrong}\n" in page
    assert "Findings: 1 error, 1 warning." in page


def test_what_was_refused_stands_once_however_many_parts_it_concerns() -> None:
    why = "ippools.projectcalico.org: not allowed; --six-plan prints the rules"
    parts = (
        *PARTS,
        Part("calico/ippools", "kubectl get ippools", problems=(why,)),
        Part("calico/more", "", problems=(why,)),
        Part("nodes", "", cut=True),
    )
    page = index(parts=parts)
    assert page.count(f"- {why}\n") == 1
    assert "- nodes.json: the cluster has more than were read" in page


def test_many_places_of_an_item_are_counted() -> None:
    off = {"net/ipv6/conf/all/forwarding": "0"}
    readings = tuple(NodeReading(f"n{i:02}", node("worker", sysctls=off)) for i in range(30))
    assert "more, see check-list.json" in index(readings=readings)


def test_a_run_without_calico_and_without_agents_has_an_index() -> None:
    facts = dataclasses.replace(evidence().facts, cni="", cni_version="")
    page = index(facts=facts, calico=None, readings=(), pods=(), parts=())
    assert "the CNI is not known" in page
    assert "there was nothing to ask" in page
    files = unpacked(archive.archived(evidence(calico=None, parts=())).body)
    assert "calico/settings.json" not in files
    assert "calico/settings.json" in unpacked(archive.archived(evidence(calico=CALICO)).body)
    assert {f"{p.name}.json" for p in PARTS} == {
        f"{diagnostics.PODS}.json",
        f"{diagnostics.AFFINITIES}.json",
    }
