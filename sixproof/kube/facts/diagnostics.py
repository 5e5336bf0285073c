"""What diagnostic commands show, as the API server's objects: a few bounded lists in parallel.

Each part is read separately: a refused, unserved or late request is a problem of that part only.
"""

from __future__ import annotations

import dataclasses
import functools
import threading
import time
from collections.abc import Callable, Collection, Iterator

from sixproof.errors import ApiError, brief
from sixproof.kube.api import json_fields, resources
from sixproof.kube.api.client import Cluster
from sixproof.kube.api.json_fields import Manifest
from sixproof.kube.api.resources import Kind
from sixproof.kube.facts import events
from sixproof.kube.facts.components import COMPONENTS, SYSTEM
from sixproof.kube.facts.discovery import CALICO_API, CALICO_STORE
from sixproof.kube.runs import ownership
from sixproof.model import ClusterFacts

MOST = 300
"""Maximum number of objects per request."""
NEWEST = 200
"""Maximum number of events, the newest ones."""
SECONDS = 6.0
"""Seconds after which no request is started; one lasts at most the connection's time-out."""
NODES, PODS, DAEMON_SETS = "nodes", "components/pods", "components/daemonsets"
CONFIG_MAPS, RUN_PODS, EVENTS = "components/configmaps", "run/pods", "events"
SERVICES, ENDPOINT_SLICES = "dns/services", "dns/endpointslices"
BLOCKS, AFFINITIES = "calico/ipamblocks", "calico/blockaffinities"
NODE_STATUSES = "calico/caliconodestatuses"
"""Names of parts, used as file names in a bundle."""

_CALICO_LISTS = ("ippools", "felixconfigurations", "bgpconfigurations", "bgppeers")
_DAEMONS = ("calico-node", "canal", "kube-proxy")
_SETTINGS = ("kube-proxy", "coredns", "calico-config")
_OPERATOR = "operator.tigera.io/v1"
_CALICO_GROUP = CALICO_API.partition("/")[0]


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """What was read for one file of a diagnostics bundle.

    `name` is its path without an extension (``calico/ippools``), `command` shows the same by hand.
    `problems` say what of it could not be read; `cut` means that there are more objects.
    """

    name: str
    command: str
    objects: tuple[Manifest, ...] = ()
    problems: tuple[str, ...] = ()
    cut: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class _Ask:
    """A request: for one object where it has a `name`, else for a list."""

    kind: Kind
    namespace: str = ""
    name: str = ""
    labels: str = ""
    fields: str = ""


Plan = Iterator[tuple[str, str, list[_Ask]]]


def read(
    cluster: Cluster,
    facts: ClusterFacts,
    run_id: str,
    *,
    calico_api: str = "",
    only: Collection[str] = (),
    hurried: Callable[[], bool] = lambda: False,
) -> tuple[Part, ...]:
    """The parts, in order of name; only those in `only`, if given.

    `calico_api` is the version that Calico's objects are read from (projectcalico.org/v3 or its
    store), "" for none. Once `hurried` is true, no further request is started. Nothing is raised
    for what the API server refuses or does not answer.
    """
    reader = _Reader(cluster, hurried)
    wanted = [
        part
        for part in (*_of_kubernetes(facts, run_id), *_of_calico(facts, calico_api))
        if not only or part[0] in only
    ]
    parts = cluster.gather([functools.partial(reader.part, *part) for part in wanted])
    if not only or EVENTS in only:
        parts.append(_events(reader, facts, run_id))
    return tuple(sorted(parts, key=lambda part: part.name))


def spaces(facts: ClusterFacts) -> tuple[str, ...]:
    """The namespaces in which the cluster's own components run."""
    own = dict(facts.extra).get("cni_namespace", "")
    return tuple(dict.fromkeys(filter(None, (SYSTEM, own, "calico-system"))))


def _of_kubernetes(facts: ClusterFacts, run_id: str) -> Plan:
    components = f"k8s-app in ({', '.join(COMPONENTS)})"
    dns = "k8s-app=kube-dns"
    homes = spaces(facts)
    pods = [_Ask(resources.POD, home, labels=components) for home in homes]
    daemons = [_Ask(resources.DAEMON_SET, home) for home in homes]
    settings = [_Ask(resources.CONFIG_MAP, SYSTEM, name) for name in _SETTINGS]
    of_dns = [_Ask(resources.SERVICE, SYSTEM, labels=dns)]
    of_dns.append(_Ask(resources.SERVICE, "default", "kubernetes"))
    own = "kubernetes.io/service-name=kubernetes"
    slices = [_Ask(resources.ENDPOINT_SLICE, SYSTEM, labels=dns)]
    slices.append(_Ask(resources.ENDPOINT_SLICE, "default", labels=own))
    run_pods = [_Ask(resources.POD, labels=ownership.selector(run_id))]
    yield NODES, "kubectl get nodes -o yaml", [_Ask(resources.NODE)]
    yield PODS, f"kubectl get pods -A -l '{components}' -o wide", pods
    yield DAEMON_SETS, "kubectl get daemonsets -n kube-system -o yaml", daemons
    yield CONFIG_MAPS, "kubectl get configmaps -n kube-system kube-proxy coredns -o yaml", settings
    yield SERVICES, f"kubectl get services -n kube-system -l {dns} -o yaml", of_dns
    yield ENDPOINT_SLICES, f"kubectl get endpointslices -n kube-system -l {dns} -o yaml", slices
    yield RUN_PODS, f"kubectl get pods -A -l {ownership.RUN}={run_id} -o wide", run_pods


