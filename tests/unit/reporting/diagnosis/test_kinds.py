"""What is not a flow is diagnosed as flows are: DNS answers, path checks, lookups."""

from __future__ import annotations

import dataclasses
import ipaddress
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from sixproof.model import Family, MatrixKind
from sixproof.probes.dns import matrix as dns_matrix
from sixproof.probes.dns.judge import DnsExpectation
from sixproof.probes.dns.message import DnsQuestion, RecordType
from sixproof.probes.dns.verdict import DnsOutcome, DnsQuery, DnsServer, Transport
from sixproof.reporting.diagnosis.category import Category
from sixproof.reporting.diagnosis.faults import FailingPlace, chosen, faults
from sixproof.reporting.diagnosis.verdicts import FamilyVerdict, Word, verdicts
from sixproof.reporting.results.matrices.measured import Measured
from sixproof.reporting.results.results_json import Results
from sixproof.reporting.results.test_record import Case, CaseOutcome, RunRecord
from tests.unit.probes.dns.samples import pod, seen

Fails = Callable[[DnsQuery], DnsOutcome | None]
NODES = ("worker", "worker2", "control")
PODS = [pod(role, node, i) for i, (role, node) in enumerate((r, n) for r in "ab" for n in NODES)]
REPLICAS = {"coredns-x": "worker2", "coredns-y": "worker"}
NAMES = tuple(f"svc{number}.shop.svc.cluster.local." for number in range(5))
TYPES = (RecordType.A, RecordType.AAAA)
TRUTH = {RecordType.A: "192.0.2.1", RecordType.AAAA: "fd00::1"}
QUESTIONS = tuple(DnsQuestion(name, type_) for name in NAMES for type_ in TYPES)
EXPECTED = {q: DnsExpectation.records([TRUTH[q.type]], "the API shows them") for q in QUESTIONS}


def server(name: str, family: Family) -> DnsServer:
    """A replica at its own address of a family."""
    number = list(REPLICAS).index(name)
    text = f"10.244.0.{number}" if family is Family.IPV4 else f"fd00:244::{number}"
    return DnsServer(name, ipaddress.ip_address(text), node=REPLICAS[name])


def run(fails: Fails) -> Results:
    """Every pod asks every replica for every name over both families."""
    came = []
    for source in PODS:
        for name in REPLICAS:
            for family in Family:
                for question in QUESTIONS:
                    query = DnsQuery(source, server(name, family), Transport.UDP, question)
                    outcome = fails(query)
                    data = () if outcome else (TRUTH[question.type],)
                    came.append(seen(query, *data, outcome=outcome))
    kept = [make("names", came, EXPECTED) for make in (dns_matrix.questions, dns_matrix.answers)]
    matrices = tuple(Measured(m, e, "suites/dns/t.py::t") for m, e in kept if m.cells)
    return Results(RunRecord("six-1"), matrices=matrices)


def only_fault(fails: Fails) -> FailingPlace:
    """The one fault of such a run."""
    (fault,) = faults(run(fails))
    return fault


def test_a_replica_that_lies_is_named_with_its_node() -> None:
    def lies(query: DnsQuery) -> DnsOutcome | None:
        return DnsOutcome.NXDOMAIN if query.server.name == "coredns-x" else None

    names = f"({', '.join(NAMES[:3])} and 2 more)"
    assert only_fault(lies).sentence == (
        f"all IPv4 and IPv6 DNS answers {names} to pod coredns-x on worker2 are wrong "
        '("NXDOMAIN") (120 of 120); elsewhere the same IPv4 and IPv6 DNS answers are right '
        "[seen in 1 test: names]"
    )


def test_a_name_that_one_replica_does_not_know() -> None:
    """The names that it knows are listed beside it."""

    def stale(query: DnsQuery) -> DnsOutcome | None:
        new = query.server.name == "coredns-x" and query.question.name == NAMES[3]
        return DnsOutcome.NXDOMAIN if new else None

    fault = only_fault(stale)
    assert fault.sentence.startswith(
        f"all IPv4 and IPv6 DNS answers ({NAMES[3]}) to pod coredns-x on worker2 are wrong"
    )
    assert f"what else was asked in the same place is right ({NAMES[0]}, " in fault.sentence


def test_aaaa_records_that_are_missing_everywhere_are_a_fault_of_ipv6_over_either_way() -> None:
    def empty(query: DnsQuery) -> DnsOutcome | None:
        return DnsOutcome.NODATA if query.question.type is RecordType.AAAA else None

    fault = only_fault(empty)
    assert fault.pattern.families == (Family.IPV6,)
    assert 'are wrong ("NODATA") (120 of 120); IPv4 works' in fault.sentence


