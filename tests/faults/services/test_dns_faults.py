"""Faults of the DNS: I21, I23, S3, R4, R5, R10 and D64.

Each run holds tests that must see the fault, and tests beside them that it must not touch.
"""

from __future__ import annotations

from pathlib import Path

import pytest

import testbed
from sixproof.kube.api import resources
from sixproof.kube.api.client import Cluster
from sixproof.kube.facts.pods import running_pod
from sixproof.model import Family, Observation, Outcome, Protocol
from sixproof.reporting.diagnosis.verdicts import Word, verdicts
from sixproof.reporting.results.test_record import CaseOutcome
from tests.faults.conftest import (
    SuiteRun,
    assert_cells,
    assert_first_line,
    assert_green,
    assert_red_is_exactly,
    faults,
    named_by,
    run_suites,
)

pytestmark = [pytest.mark.bed, pytest.mark.usefixtures("mended")]

RECORDS = "suites/dns/test_records.py"
TRANSPORTS = "suites/dns/test_transports.py"

NAMES = "test_a_service_name_has_exactly_its_cluster_ips"
HEADLESS = "test_a_headless_name_has_exactly_its_ready_pods"
API_SERVER = "test_the_api_servers_own_name_has_exactly_its_cluster_ips"
EVERY_POD = "test_every_dns_pod_gives_the_same_answers"
UNKNOWN = "test_an_unknown_name_does_not_exist"
REVERSE = "test_a_cluster_ip_leads_back_to_its_service"
PORTS = "test_every_named_port_has_a_record"
FROM_PODS = "test_pods_reach_the_dns_service"
FROM_NODES = "test_nodes_reach_the_dns_service"
TO_PODS = "test_pods_reach_every_dns_pod"
AGREE = "test_families_and_transports_agree"
LOOKUPS = "test_lookups_bring_the_families_that_are_asked_for"
REQUIRED = "test_the_dns_service_has_each_required_family"


@pytest.fixture
def far_from_dns(bed: testbed.Bed) -> str:
    """A node without a DNS pod: what it drops, it drops of its own clients alone."""
    with Cluster.connect(bed.kubeconfig, bed.context) as cluster:
        pods = cluster.list(resources.POD, "kube-system", labels="k8s-app=kube-dns")
    homes = {found.node for pod in pods if (found := running_pod(pod))}
    return next(node.name for node in bed.nodes if node.name not in homes)


@pytest.mark.parametrize(("value", "said"), [("nxdomain", "NXDOMAIN"), ("nodata", "NODATA")])
def test_i21_a_denied_aaaa_is_reported_with_what_is_denied(
    tmp_path: Path, bed: testbed.Bed, value: str, said: str
) -> None:
    """I21: the DNS denies every AAAA of the cluster. A records, ports and reverse names are right;
    the report distinguishes whether the names or only their data are denied."""
    faults("inject", "I21", "--value", value)
    suite_run = run_suites(
        tmp_path,
        f"{RECORDS}::{NAMES}",
        f"{RECORDS}::{HEADLESS}",
        f"{RECORDS}::{UNKNOWN}",
        f"suites/dns/test_reverse.py::{REVERSE}",
        f"suites/dns/test_ports.py::{PORTS}",
        f"{TRANSPORTS}::{FROM_PODS}",
    )
    wanted = {f"{NAMES}[IPv6]", f"{HEADLESS}[IPv6]"}
    if said == "NODATA":  # the name that nobody has is denied as expected be by NXDOMAIN alone
        wanted.add(f"{UNKNOWN}[IPv6]")
    assert_red_is_exactly(suite_run, wanted, None)
    for name in (f"{NAMES}[IPv6]", f"{HEADLESS}[IPv6]"):
        message = suite_run.red()[name].message
        assert f": {said}" in message, message
        assert "AAAA" in message
        assert "class: DNS, IPv6-only failure" in message


