"""The shared services: one set for all read-only tests, created once per run."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Mapping
from pathlib import Path

from sixproof.errors import ApiError
from sixproof.kube.api import json_fields, resources, wait
from sixproof.kube.api.client import Cluster
from sixproof.model import ClusterFacts, Endpoint, Family
from sixproof.workloads.probe_pods.probe_pod import PodOptions
from sixproof.workloads.probe_pods.topology import HOST_ROLE, ProbeTopology
from sixproof.workloads.services import backends, slices
from sixproof.workloads.services.backends import Backend
from sixproof.workloads.services.families import WISHES, FamilyPolicy, FamilyWish
from sixproof.workloads.services.manifests import Manifest, Service, load, service

ROLE = "svc"
"""The namespace of the suite's services and backends."""
PORTS_ROLE = "hostport"
"""The namespace of the pod with a HostPort, which Pod Security admits below "baseline" only."""
HOST_PORT = 28088
"""The HostPort, beside the host-network agents' 28080."""

PLAIN = (
    "external-name",
    "headless",
    "internal-local",
    "internal-local-everywhere",
    "no-endpoints",
    "node-port",
    "node-port-local",
    "session-affinity",
    "session-affinity-short",
    "unready",
    "unready-published",
)
"""Services that are applied as their files say; each is named after its file."""

SELECTING = (*(name for name in PLAIN if name != "external-name"), "host-network")
"""Those whose backends are found by labels."""

_REFUSED = 422


@dataclasses.dataclass(frozen=True)
class SharedServices:
    """The services and backends that exist while a run lasts.

    `wishes` holds what the API server made of each family wish, None where it refused. `web` are
    the backends of most services, one per node; the first of them is the only backend of the
    Local services. `unready` runs and is never ready, `published` has a HostPort.
    """

    services: Mapping[str, Service]
    wishes: Mapping[FamilyWish, Service | None]
    web: tuple[Endpoint, ...]
    unready: Endpoint
    published: Endpoint

    @property
    def every_family(self) -> Service:
        """The service with every family of the cluster and all forms of ports."""
        found = self.wishes[FamilyWish(FamilyPolicy.PREFER)]
        assert found is not None, "PreferDualStack is granted by every cluster"
        return found

    def all_services(self) -> tuple[Service, ...]:
        """Every service of the set."""
        return (*self.services.values(), *(s for s in self.wishes.values() if s))

    @property
    def first(self) -> tuple[Endpoint, ...]:
        """The one backend of the services that are Local."""
        return self.web[:1]


def create(
    cluster: Cluster,
    topology: ProbeTopology,
    facts: ClusterFacts,
    options: PodOptions,
    manifests: Path,
    timeout: float,
) -> SharedServices:
    """Create the set, or find it: applying is idempotent, so that processes share one set. The one
    backend of the Local services is on a node that load balancers send to, where there is one.

    Raises:
        ApiError: the API server refused what it must grant.
        NotReady: a backend does not run after `timeout` seconds.
    """
    run, nodes = topology.run, _balanced_first(topology.nodes, facts)
    first = nodes[0]
    home, ports = cluster.gather(
        [
            functools.partial(backends.open_namespace, cluster, run, ROLE, options),
            functools.partial(
                backends.open_namespace, cluster, run, PORTS_ROLE, options, "privileged"
            ),
        ]
    )
    wanted = [
        *(Backend("web", home, node, labels=_place(node == first)) for node in nodes),
        Backend("unready", home, first, gated=True),
        Backend("published", ports, first, host_port=HOST_PORT),
    ]
    backends.begin(cluster, run, wanted, options)
    by_name = _services(cluster, _manifests(topology, home, manifests))
    *web, unready, published = backends.wait_running(cluster, run, wanted, timeout)
    return SharedServices(
        services={name: found for name, found in by_name.items() if not name.startswith("web-")},
        wishes={wish: by_name.get(f"web-{wish.name}") for wish in WISHES},
        web=tuple(web),
        unready=unready,
        published=published,
    )


def mark(
    cluster: Cluster,
    made: SharedServices,
    topology: ProbeTopology,
    manifests: Path,
    serial: str,
    timeout: float,
) -> Service:
    """A service that is created once the EndpointSlices of all others are complete, or `timeout`
    seconds later.

    kube-proxy sees services in the order in which they were created, and slices too: a node that
    serves the marker has programmed everything before it. `serial` keeps processes apart.

    Raises:
        ApiError: the API server refused.
    """
    services = made.all_services()
    wait.until(
        lambda: slices.incomplete(cluster, services),
        lambda names: not names,
        timeout=timeout,
    )
    home = topology.run.namespace(ROLE)
    wanted = load(manifests / "marker.yaml", topology.run, home, name=f"marker-{serial}")
    return service(cluster.apply(wanted))


def _balanced_first(nodes: Iterable[str], facts: ClusterFacts) -> list[str]:
    left_out = {node.name for node in facts.nodes if not node.balanced}
    return sorted(nodes, key=left_out.__contains__)


def _place(first: bool) -> tuple[tuple[str, str], ...]:
    return (("sixproof.dev/place", "first"),) if first else ()


def _manifests(topology: ProbeTopology, home: str, folder: Path) -> list[Manifest]:
    run = topology.run
    one_family = [
        load(
            folder / "node-port.yaml",
            run,
            home,
            name=f"node-port-{family.lower()}",
            **FamilyWish(FamilyPolicy.SINGLE, (family,)).spec(),
        )
        for family in Family
    ]
    wishes = [
        load(folder / "web.yaml", run, home, name=f"web-{wish.name}", **wish.spec())
        for wish in WISHES
    ]
    return [
        *(load(folder / f"{name}.yaml", run, home) for name in PLAIN),
        load(folder / "host-network.yaml", run, run.namespace(HOST_ROLE)),
        *one_family,
        *wishes,
    ]


def _services(cluster: Cluster, wanted: list[Manifest]) -> dict[str, Service]:
    """The services by name, both existing ones and those created now."""
    homes = dict.fromkeys(map(json_fields.namespace, wanted))
    there = {
        json_fields.name(found): service(found)
        for home in homes
        for found in cluster.list(resources.SERVICE, home)
    }
    missing = [m for m in wanted if json_fields.name(m) not in there]
    made = cluster.gather(functools.partial(_apply, cluster, m) for m in missing)
    return there | {found.name: found for found in made if found}


def _apply(cluster: Cluster, manifest: Manifest) -> Service | None:
    """The service, None where the API server refuses it as invalid.

    Another process may apply it at the same time; the second one is refused where the service was
    granted more families than it asked for, since families are not taken back that way.
    """
    try:
        return service(cluster.apply(manifest))
    except ApiError as error:
        if error.status != _REFUSED:
            raise
        there = cluster.find(
            resources.SERVICE, json_fields.name(manifest), json_fields.namespace(manifest)
        )
        return service(there) if there else None
