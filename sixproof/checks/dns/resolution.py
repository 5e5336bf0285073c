"""Resolution: ask DNS servers, keep every answer, compare with the truth."""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NoReturn

from sixproof.checks.dns.dns_access import DnsAccess
from sixproof.checks.recorder import Recorder
from sixproof.errors import NotAsked
from sixproof.kube.api import wait
from sixproof.kube.channel.agents import Agents
from sixproof.model import Endpoint, Family, IPAddress, Timing
from sixproof.probes.dns import judge as dns_judge
from sixproof.probes.dns import matrix as dns_matrix
from sixproof.probes.dns import replicas as dns_replicas
from sixproof.probes.dns import verdict as dns_verdict
from sixproof.probes.dns.judge import DnsDisagreement, Expected
from sixproof.probes.dns.probe import DnsProbe
from sixproof.probes.dns.servers import ClusterDns, ResolvConf
from sixproof.probes.dns.verdict import DnsObservation, DnsQuery, DnsServer, Transport
from sixproof.probes.pmtu.interfaces import inspected
from sixproof.reporting.allure import steps
from sixproof.reporting.diagnosis import evidence
from sixproof.reporting.diagnosis.category import Category, broken_family, one_family

UDP = (Transport.UDP,)
BOTH = tuple(Transport)
QUICK = 0.6
"""Seconds for a question of the rounds that follow a change; a full one confirms them."""