@pytest.mark.parametrize("family", list(Family), ids=str)
def test_i23_dns_over_tcp_is_dead_from_one_node_in_one_family(
    tmp_path: Path, far_from_dns: str, family: Family
) -> None:
    """I23: one node drops DNS over TCP of one family; UDP, the other family and other nodes live.

    Which names are right is not in doubt: tests of records are green.
    """
    node = far_from_dns
    faults("inject", "I23", "--node", node, "--family", family)
    suite_run = run_suites(tmp_path, TRANSPORTS, f"{RECORDS}::{NAMES}")
    from_pods, from_nodes = f"{FROM_PODS}[{family}]", f"{FROM_NODES}[{family}]"
    to_pods = f"{TO_PODS}[{family}]"
    assert_red_is_exactly(suite_run, {from_pods, from_nodes, to_pods, AGREE}, None)
    assert {f"{NAMES}[IPv4]", f"{NAMES}[IPv6]", REQUIRED} <= suite_run.green()

    def dead(o: Observation) -> bool:
        over_tcp = o.flow.protocol is Protocol.TCP and o.flow.family is family
        return over_tcp and node in (o.flow.source.node, o.flow.destination.node)

    for test in (from_pods, from_nodes, to_pods, AGREE):
        assert_cells(suite_run, test, dead, {Outcome.DROPPED})
        message = suite_run.red()[test].message
        assert f"over TCP/{family}: TIMEOUT" in message, message
        assert f"@{node}" in message or node in message
        assert "class: DNS" in message
    assert f"class: DNS, {family}-only failure" in suite_run.red()[AGREE].message


def test_s3_a_dns_service_of_one_family_is_reported_once(tmp_path: Path, bed: testbed.Bed) -> None:
    """S3: the DNS service has no IPv6 address. One test says so; those that would ask it there are
    skipped with how to mend it, and all others are green."""
    faults("inject", "S3")
    suite_run = run_suites(tmp_path, TRANSPORTS, RECORDS)
    assert_red_is_exactly(suite_run, {REQUIRED}, None)
    message = suite_run.red()[REQUIRED].message
    assert "Service kube-system/kube-dns has no IPv6 clusterIP" in message
    assert "PreferDualStack" in message
    words = ("Service kube-system/kube-dns has no IPv6 clusterIP", "PreferDualStack")
    assert_first_line(suite_run, *words, families=[Family.IPV6])
    family_words = {v.family: v.word for v in verdicts(suite_run.results)}
    assert family_words == {Family.IPV4: Word.WORKS, Family.IPV6: Word.FAULTY}
    skipped = {named_by(c.nodeid): c for c in suite_run.cases(CaseOutcome.SKIPPED)}
    assert {f"{t}[IPv6]" for t in (FROM_PODS, FROM_NODES, TO_PODS)} <= skipped.keys()
    assert all("IPv6" in case.reason and case.enable for case in skipped.values())
    assert {f"{NAMES}[IPv4]", f"{NAMES}[IPv6]", f"{FROM_PODS}[IPv4]"} <= suite_run.green()


ALL_RECORDS = (RECORDS, "suites/dns/test_ports.py", "suites/dns/test_reverse.py")


def test_r4_the_replica_that_lost_its_watch_is_named(
    tmp_path: Path, replica: tuple[str, str]
) -> None:
    """R4: one replica knows no name that was made since; the summary names it and its node first,
    and no family is accused, however the answers fell."""
    name, node = replica
    faults("inject", "R4", "--pod", name)
    suite_run = run_suites(tmp_path, *ALL_RECORDS)
    assert NAMES in {test.partition("[")[0] for test in suite_run.red()}
    by_subject = {f.subject: f for f in suite_run.results.findings if f.code == "dns.replica"}
    subject = f"DNS replica {name.partition('/')[2]} on {node}"
    assert set(by_subject) == {subject}, suite_run.output[-3000:]
    assert "NXDOMAIN" in by_subject[subject].seen
    assert "SERVFAIL" in by_subject[subject].seen, "a reverse name that CoreDNS hands on to nobody"
    assert "over IPv4 and IPv6 alike" in by_subject[subject].seen
    assert len([f for f in suite_run.results.findings if f.subject == subject]) == 1
    assert subject in suite_run.output
    assert_accuses_no_family(suite_run)


