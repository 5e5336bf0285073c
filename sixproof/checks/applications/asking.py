"""Asking applications: which connections show whether they work over each family, and what came.

A connection is opened and closed again, and nothing is sent. What a policy of the owner closes, or
may close, is not dialled.
"""

from __future__ import annotations

import dataclasses
import enum
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from sixproof.errors import ApiError, ManifestError
from sixproof.model import Endpoint, Family, Flow, IPAddress, Observation, Protocol, Timing
from sixproof.probes.connect.probe import ConnectProbe, ProbeOptions
from sixproof.workloads.existing import applications
from sixproof.workloads.existing.applications import Application, ReadyPod
from sixproof.workloads.existing.policies import ExistingPolicies, closed_by
from sixproof.workloads.services.manifests import ServicePort

BACKENDS = 10
"""Pods of one service that are dialled by their own addresses."""
AT_ONCE = 50
"""Connections that are opened at the same time, to all applications together."""


class Way(enum.StrEnum):
    """How an application is dialled."""

    POD = "pod"
    CLUSTER_IP = "ClusterIP"


@dataclasses.dataclass(frozen=True, slots=True)
class Dial:
    """One connection to an application. `backend` is the pod that is dialled itself, None behind a
    service; `closed_by` names the policies that close it or may do so, "" where none does."""

    application: Application
    port: ServicePort
    way: Way
    flow: Flow
    backend: ReadyPod | None = None
    closed_by: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class DialResult:
    """What came of it; None where it was not dialled."""

    dial: Dial
    seen: Observation | None = None

    @property
    def family(self) -> Family:
        """That of the dialled address."""
        return self.dial.flow.family

    @property
    def accepted(self) -> bool:
        """Whether the server took the connection."""
        return self.seen is not None and self.seen.outcome.works

    @property
    def asked(self) -> bool:
        """Whether it was dialled, and what came is about the application or the way to it."""
        return self.seen is not None and self.seen.outcome.measured


class Dialling:
    """Dials applications from probe pods, the `clients`: each pod from the first of them on another
    node that has an address of the family, where there is one. `patience` are the seconds that a
    server gets to accept."""

    def __init__(
        self,
        probe: ConnectProbe,
        clients: Sequence[Endpoint],
        policies: ExistingPolicies,
        families: Sequence[Family],
        patience: float = Timing().connect,
    ) -> None:
        self._probe = probe
        self._patience = patience
        self._clients = clients
        self._policies = policies
        self._families = families
        self._unjudged = ""

    def ask(self, found: Iterable[Application]) -> tuple[DialResult, ...]:
        """What each application answers, `AT_ONCE` connections at a time; a port of a pod that is
        behind several services is dialled once."""
        dials = [dial for application in found for dial in self.dials(application)]
        flows = list(dict.fromkeys(dial.flow for dial in dials if not dial.closed_by))
        options = ProbeOptions(self._patience, foreign=True, connect_only=True)
        seen: dict[Flow, Observation] = {}
        for start in range(0, len(flows), AT_ONCE):
            batch = flows[start : start + AT_ONCE]
            # Nobody there is an agent of ours: nothing is asked in a pod of the owner's.
            nobody: dict[str, tuple[Endpoint, ...]] = {f.destination.name: () for f in batch}
            came = self._probe.measure_again(batch, options, nobody)
            seen.update(zip(batch, came, strict=True))
        return tuple(DialResult(dial, seen.get(dial.flow)) for dial in dials)

    def dials(self, application: Application) -> Iterator[Dial]:
        """The connections that tell of one application: to its pods, both families of a pod one
        after the other, and to its clusterIPs."""
        chosen = _spread(application.backends, BACKENDS)
        for port in applications.tcp_ports(application.service):
            at_pods: defaultdict[Family, list[Dial]] = defaultdict(list)
            for backend in chosen:
                number = backend.port(port.name)
                for family in self._families:
                    flow = self._flow(backend.endpoint, family, number)
                    if flow is not None:
                        closed = self._closed(flow)
                        dial = Dial(application, port, Way.POD, flow, backend, closed)
                        at_pods[family].append(dial)
                        yield dial
            for family in self._families:
                if self._tells(application, family, at_pods[family]):
                    flow = self._flow(application.service.endpoint(), family, port.port)
                    if flow is not None:
                        yield Dial(application, port, Way.CLUSTER_IP, flow)

    def _tells(self, application: Application, family: Family, at_pods: Sequence[Dial]) -> bool:
        """Whether what a clusterIP answers can be told from what its pods answer: any of them may
        answer, so all were dialled, and none is closed. A service whose traffic stays on the node
        of its client answers where it has a pod."""
        service = application.service
        alone = not application.others and not application.local and not service.headless
        whole = len(at_pods) == len(application.backends) > 0
        listed = all(family in backend.families for backend in application.backends)
        opened = not any(dial.closed_by for dial in at_pods)
        return alone and whole and listed and opened and family in service.families

    def _closed(self, flow: Flow) -> str:
        """Which policies close a flow, or why that is not known; policies that cannot be judged are
        not read again for each flow."""
        try:
            judgement = None if self._unjudged else self._policies.judge(flow)
        except (ApiError, ManifestError) as error:
            self._unjudged = f"policies that cannot be judged ({str(error)[:200]})"
        if self._unjudged or judgement is None:
            return self._unjudged
        if self._policies.away is not None:
            return "policies of Calico, whose API server does not answer"
        if judgement.unknown:
            return f"policies of which it is not known what they do ({judgement.unknown})"
        return closed_by(judgement)

    def _flow(self, destination: Endpoint, family: Family, port: int | None) -> Flow | None:
        """A connection over a family, None where one of its ends has no address of it."""
        address: IPAddress | None = destination.address(family)
        able = [c for c in self._clients if c.address(family) is not None]
        if address is None or not port or not able:
            return None
        source = next((c for c in able if c.node != destination.node), able[0])
        return Flow(source, destination, address, Protocol.TCP, port)


def _spread(backends: Sequence[ReadyPod], most: int) -> list[ReadyPod]:
    """So many of them, on as many nodes as there are."""
    rows: Mapping[str, list[ReadyPod]] = defaultdict(list)
    for backend in backends:
        rows[backend.endpoint.node].append(backend)
    turns = max(map(len, rows.values()), default=0)
    ordered = [row[turn] for turn in range(turns) for row in rows.values() if turn < len(row)]
    return ordered[:most]