def test_a_way_that_is_dead_is_a_fault_of_the_way() -> None:
    """Whatever was asked on it: no answer is accused."""

    def dead(query: DnsQuery) -> DnsOutcome | None:
        six = query.server.family is Family.IPV6 and query.server.node == "worker2"
        return DnsOutcome.TIMEOUT if six else None

    fault = only_fault(dead)
    assert fault.pattern.kind is MatrixKind.DNS_QUESTIONS
    assert fault.sentence.startswith(
        "all IPv6 DNS questions to pod coredns-x on worker2 are DROPPED (6 of 6); IPv4 works"
    )


def test_answers_accuse_no_family_by_their_cells() -> None:
    """Which replica answered was chance: the test weighs that. They are counted apart."""

    def lies(query: DnsQuery) -> DnsOutcome | None:
        return DnsOutcome.NXDOMAIN if query.question.type is RecordType.AAAA else None

    found = {v.family: v for v in verdicts(run(lies))}
    assert found[Family.IPV6].word is Word.UNMEASURED
    assert "12 of 12 DNS questions, 0 of 120 DNS answers" in found[Family.IPV6].reason
    assert "12 of 12 DNS questions, 120 of 120 DNS answers" in found[Family.IPV4].reason


def test_a_family_is_faulty_where_all_answers_are_right_and_a_check_is_not() -> None:
    """S3: the DNS service lacks an address of the family; whatever was asked elsewhere was right.
    Where answers are wrong too it is broken."""

    def lies(query: DnsQuery) -> DnsOutcome | None:
        return DnsOutcome.NXDOMAIN if query.question.type is RecordType.AAAA else None

    failed = Case("suites/dns/t.py::required", CaseOutcome.FAILED, accuses=(Family.IPV6,))
    for fails, word in ((lambda _: None, Word.FAULTY), (lies, Word.BROKEN)):
        found = verdicts(dataclasses.replace(run(fails), cases=(failed,)))
        assert {v.family: v.word for v in found}[Family.IPV6] is word


@pytest.mark.parametrize(
    ("kind", "word"),
    [(MatrixKind.ROUTES, Word.FAULTY), (MatrixKind.ADDRESSES, Word.FAULTY),
     (MatrixKind.DNS_ANSWERS, Word.BROKEN), (MatrixKind.PATHS, Word.BROKEN)],
)  # fmt: skip
def test_what_was_read_and_not_sent_breaks_no_family(kind: MatrixKind, word: Word) -> None:
    """L5: routes that a pool's settings do not ask for, where no flow failed."""
    verdict = FamilyVerdict(
        Family.IPV6, Counter(), Counter({CaseOutcome.FAILED: 1}), failed=1, others={kind: (6, 12)}
    )
    assert (verdict.word, verdict.accused) == (word, True)


def test_what_an_application_lacks_leaves_no_family_in_doubt() -> None:
    """Its test is red, and the network works."""
    red = Case(
        "suites/applications/t.py::t", CaseOutcome.FAILED, categories=(Category.APPLICATION,)
    )
    found = verdicts(dataclasses.replace(run(lambda _: None), cases=(red,)))
    assert [v.doubtful for v in found] == [0, 0]
    other = dataclasses.replace(red, categories=())
    found = verdicts(dataclasses.replace(run(lambda _: None), cases=(other,)))
    assert [v.doubtful for v in found] == [1, 1]


def test_a_matrix_of_many_questions_is_not_drawn() -> None:
    """Its sentence is reported, its letters would fill a page."""
    names = [f"svc{number}.shop.svc.cluster.local." for number in range(13)]
    truth = {DnsQuestion(name, RecordType.A): EXPECTED[QUESTIONS[0]] for name in names}
    place = server("coredns-x", Family.IPV4)

    def drawn(number: int) -> int:
        asked = {q: truth[q] for q in list(truth)[:number]}
        came = [
            seen(DnsQuery(PODS[0], place, Transport.UDP, q), outcome=DnsOutcome.NXDOMAIN)
            for q in asked
        ]
        measured = Measured(*dns_matrix.answers("many", came, asked), "suites/dns/t.py::t")
        results = Results(RunRecord("six-1"), matrices=(measured,))
        (fault,) = faults(results)
        return len(chosen(results, [fault], 3))

    assert (drawn(12), drawn(13)) == (1, 0)


def test_results_are_read_back_with_their_kind(tmp_path: Path) -> None:
    results = run(lambda _: None)
    results.write(tmp_path / "results.json")
    again = Results.read(tmp_path / "results.json")
    assert [m.matrix.kind for m in again.matrices] == [m.matrix.kind for m in results.matrices]
    cells = [m.matrix.cells.keys() for m in results.matrices]
    assert [m.matrix.cells.keys() for m in again.matrices] == cells
