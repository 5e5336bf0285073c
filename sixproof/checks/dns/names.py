"""Names to ask for: services of every kind, pods behind them, and the truth about them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Mapping

from sixproof.checks.dns import settling
from sixproof.checks.dns.dns_access import DnsAccess
from sixproof.errors import ApiError, NotAsked, NotReady
from sixproof.kube.api import wait
from sixproof.kube.api.client import Cluster
from sixproof.kube.channel.agents import Agents
from sixproof.model import Endpoint, IPAddress, Timing
from sixproof.probes.dns import truth
from sixproof.probes.dns.probe import DnsProbe
from sixproof.probes.dns.servers import ClusterDns, ResolvConf
from sixproof.probes.dns.truth import TrueService
from sixproof.workloads.dns import services as workload
from sixproof.workloads.dns.services import NameSet
from sixproof.workloads.probe_pods.topology import ProbeTopology


@dataclasses.dataclass(frozen=True)
class Named:
    """The services of this process, made once for all DNS tests. `backends` are the pods behind
    them; their resolvers know the families of the DNS service that other pods' do not use."""

    names: NameSet
    backends: tuple[Endpoint, ...]
    numbers: Iterator[int]

    def announce(self, cluster: Cluster, zone: str) -> str:
        """Make a service whose name was never queried; returns its absolute name."""
        name, manifests = workload.sentinel(self.names, next(self.numbers))
        for manifest in manifests:
            cluster.apply(manifest)
        return f"{name}.{self.names.namespace}.svc.{zone}."


def settle(
    cluster: Cluster,
    named: Named,
    agents: Agents,
    dns: ClusterDns,
    askers: tuple[Endpoint, ...],
    timing: Timing,
    ways: DnsAccess,
) -> None:
    """Wait until every DNS server that answers and may be asked knows what the API shows now."""
    settling.settle(
        DnsProbe(agents),
        functools.partial(named.announce, cluster, dns.zone),
        askers,
        [
            s
            for s in (*dns.addresses, *dns.pods)
            if askers[0].address(s.family)
            and not any(ways.closed_by(agent_client, s) for agent_client in askers)
        ],
        timing.settle,
    )


def unused(dns: ClusterDns, conf: ResolvConf, topology: ProbeTopology) -> list[IPAddress]:
    """The DNS service's addresses of families that pods have and their resolvers do not use."""
    return [
        server.address
        for server in dns.addresses
        if server.family not in conf.families() and server.family in topology.families()
    ]


def make_services(cluster: Cluster, names: NameSet, zone: str) -> None:
    """Make the services of a set and the endpoints of those without pods.

    Skips where EndpointSlices may not be made.

    Raises:
        ApiError: the API server refused.
    """
    target = f"{names.name('clusterip-' + next(iter(names.stacks())))}.{names.namespace}.svc.{zone}"
    made = workload.services(names, target)
    cluster.gather(functools.partial(cluster.apply, m) for m in made)
    try:
        cluster.gather(functools.partial(cluster.apply, m) for m in workload.slices(names))
    except ApiError as error:
        if error.status == 403:
            reason = "no permission to create EndpointSlices"
            raise NotAsked(reason, "create and patch endpointslices.discovery.k8s.io") from error
        raise


def await_endpoints(cluster: Cluster, named: Named, timeout: float) -> None:
    names, pods_ready = named.names, len(named.backends)

    def complete(services: Mapping[str, TrueService]) -> bool:
        published = services[names.name("published")]
        return len(published.ready()) >= len(names.families) and all(
            len(services[name].ready()) == count * pods_ready
            for name, count in names.backends().items()
        )

    waited = wait.until(
        lambda: truth.read(cluster, names.namespace, names.selector), complete, timeout=timeout
    )
    if not waited.accepted:
        short = {
            name: len(waited.value[name].ready())
            for name in (*names.backends(), names.name("published"))
        }
        raise NotReady(
            f"EndpointSlices of services in {names.namespace} after {timeout:.0f} s:"
            f" ready endpoints {short}, of {pods_ready} pods"
        )