def test_r5_the_answer_received_is_reported_and_every_replica_is_alike(
    tmp_path: Path, bed: testbed.Bed
) -> None:
    """R5: A records come in the answer to AAAA: that is said, and not that there was no data, but
    of the service that has no A record either."""
    faults("inject", "R5")
    suite_run = run_suites(tmp_path, RECORDS)
    message = suite_run.red()[f"{NAMES}[IPv6]"].message
    assert "A records in an answer to AAAA" in message
    empty = [line for line in message.splitlines() if ": NODATA, expected" in line]
    assert all("AAAA clusterip-v6-" in line for line in empty), message
    assert message.endswith("class: DNS, IPv6-only failure")
    codes = {f.code for f in suite_run.results.findings if f.code.startswith("dns.")}
    assert codes == {"dns.answers"}
    assert f"{NAMES}[IPv4]" in suite_run.green()


def test_d64_addresses_made_of_a_records_are_reported(tmp_path: Path, bed: testbed.Bed) -> None:
    """D64: who asks over IPv6 gets IPv6 addresses of IPv4 services, which lead nowhere. The line of
    the Corefile is named; names with AAAA records of their own, names that do not exist and
    whatever is asked over IPv4 are right."""
    faults("inject", "D64")
    suite_run = run_suites(tmp_path, RECORDS, f"suites/dns/test_resolver.py::{LOOKUPS}")
    wanted = {f"{test}[IPv6]" for test in (NAMES, API_SERVER, HEADLESS, EVERY_POD)}
    assert_red_is_exactly(suite_run, wanted | {f"{LOOKUPS}[IPv6-nameservers]"}, None)
    for name in wanted:
        message = suite_run.red()[name].message
        assert "{64:ff9b::" in message, message
        assert message.endswith("class: DNS, IPv6-only failure"), message
    green = {f"{LOOKUPS}[IPv4-nameservers]", f"{UNKNOWN}[IPv6]"}
    assert green | {f"{test}[IPv4]" for test in (NAMES, API_SERVER, HEADLESS, EVERY_POD)} <= (
        suite_run.green()
    )
    words = ("CoreDNS", "Corefile", "'dns64 64:ff9b::/96'", "AAAA questions get")
    assert_first_line(suite_run, *words, families=[Family.IPV6])


def test_r10_the_replica_that_nobody_reaches_is_named(
    tmp_path: Path, replica: tuple[str, str]
) -> None:
    """R10: questions that chance sends to one replica are lost; it is named, and no family."""
    name, node = replica
    faults("inject", "R10", "--pod", name)
    suite_run = run_suites(tmp_path, RECORDS)
    subject = f"DNS replica {name.partition('/')[2]} on {node}"
    subjects = {f.subject for f in suite_run.results.findings if f.code.startswith("dns.")}
    assert subjects <= {subject}
    assert (
        not suite_run.red()
        or subject in subjects
        or any(name.partition("/")[2] in case.message for case in suite_run.red().values())
    )
    assert_accuses_no_family(suite_run)


def assert_accuses_no_family(suite_run: SuiteRun) -> None:
    """No failing test files its answers under one family."""
    for case in suite_run.red().values():
        assert "-only failure" not in case.message, case.message


def test_without_faults_all_of_it_is_green(tmp_path: Path, bed: testbed.Bed) -> None:
    """With every fault cleared, the tests that were red above are green again."""
    suite_run = run_suites(
        tmp_path,
        *(TRANSPORTS, RECORDS),
        f"suites/dns/test_reverse.py::{REVERSE}",
        f"suites/dns/test_ports.py::{PORTS}",
    )
    assert_green(suite_run)
    assert {f"{FROM_PODS}[IPv6]", REQUIRED, f"{UNKNOWN}[IPv6]"} <= suite_run.green()
