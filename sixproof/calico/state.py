"""All of Calico's state in the API server, read in one wave."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable

from sixproof.calico.bgp.configuration import Bgp, bgp
from sixproof.calico.felix.settings import Felix, felix
from sixproof.calico.nodes import CalicoNode, calico_nodes
from sixproof.calico.operator import Installation, environment_methods, installation
from sixproof.calico.pools import Pool, pools
from sixproof.errors import ApiError, brief
from sixproof.kube.api import json_fields, resources
from sixproof.kube.api.best_effort import PATIENCE, BestEffortReader
from sixproof.kube.api.client import Cluster
from sixproof.kube.api.json_fields import Manifest
from sixproof.kube.api.resources import Kind
from sixproof.kube.facts import cni
from sixproof.kube.facts.discovery import CALICO_API, CALICO_STORE
from sixproof.kube.runs import ownership
from sixproof.model import ClusterFacts, Family, IPAddress

_NAMESPACES = ("kube-system", "calico-system")  # of the manifest and of the operator
_LISTS = ("ippools", "felixconfigurations", "bgpconfigurations", "bgppeers", "bgpfilters")
_OPERATOR = "operator.tigera.io/v1"
_INSTALLATION = Kind(_OPERATOR, "Installation", "installations", namespaced=False)
_STATUS = Kind(_OPERATOR, "TigeraStatus", "tigerastatuses", namespaced=False)


@dataclasses.dataclass(frozen=True, slots=True)
class CalicoState:
    """Calico as the API server describes it.

    `api` is the version that was read: projectcalico.org/v3 or, where that is not served or silent,
    the store crd.projectcalico.org/v1, which is read-only. `cni_mtu` is the pods' MTU in bytes
    where the CNI configuration sets it. `assigns` are the families that calico-ipam assigns to
    pods, empty where its configuration is not readable. `unknown` says what could not be read,
    `no_answer` why v3, although served, got no answer at all, and `refused` what the API server
    said instead (503: Calico's API server is away).
    """

    api: str
    pools: tuple[Pool, ...] = ()
    felix: Felix = dataclasses.field(default_factory=Felix)
    bgp: Bgp = dataclasses.field(default_factory=Bgp)
    nodes: tuple[CalicoNode, ...] = ()
    backend: str = ""
    autodetection: tuple[tuple[Family, str], ...] = ()
    cni_mtu: int | None = None
    assigns: tuple[Family, ...] = ()
    installation: Installation | None = None
    unknown: tuple[str, ...] = ()
    no_answer: str = ""
    refused: str = ""

    @property
    def why_not_v3(self) -> str:
        """Why v3 was not read, in a sentence; meaningless where it was."""
        if why := self.no_answer or self.refused:
            return f"{CALICO_API} is served, but does not answer: {brief(why, 200)}"
        return f"{CALICO_API} is not served"

    def pools_of(self, family: Family) -> tuple[Pool, ...]:
        """The pools of a family from which pods can get addresses."""
        return tuple(
            p for p in self.pools if p.family is family and not p.disabled and "Workload" in p.uses
        )

    def pool_of(self, address: IPAddress) -> Pool | None:
        """The pool of an address, None where it is in none."""
        family = Family.of(address)
        return next((p for p in self.pools if p.family is family and address in p.cidr), None)


def read(cluster: Cluster, facts: ClusterFacts) -> CalicoState | None:
    """Calico's state, None on a cluster without Calico.

    What may not be read is empty, and named in `unknown`.

    Raises:
        ApiError: the API server is gone.
    """
    if facts.cni not in ("Calico", "Canal"):
        return None
    look = BestEffortReader(cluster)
    failed = _failed(cluster) if facts.calico_api else None
    api = CALICO_API if facts.calico_api and failed is None else CALICO_STORE
    no_answer = str(failed) if failed is not None and failed.status == 0 else ""
    refused = str(failed) if failed is not None and failed.status != 0 else ""
    kinds_ = [Kind(api, name, name, namespaced=False) for name in _LISTS]
    listed = cluster.gather(
        [
            *(functools.partial(look.list, kind, aside=api == CALICO_API) for kind in kinds_),
            functools.partial(look.list, resources.NODE),
            functools.partial(look.list, _STATUS),
        ]
    )
    objects = cluster.gather(
        [
            *(
                functools.partial(look.get, resources.DAEMON_SET, "calico-node", n)
                for n in _NAMESPACES
            ),
            functools.partial(look.get, resources.CONFIG_MAP, "calico-config", "kube-system"),
            functools.partial(look.get, _INSTALLATION, "default"),
        ]
    )
    daemon = next((d for d in objects[:2] if d), {})
    found = _state(api, listed, daemon, objects[2], installation(objects[3], listed[6]), look)
    return dataclasses.replace(found, no_answer=no_answer, refused=refused)


def _failed(cluster: Cluster) -> ApiError | None:
    """Why Calico's API server does not answer at all, None where it does.

    It is reached over the cluster's own network; where that is broken, the store is read instead.
    """
    try:
        cluster.list(Kind(CALICO_API, _LISTS[0], _LISTS[0], namespaced=False), patience=PATIENCE)
    except ApiError as error:
        return error if error.status in (0, 503) else None
    return None


def _state(
    api: str,
    listed: list[tuple[Manifest, ...]],
    daemon: Manifest,
    config: Manifest,
    installed: Installation | None,
    look: BestEffortReader,
) -> CalicoState:
    environment = cni.environment(daemon, [config])
    backend = environment.get("CALICO_NETWORKING_BACKEND", "")
    methods = installed.autodetection if installed else environment_methods(daemon)
    return CalicoState(
        api=api,
        pools=pools(listed[0]),
        felix=felix(listed[1], environment),
        bgp=bgp(listed[2], _others(listed[3]), backend, _others(listed[4])),
        nodes=calico_nodes(listed[5]),
        backend=backend,
        autodetection=methods,
        cni_mtu=(installed.mtu if installed else None)
        or json_fields.number(config, "data", "veth_mtu")
        or None,
        assigns=_assigns(json_fields.text(config, "data", "cni_network_config")),
        installation=installed,
        unknown=look.unknown,
    )


def _others(manifests: Iterable[Manifest]) -> tuple[Manifest, ...]:
    """What is no run's own: a run adds peers and filters for a while."""
    return tuple(
        manifest
        for manifest in manifests
        if json_fields.labels(manifest).get(ownership.MANAGED_BY) != ownership.MANAGER
    )


def _assigns(template: str) -> tuple[Family, ...]:
    """The families of the calico-ipam section. The text is a template, not JSON: it has
    placeholders like ``__CNI_MTU__`` that calico-node fills in."""
    flat = template.replace(" ", "")
    if '"calico-ipam"' not in flat:
        return ()
    assigned = {f: f'"assign_ipv{f.version}":"true"' in flat for f in Family}
    assigned[Family.IPV4] = '"assign_ipv4":"false"' not in flat  # the default is IPv4 only
    return tuple(f for f in Family if assigned[f])
