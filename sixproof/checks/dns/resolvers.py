"""The pods' own resolvers: what getaddrinfo makes of names, and the nameservers that pods have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sixproof.checks.dns.dns_access import DnsAccess
from sixproof.checks.dns.resolution import BOTH, Resolution, resolvers_of
from sixproof.checks.recorder import Recorder
from sixproof.errors import NotAsked
from sixproof.kube.channel.agents import Agents
from sixproof.model import Endpoint
from sixproof.probes.dns import lookups as dns_lookups
from sixproof.probes.dns import matrix as dns_matrix
from sixproof.probes.dns.judge import Expected
from sixproof.probes.dns.lookups import Latencies, Wanted
from sixproof.probes.dns.resolver import LookupObservation, ResolverCall, ResolverProbe
from sixproof.probes.dns.servers import ResolvConf
from sixproof.probes.dns.verdict import DnsOutcome, DnsQuery
from sixproof.reporting.allure import steps
from sixproof.reporting.diagnosis import evidence
from sixproof.reporting.diagnosis.category import Category

PATIENCE = 12.0
"""Seconds for all lookups of one pod: more than one of an absolute name takes when every answer is
lost (two times 5 s)."""
PATIENCE_A_CALL = 0.25
"""Seconds more for each repetition."""


class Resolvers:
    """Looks names up in pods whose nameservers are of one family."""

    def __init__(
        self,
        agents: Agents,
        recorder: Recorder,
        resolution: Resolution,
        pods: Sequence[Endpoint],
        ways: DnsAccess | None = None,
    ) -> None:
        self._ways = ways
        self._agents = agents
        self._recorder = recorder
        self._probe = ResolverProbe(agents)
        self._resolution = resolution
        self._pods = pods
        self._known: dict[str, ResolvConf] = {}

    def settings(self, pods: Sequence[Endpoint] = ()) -> Mapping[str, ResolvConf]:
        """The resolv.conf of each pod, by its name."""
        chosen = pods or self._pods
        missing = [p for p in chosen if p.name not in self._known]
        self._known |= resolvers_of(self._agents, missing)
        return {p.name: self._known[p.name] for p in chosen}

    def look_up(self, wanted: Wanted, *, times: int = 1) -> tuple[LookupObservation, ...]:
        """Look every name of `wanted` up, `times` times, in every pod; skips without a name."""
        settings, pods = self.settings(), self._may_ask()
        lookups = [
            ResolverCall(pod, name, family, float(settings[pod.name].timeout))
            for pod in pods
            for _ in range(times)
            for name, family in wanted
        ]
        if not lookups:
            raise NotAsked("no such name to look up on this cluster")
        with steps.step(f"When {len(lookups)} lookups are made"):
            seen = self._probe.look_up(lookups, PATIENCE + PATIENCE_A_CALL * times)
        steps.attach_json("lookups", [o.to_json() for o in seen])
        latencies = [
            f"{pod.name}: {Latencies.of(o for o in seen if o.lookup.source is pod)}" for pod in pods
        ]
        steps.attach_text("latencies", "\n".join([*latencies, ""]))
        return seen

    def _may_ask(self) -> Sequence[Endpoint]:
        """The pods that no policy keeps from any of their nameservers; without one the test ends
        as not proven."""
        if self._ways is None:
            return self._pods
        nameservers = {name: conf.nameservers for name, conf in self.settings().items()}
        return self._ways.unhindered("lookups", self._pods, nameservers)

    def must_find(self, title: str, wanted: Wanted) -> None:
        """Every lookup must return what is wanted.

        Raises:
            VerdictError: one does not; the message is the evidence.
            InfrastructureError: every wrong one could not be measured.
        """
        __tracebackhide__ = True
        seen = self.look_up(wanted)
        nameservers = {name: conf.nameservers for name, conf in self.settings().items()}
        self._recorder.matrix(*dns_matrix.lookups(title, seen, wanted, nameservers))
        wrong = dns_lookups.disagreements(seen, wanted)
        if not wrong:
            return
        servers = {name: ", ".join(map(str, those)) for name, those in nameservers.items()}
        text = dns_lookups.verdict(title, seen, wrong, wanted, servers)
        if not any(o.outcome.measured for o in wrong):
            raise evidence.not_measured(text)
        raise evidence.wrong(text, (), Category.DNS)

    def must_not_ask_again(self, wanted: Wanted, times: int) -> None:
        """No lookup may have to send a question a second time.

        Raises:
            VerdictError: one did; the message is the evidence.
            InfrastructureError: some could not be measured.
        """
        __tracebackhide__ = True
        seen = self.look_up(wanted, times=times)
        nameservers = {name: conf.nameservers for name, conf in self.settings().items()}
        title = "lookups that need no second question"
        self._recorder.matrix(*dns_matrix.asked_once(title, seen, nameservers))
        if text := dns_lookups.stalls(seen):
            raise evidence.wrong(text, (), Category.DNS)
        unknown = [o for o in seen if not o.outcome.measured]
        if unknown:
            sentence = (
                f"{len(unknown)} of {len(seen)} lookups were not measured: {unknown[0].reason}"
            )
            raise evidence.not_measured(sentence)
        if not any(o.outcome is DnsOutcome.NOERROR for o in seen):
            said = f"not one of {len(seen)} lookups brought an address, all {seen[0].outcome}"
            raise NotAsked(said, "a name that resolves: see the other tests", True)

    def must_have_answering_nameservers(self, expected: Expected, pods: Sequence[Endpoint]) -> None:
        """Each nameserver in a pod's resolv.conf must answer that pod, over UDP and TCP."""
        __tracebackhide__ = True
        queries = [
            DnsQuery(pod, self._resolution.nameserver(address), transport, question)
            for pod in pods
            for address in self.settings(pods)[pod.name].nameservers
            for transport in BOTH
            for question in expected
        ]
        seen = self._resolution.put(queries)
        self._resolution.check("nameservers of pods", seen, expected)
