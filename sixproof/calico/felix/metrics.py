"""Where Felix listens, and its metrics: whether it is in sync, its error counters, and its rules.
Pure.

The names are those of Calico v3.31 (Calico documentation, Felix Prometheus metrics; those missing
there are documented by the endpoint itself). Rule gauges exist for the unused backend as well, with
the value 0: Felix checks for leftovers of another backend.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import math
from collections.abc import Iterator, Mapping

from sixproof.calico.felix import exposition
from sixproof.calico.felix.exposition import Sample
from sixproof.calico.felix.settings import Felix
from sixproof.kube.api import json_fields
from sixproof.model import Endpoint, Family, IPAddress

STATE = "felix_resync_state"
IN_SYNC = 3.0
_STATES = {1.0: "waiting for the datastore", 2.0: "reading the datastore", IN_SYNC: "in sync"}
PROCESSED = "felix_calc_graph_updates_processed"
"""Datastore updates that Felix's calculation graph has received, by type."""
APPLIED = "felix_int_dataplane_apply_time_seconds_count"
"""Times that Felix has written to its dataplane since the first time, successfully or not."""
RULES = {"iptables": "felix_iptables_rules", "nftables": "felix_nft_rules"}
ERRORS = {
    "felix_int_dataplane_failures": "updates of the dataplane that failed",
    "felix_iptables_restore_errors": "failed calls of iptables-restore",
    "felix_iptables_save_errors": "failed calls of iptables-save",
    "felix_ipset_errors": "failed ipset commands",
    "felix_nft_errors": "failed nft transactions",
    "felix_nft_list_errors": "failed nft listings",
    "felix_nft_set_errors": "failed transactions of nft sets",
}
"""Error counters, and what each counts. Felix retries after all of them."""
_PROGRAMS = "felix_bpf_dataplane_endpoints"
_DIRTY_PROGRAMS = "felix_bpf_dirty_dataplane_endpoints"
_LOCALHOST = "localhost"
_LOOPBACK = ipaddress.ip_address("127.0.0.1")


@dataclasses.dataclass(frozen=True, slots=True)
class Listening:
    """The host and port of an endpoint, metrics or health, as configured.

    Felix passes its setting to Go's net.Listen: no host and an unspecified address (``::``,
    ``0.0.0.0``) mean every address of both families, ``localhost`` is the first that resolves, IPv4
    before IPv6.
    """

    host: str
    port: int

    @classmethod
    def of(cls, text: str) -> Listening | None:
        """What ``host:port`` means, None where it is off or has no port."""
        host, _, port = text.rpartition(":")
        if not port.isdigit() or not 0 < int(port) < 65536:
            return None
        return cls(host.removeprefix("[").removesuffix("]"), int(port))

    @property
    def everywhere(self) -> bool:
        """Whether it listens on every address of both families."""
        literal = json_fields.address(self.host)
        return not self.host or (literal is not None and literal.is_unspecified)

    def address(self, family: Family, node: Endpoint) -> IPAddress | None:
        """The address of a family at which to reach it on a node; None where it has none."""
        if self.everywhere:
            return node.address(family)
        literal = _LOOPBACK if self.host == _LOCALHOST else json_fields.address(self.host)
        return literal if literal is not None and Family.of(literal) is family else None

    def __str__(self) -> str:
        return f"{self.host or 'every address'}, port {self.port}"


@dataclasses.dataclass(frozen=True, slots=True)
class Metrics:
    """The samples of one endpoint at one time, by name."""

    samples: Mapping[str, tuple[Sample, ...]]

    @classmethod
    def of(cls, text: str) -> Metrics | None:
        """The metrics of a text; None where it has no state of a Felix."""
        by_name: dict[str, list[Sample]] = {}
        for sample in exposition.read(text).samples:
            by_name.setdefault(sample.name, []).append(sample)
        metrics = cls({name: tuple(samples) for name, samples in by_name.items()})
        return metrics if metrics.value(STATE) is not None else None

    def value(self, name: str, **labels: str) -> float | None:
        """The sum of the samples of a name that have these labels; None without any."""
        found = [
            sample.value
            for sample in self.samples.get(name, ())
            if all(sample.label(key) == value for key, value in labels.items())
        ]
        total = sum(found)
        return total if found and math.isfinite(total) else None

    @property
    def started(self) -> float | None:
        """When the process started, in seconds since 1970; None where it does not say."""
        return self.value("process_start_time_seconds")