def _of_calico(facts: ClusterFacts, api: str) -> Plan:
    if not api:
        return
    for plural in (*_CALICO_LISTS, "caliconodestatuses"):
        kind = Kind(api, plural, plural, namespaced=False)
        yield f"calico/{plural}", f"kubectl get {kind} -o yaml", [_Ask(kind)]
    for plural in ("ipamblocks", "blockaffinities"):
        kind = Kind(CALICO_STORE, plural, plural, namespaced=False)
        yield f"calico/{plural}", f"kubectl get {kind} -o yaml", [_Ask(kind)]
    if "operator" in dict(facts.extra):
        for plural, name in (("installations", "default"), ("tigerastatuses", "")):
            kind = Kind(_OPERATOR, plural, plural, namespaced=False)
            yield f"calico/{plural}", f"kubectl get {kind} -o yaml", [_Ask(kind, name=name)]


def _events(reader: _Reader, facts: ClusterFacts, run_id: str) -> Part:
    """Warnings from the components' namespaces and the run's, newest first."""
    labels = ownership.selector(run_id)
    homes = reader.part("", "", [_Ask(resources.NAMESPACE, labels=labels)])
    names = (*spaces(facts), *map(json_fields.name, homes.objects))
    command = "kubectl get events -A --field-selector type=Warning"
    warnings = "type=Warning"
    asks = [_Ask(resources.EVENT, name, fields=warnings) for name in dict.fromkeys(names)]
    found = reader.part(EVENTS, command, asks)
    warning_events = [e for e in found.objects if json_fields.text(e, "type") == "Warning"]
    newest = sorted(warning_events, key=json_fields.name)
    newest.sort(key=events.last_seen, reverse=True)
    return dataclasses.replace(
        found,
        objects=tuple(newest[:NEWEST]),
        problems=(*homes.problems, *found.problems),
        cut=found.cut or len(newest) > NEWEST,
    )


class _Reader:
    """Reads requests; knows when to stop."""

    def __init__(self, cluster: Cluster, hurried: Callable[[], bool]) -> None:
        self._cluster = cluster
        self._hurried = hurried
        self._ends = time.monotonic() + SECONDS
        self._gone = threading.Event()

    def part(self, name: str, command: str, asks: list[_Ask]) -> Part:
        """The combined result of these requests."""
        answers = self._cluster.gather([functools.partial(self._answer, ask) for ask in asks])
        objects = [one for found, _ in answers for one in found[:MOST]]
        if name == DAEMON_SETS:
            objects = [one for one in objects if json_fields.name(one) in _DAEMONS]
        if name != EVENTS:
            objects.sort(key=lambda one: (json_fields.namespace(one), json_fields.name(one)))
        return Part(
            name,
            command,
            tuple(objects),
            tuple(dict.fromkeys(why for _, why in answers if why)),
            any(len(found) > MOST for found, _ in answers),
        )

    def _answer(self, ask: _Ask) -> tuple[tuple[Manifest, ...], str]:
        """The objects, one more than the limit where there are more, and why there are none."""
        where = f"{ask.kind}{f' of {ask.namespace}' if ask.namespace else ''}"
        if self._hurried():
            return (), f"{where}: not read, the run was to end at once"
        if self._gone.is_set() or time.monotonic() > self._ends:
            return (), f"{where}: not read, the API server took too long"
        try:
            if ask.name:
                return (self._cluster.get(ask.kind, ask.name, ask.namespace, patience=0),), ""
            return self._cluster.list(
                ask.kind,
                ask.namespace,
                labels=ask.labels,
                fields=ask.fields,
                limit=MOST + 1,
                patience=0,
            ), ""
        except ApiError as error:
            if (
                error.status == 0 and ask.kind.group != _CALICO_GROUP
            ):  # one extension server is not all of them
                self._gone.set()
            return (), self._why(ask, where, error)

    @staticmethod
    def _why(ask: _Ask, where: str, error: ApiError) -> str:
        if error.status == 404 and ask.name:
            return ""  # an object that need not exist
        if error.status == 404:
            return f"{where}: not served by this cluster"
        if error.status == 403:
            return f"{where}: not allowed; --six-plan prints the rules"
        return f"{where}: {brief(str(error))}"
