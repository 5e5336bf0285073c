"""Ways to the DNS: which of them the policies of the cluster's owner close."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from sixproof.checks.connect.carried import must_be_open
from sixproof.kube.api import resources
from sixproof.kube.api.client import Cluster
from sixproof.kube.facts.pods import running_pod
from sixproof.model import Endpoint, EndpointKind, Flow, IPAddress, Protocol
from sixproof.policy import ServicePortSnapshot, ServiceSnapshot
from sixproof.probes.dns.servers import ClusterDns
from sixproof.probes.dns.verdict import DnsQuery, DnsServer, Transport
from sixproof.workloads.existing.policies import ExistingPolicies, listed
from sixproof.workloads.probe_pods.deploy import endpoint_of

_PROTOCOLS = {Transport.UDP: Protocol.UDP, Transport.TCP: Protocol.TCP}


class DnsAccess:
    """Judges who may ask which server. `pods` are the DNS pods as policies see them."""

    def __init__(
        self, existing: ExistingPolicies, dns: ClusterDns, pods: Sequence[Endpoint]
    ) -> None:
        self._existing = existing
        self._dns = dns
        self._pods = pods
        self._known: dict[tuple[Endpoint, DnsServer, Transport], str] = {}

    @classmethod
    def of(cls, cluster: Cluster, existing: ExistingPolicies, dns: ClusterDns) -> DnsAccess:
        """The ways to a cluster's DNS.

        Raises:
            ApiError: its pods may not be read.
        """
        labels = ",".join(f"{key}={value}" for key, value in dns.selector)
        found = cluster.list(resources.POD, dns.namespace, labels=labels) if labels else ()
        running = [pod for one in found if (pod := running_pod(one)) is not None]
        return cls(
            existing,
            dns,
            [
                dataclasses.replace(
                    endpoint_of(pod), name=pod.name, service_account=pod.service_account
                )
                for pod in running
            ],
        )

    def open(self, title: str, queries: Iterable[DnsQuery]) -> list[DnsQuery]:
        """The questions that no policy keeps from their server.

        Where there is none, the test ends as not proven.
        """
        __tracebackhide__ = True
        asked = list(queries)
        opened = [q for q in asked if not self.closed_by(q.source, q.server, q.transport)]
        if not opened:
            must_be_open(title, (), self._flows(asked))
        return opened

    def unhindered(
        self,
        title: str,
        pods: Sequence[Endpoint],
        nameservers: Mapping[str, Iterable[IPAddress]],
    ) -> list[Endpoint]:
        """The pods that no policy keeps from any of their nameservers, named by pod.

        Where there is none, the test ends as not proven.
        """
        __tracebackhide__ = True
        closed: dict[str, list[tuple[Flow, str]]] = {}
        for pod in pods:
            for address in nameservers[pod.name]:
                server = DnsServer("its nameserver", address)
                if why := self.closed_by(pod, server):
                    flow = _flow(pod, server, Transport.UDP)
                    closed.setdefault(pod.name, []).append((flow, why))
        if pods and len(closed) == len(pods):
            must_be_open(title, (), [one for row in closed.values() for one in row])
        return [pod for pod in pods if pod.name not in closed]

    def must_be_open_in_each_family(self, title: str, queries: Iterable[DnsQuery]) -> None:
        """Over every family over which a server was to be asked, one could be asked."""
        __tracebackhide__ = True
        closed = self._flows(asked := list(queries))
        shut = {flow for flow, _ in closed}
        opened = [q.server.family for q in asked if _dialled(q) not in shut]
        must_be_open(title, opened, closed)

    def closed_by(
        self, source: Endpoint, server: DnsServer, transport: Transport = Transport.UDP
    ) -> str:
        """The policies that keep a source from a server, in words; "" where none does."""
        key = source, server, transport
        if key not in self._known:
            self._known[key] = self._judged(*key)
        return self._known[key]

    def _judged(self, source: Endpoint, server: DnsServer, transport: Transport) -> str:
        protocol, port = _PROTOCOLS[transport], server.port(transport)
        address = server.address
        pod = next((p for p in self._pods if address in p.addresses), None)
        if pod is not None:
            return self._existing.closes(Flow(source, pod, address, protocol, port))
        behind = [p for p in self._pods if p.address(server.family)]
        if not behind or all(address != known.address for known in self._dns.addresses):
            place = Endpoint(server.name, EndpointKind.OUTSIDE, (address,))
            return self._existing.closes(Flow(source, place, address, protocol, port))
        return listed(
            filter(
                None,
                (
                    self._existing.closes(
                        Flow(source, backend, address, protocol, port),
                        self._service(address, port, transport, backend),
                    )
                    for backend in behind
                ),
            )
        )

    def _service(
        self, address: IPAddress, port: int, transport: Transport, backend: Endpoint
    ) -> ServiceSnapshot:
        space, _, name = self._dns.service.partition("/")
        target = next((s.port(transport) for s in self._dns.pods), port)
        ports = (ServicePortSnapshot(port, _PROTOCOLS[transport], target),)
        return ServiceSnapshot(space, name, (address,), ports=ports, backends=(backend,))

    def _flows(self, queries: Iterable[DnsQuery]) -> list[tuple[Flow, str]]:
        return [
            (_dialled(q), why)
            for q in queries
            if (why := self.closed_by(q.source, q.server, q.transport))
        ]


def _dialled(query: DnsQuery) -> Flow:
    return _flow(query.source, query.server, query.transport)


def _flow(source: Endpoint, server: DnsServer, transport: Transport) -> Flow:
    place = Endpoint(server.name, EndpointKind.OUTSIDE, (server.address,))
    return Flow(source, place, server.address, _PROTOCOLS[transport], server.port(transport))