def out_of_sync(metrics: Metrics) -> str:
    """Why Felix is not in sync with the datastore, "" where it is."""
    state = metrics.value(STATE)
    if state == IN_SYNC:
        return ""
    meaning = _STATES.get(state or 0.0, "no state that is known")
    seen = f"{STATE} is {_number(state or 0.0)} ({meaning}), wanted {_number(IN_SYNC)}"
    return f"Felix is not in sync: {seen}"


def lagging(before: Metrics, now: Metrics) -> str:
    """What Felix has not done between two readings in which pods started on its node, "" where it
    received a datastore update and wrote to its dataplane; a restarted process reads and writes
    everything."""
    if before.started != now.started:
        return ""
    for name, what in (
        (PROCESSED, "Felix took no update of the datastore"),
        (APPLIED, "Felix wrote nothing to its dataplane"),
    ):
        then = before.value(name)
        if then is not None and (now.value(name) or 0.0) <= then:
            return what
    return "" if before.value(PROCESSED) is not None else f"Felix showed no {PROCESSED}"


def errors(before: Metrics, now: Metrics) -> tuple[str, ...]:
    """The error counters that rose between two readings. One that fell was reset by a restart: then
    everything it counts is new."""
    return tuple(
        f"{name} rose from {_number(then)} to {_number(value)} ({what})"
        for name, what in ERRORS.items()
        if (value := now.value(name) or 0.0) > (then := _since(before, now, name))
    )


def _since(before: Metrics, now: Metrics, name: str) -> float:
    return 0.0 if before.started != now.started else before.value(name) or 0.0


def counted(metrics: Metrics) -> Iterator[str]:
    """What was counted since Felix started: past errors, which it has recovered from."""
    for name, what in ERRORS.items():
        if value := metrics.value(name):
            yield f"{name} {_number(value)} ({what})"


def misplaced_rules(felix: Felix, family: Family, metrics: Metrics) -> str:
    """What is wrong with the rules of a family, by the settings of the node: there are none, there
    are some although Felix should leave the family alone, or they are in the other backend; ""
    where all is as configured. With nftablesMode Auto Felix chooses itself."""
    version = str(family.version)
    found = {b: metrics.value(name, ip_version=version) or 0.0 for b, name in RULES.items()}
    made = {backend for backend, rules in found.items() if rules}
    said = ", ".join(f"{_number(rules)} in {backend}" for backend, rules in found.items())
    if family is Family.IPV6 and not felix.ipv6:
        return f"Felix made rules of {family} ({said}) although ipv6Support is off" if made else ""
    if not made:
        return f"Felix made no rule of {family} ({said})"
    mode = felix.nftables.casefold()
    wanted = "nftables" if mode == "enabled" else "iptables"
    if mode != "auto" and made != {wanted}:
        return (
            f"Felix made rules of {family} ({said}), wanted in {wanted} alone "
            f"(nftablesMode {felix.nftables})"
        )
    return ""


def failed_programs(metrics: Metrics) -> str:
    """What is wrong with the programs of the eBPF dataplane, "" where nothing is."""
    programs, dirty = metrics.value(_PROGRAMS), metrics.value(_DIRTY_PROGRAMS)
    if not programs:
        return f"{_PROGRAMS} is {_number(programs or 0.0)}: no interface has a program"
    if dirty:
        return f"{_DIRTY_PROGRAMS} is {_number(dirty)}: interfaces whose programs could not be set"
    return ""


def _number(value: float) -> str:
    return f"{value:.0f}" if value == int(value) else f"{value:g}"