class Resolution:
    """Asks for names and judges the answers. `askers` ask where a test does not say who; `ways`
    knows which servers the policies of the cluster's owner close to whom: those are not asked."""

    def __init__(
        self,
        agents: Agents,
        recorder: Recorder,
        dns: ClusterDns,
        askers: Sequence[Endpoint],
        timing: Timing,
        ways: DnsAccess | None = None,
    ) -> None:
        self._ways = ways
        self._recorder = recorder
        self._probe = DnsProbe(agents)
        self._dns = dns
        self._askers = askers
        self._patience = timing.connect
        self._silence = timing.deny
        self._settle = timing.settle

    def nameserver(self, address: IPAddress) -> DnsServer:
        """What a resolver asks at this address: the DNS service, or something else (a cache on the
        node) of which it is not known how many servers answer."""
        behind = {server.address: server.replicas for server in self._dns.addresses}
        return DnsServer("its nameserver", address, replicas=behind.get(address, 0))

    def ask(
        self,
        expected: Expected,
        *,
        servers: Sequence[DnsServer] | None = None,
        transports: Sequence[Transport] = UDP,
        sources: Sequence[Endpoint] = (),
        patience: float | None = None,
    ) -> tuple[DnsObservation, ...]:
        """Every question of `expected`, from every source to every server, all at once.

        Servers are the DNS service at each of its addresses unless others are named; a source asks
        only over families that it has. `patience` is --six-connect-timeout unless given. Skips the
        test where nothing can be asked, saying so; where policies close every way, it ends as not
        proven.
        """
        return self.put(self.queries(expected, servers, transports, sources), patience)

    def queries(
        self,
        expected: Expected,
        servers: Sequence[DnsServer] | None = None,
        transports: Sequence[Transport] = UDP,
        sources: Sequence[Endpoint] = (),
    ) -> list[DnsQuery]:
        """Every question from every source to every server, over families that it has."""
        chosen = self._dns.addresses if servers is None else servers
        return [
            DnsQuery(source, server, transport, question)
            for source in sources or self._askers
            for server in chosen
            if source.address(server.family)
            for transport in transports
            for question in expected
        ]

    def put(
        self, queries: Sequence[DnsQuery], patience: float | None = None
    ) -> tuple[DnsObservation, ...]:
        """Put all these questions at once, but for those that policies keep from their server;
        skips the test where there is none."""
        if not queries:
            raise NotAsked("no such name, server or family to ask on this cluster")
        if self._ways is not None:
            queries = self._ways.open("questions to the DNS", queries)
        with steps.step(f"When {len(queries)} questions are asked at once"):
            return self._probe.ask(queries, patience or self._patience)

    def check(
        self,
        title: str,
        seen: Sequence[DnsObservation],
        expected: Expected,
        beside: Expected | None = None,
    ) -> None:
        """Every answer must be as expected; those to `beside` are reported only where one is not.

        Raises:
            VerdictError: one is not; the message is the evidence.
            InfrastructureError: every wrong one could not be measured.
        """
        __tracebackhide__ = True
        with steps.step("Then every answer is the truth"):
            steps.attach_json(title, [o.to_json() for o in seen])
            asked = {**(beside or {}), **expected}
            self._note(title, seen, asked)
            wrong = dns_judge.disagreements(seen, asked)
            if not any(d.seen.query.question in expected for d in wrong):
                return
            text = dns_judge.verdict(title, seen, wrong)
            if not any(d.seen.outcome.measured for d in wrong):
                raise evidence.not_measured(text)
            self._blame(text, seen, wrong, asked)

    @staticmethod
    def none_wrong(wrong: Iterable[str], family: Family) -> None:
        """Nothing beyond the records is wrong with answers about names of a family; `wrong` has a
        line for each that is.

        Raises:
            VerdictError: something is.
        """
        __tracebackhide__ = True
        if text := "\n".join(wrong):
            raise evidence.wrong(text, [family], Category.DNS)

    def _note(self, title: str, seen: Sequence[DnsObservation], asked: Expected) -> None:
        for matrix in (dns_matrix.questions, dns_matrix.answers):
            self._recorder.matrix(*matrix(title, seen, asked))

    def _blame(
        self,
        text: str,
        seen: Sequence[DnsObservation],
        wrong: Sequence[DnsDisagreement],
        asked: Expected,
    ) -> NoReturn:
        """Ask each replica by itself what came back wrong, and say where the fault is.

        Raises:
            VerdictError: always; it leads with the replica, where one is at fault.
        """
        __tracebackhide__ = True
        observations, wrong_answers = seen, wrong
        queries = dns_replicas.questions(seen, [d.seen for d in wrong], asked, self._dns.pods)
        if queries:
            direct = self._probe.ask(queries, self._patience)
            steps.attach_json("each DNS replica by itself", [o.to_json() for o in direct])
            self._note("each DNS replica by itself", direct, asked)
            found = dns_replicas.finding(dns_replicas.replicas(direct, asked), self._dns.service)
            if found:
                self._recorder.finding(found)
                text = f"{found}\n{text}"
            if by_replicas := dns_judge.disagreements(dns_verdict.answers(direct), asked):
                observations, wrong_answers = direct, by_replicas
        family = broken_family(dns_judge.parity(observations, wrong_answers))
        only = one_family([family]) if family else None
        classes = [Category.DNS, *([only] if only else [])]
        raise evidence.wrong(text, dns_judge.families(observations, wrong_answers), *classes)

    def must_answer(
        self,
        title: str,
        expected: Expected,
        *,
        servers: Sequence[DnsServer] | None = None,
        transports: Sequence[Transport] = UDP,
        sources: Sequence[Endpoint] = (),
        beside: Expected | None = None,
        every_way: bool = False,
    ) -> tuple[DnsObservation, ...]:
        """Ask, and hold every answer against what it must be; the answers are returned.

        A server must answer each source in one way at least (`every_way`: in all): whether all its
        addresses and transports work is for other tests, and one fault makes no dozen failures.
        `beside` is asked too, for a contrast: the other family of the same names.
        """
        __tracebackhide__ = True
        asked = {**(beside or {}), **expected}
        seen = self.ask(asked, servers=servers, transports=transports, sources=sources)
        judged = seen if every_way else dns_verdict.heard(seen)
        self.check(title, judged, expected, beside)
        return tuple(o for o in judged if o.query.question in expected)

    def must_carry(
        self,
        title: str,
        expected: Expected,
        servers: Sequence[DnsServer],
        sources: Sequence[Endpoint],
    ) -> None:
        """The same question over UDP and TCP; what came of it is also kept as a matrix."""
        __tracebackhide__ = True
        seen = self.ask(expected, servers=servers, transports=BOTH, sources=sources)
        matrix, wanted = dns_matrix.matrix(title, seen, expected)
        self._recorder.matrix(matrix, wanted)
        steps.attach_matrix(matrix, wanted)
        self.check(title, seen, expected)
        if self._ways is not None:
            asked = self.queries(expected, servers, BOTH, sources)
            self._ways.must_be_open_in_each_family(title, asked)

    def must_answer_before(
        self,
        title: str,
        expected: Expected,
        *,
        servers: Sequence[DnsServer],
        sources: Sequence[Endpoint],
    ) -> None:
        """The control for a later denial: some server answers while nothing is denied yet. Where
        none does, the test ends as not proven."""
        seen = self.ask(expected, servers=servers, sources=sources)
        if not any(o.outcome.answered for o in seen):
            why = f"{title}: no server answers even before anything is denied ({seen[0].outcome})"
            raise NotAsked(why, "see the tests that fail", unproven=True)

    def must_follow(
        self,
        title: str,
        change: Callable[[], Expected],
        family: Family,
        *,
        servers: Sequence[DnsServer] | None = None,
        sources: Sequence[Endpoint] = (),
    ) -> None:
        """Soon after a change answers must be what it returns; the time is kept.

        Questions are asked with the CD bit, which caches answer apart from those asked before.
        """
        __tracebackhide__ = True
        began = time.monotonic()
        with steps.step("When the objects change"):
            expected = {dataclasses.replace(q, cd=True): e for q, e in change().items()}
        ask = functools.partial(self.ask, expected, servers=servers, sources=sources)
        waited = wait.until(
            lambda: dns_verdict.heard(ask(patience=QUICK)),
            lambda seen: not dns_judge.disagreements(seen, expected),
            timeout=self._settle,
        )
        if waited.accepted:
            took = time.monotonic() - began
            self._recorder.convergence(title, took, family, waited.attempts)
        silent = all(e.outcomes <= dns_verdict.LOST for e in expected.values())
        final = ask(patience=self._silence if silent else self._patience)
        self.check(title, dns_verdict.heard(final), expected)


def resolvers_of(agents: Agents, sources: Sequence[Endpoint]) -> dict[str, ResolvConf]:
    """The resolv.conf of each endpoint, by its name."""
    return {
        source.name: ResolvConf.parse(seen.resolv_conf)
        for source, seen in inspected(agents, sources)
    }
