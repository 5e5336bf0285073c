"""When every DNS server knows what the API server shows: found without asking for a tested name.

A server that is asked too early caches the negative answer (for 30 s where CoreDNS runs as kubeadm
sets it up), and a test would measure that cache. So a service whose name was never queried is made
after the ones under test; watches deliver changes in order, so a server that knows it knows the
earlier ones. While one does not, the next round asks for another new service.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sixproof.kube.api import wait
from sixproof.model import Endpoint
from sixproof.probes.dns.message import DnsQuestion, RecordType
from sixproof.probes.dns.probe import DnsProbe
from sixproof.probes.dns.verdict import DnsObservation, DnsOutcome, DnsQuery, DnsServer, Transport

IGNORANT = frozenset({DnsOutcome.NXDOMAIN, DnsOutcome.NODATA})
PATIENCE = 2.0
"""Seconds for one question of a round."""


def settle(
    probe: DnsProbe,
    announce: Callable[[], str],
    sources: Sequence[Endpoint],
    servers: Sequence[DnsServer],
    timeout: float,
) -> tuple[str, ...]:
    """Wait until every server that answers at all has caught up; the names of those that have not.

    `announce` makes a new service and gives its absolute name. A server is up to date if it has any
    record of it, of whatever type: that one type is answered wrongly is for a test to find.
    """
    waited = wait.until(
        lambda: _behind(_round(probe, announce(), sources, servers)),
        lambda behind: not behind,
        timeout=timeout,
        first=0.2,
    )
    return waited.value


def _round(
    probe: DnsProbe, name: str, sources: Sequence[Endpoint], servers: Sequence[DnsServer]
) -> tuple[DnsObservation, ...]:
    return probe.ask(
        [
            DnsQuery(source, server, Transport.UDP, DnsQuestion(name, kind))
            for source in sources
            for server in servers
            for kind in (RecordType.A, RecordType.AAAA)
        ],
        PATIENCE,
    )


def _behind(seen: Sequence[DnsObservation]) -> tuple[str, ...]:
    """The servers that answered, and in no way with a record."""
    said: dict[tuple[str, str], set[DnsOutcome]] = {}
    for o in seen:
        key = (o.query.source.name, str(o.query.server.address))
        said.setdefault(key, set()).add(o.outcome)
    return tuple(
        dict.fromkeys(
            server
            for (_, server), outcomes in said.items()
            if outcomes & IGNORANT and DnsOutcome.NOERROR not in outcomes
        )
    )
