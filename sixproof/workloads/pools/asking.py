"""Pods that request a pool by annotation, pods that do not, and what happens to those refused."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Iterable, Mapping, Sequence

from sixproof.errors import Subject
from sixproof.kube.api import json_fields, resources, wait
from sixproof.kube.api.client import Cluster
from sixproof.kube.facts import events
from sixproof.kube.facts import pods as kube_pods
from sixproof.model import Endpoint, Family, IPAddress
from sixproof.workloads.pools.own_pool import OwnPool, Purpose, find
from sixproof.workloads.probe_pods.deploy import endpoint_of, pod_name
from sixproof.workloads.probe_pods.identity import Run
from sixproof.workloads.probe_pods.probe_pod import Manifest, PodOptions, PodSpec, pod

ANNOTATION = {f: f"cni.projectcalico.org/ipv{f.version}pools" for f in Family}
"""The annotations by which a pod requests pools: a JSON list of names or ranges (Calico reference,
"Configure the Calico CNI plugins")."""
REFUSED = ("missing", "disabled")
"""Why a pod that requests a pool is refused."""


@dataclasses.dataclass(frozen=True, slots=True)
class Asking:
    """A pod to create. `asks` are the pools that it names, by family; for other families it gets
    what any pod gets."""

    role: str
    namespace: str
    node: str
    asks: tuple[tuple[Family, str], ...] = ()

    @property
    def name(self) -> str:
        """The pod's name."""
        return pod_name(self.role, self.node)

    def subject(self) -> Subject:
        """It, as what a verdict is about."""
        return Subject.of_pod(self.namespace, self.name, self.node)

    def manifest(self, run: Run, options: PodOptions) -> Manifest:
        """The probe pod with its annotations."""
        notes = tuple((ANNOTATION[family], json.dumps([name])) for family, name in self.asks)
        spec = PodSpec(self.name, self.namespace, self.node, annotations=notes)
        return pod(run, spec, options)


@dataclasses.dataclass(frozen=True, slots=True)
class Refusal:
    """A pod that must get no address, and words of which one occurs where Calico's reason names the
    requested pool: its name, or its range."""

    asking: Asking
    words: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class AddressResult:
    """What became of a pod: its addresses, and why it has none, in Calico's words as the kubelet
    reports them ("" where there is no report)."""

    addresses: tuple[IPAddress, ...]
    reason: str


def asking(pools: Iterable[OwnPool], purpose: Purpose, namespace: str, node: str) -> Asking:
    """A pod that requests the pools of a purpose, one of each family that has one."""
    asks = tuple((p.family, p.name) for p in pools if p.purpose is purpose)
    return Asking(purpose.value, namespace, node, asks)


def refusals(
    pools: Sequence[OwnPool], family: Family, namespace: str, node: str
) -> Mapping[str, Refusal]:
    """Pods that request a pool of the family that is ``missing``, and one that is ``disabled``, and
    in the other family one that they would get; by what is in `REFUSED`."""
    disabled = find(pools, Purpose.DISABLED, family)
    missing = f"six-{disabled.run.id}-no-such-pool"
    usable = {p.family: p.name for p in pools if p.purpose is Purpose.MASKED}
    asked = {
        "missing": (missing, (missing,)),
        "disabled": (disabled.name, (disabled.name, str(disabled.cidr))),
    }
    return {
        why: Refusal(
            Asking(
                f"{why}-{family.lower()}",
                namespace,
                node,
                tuple({**usable, family: name}.items()),
            ),
            words,
        )
        for why, (name, words) in asked.items()
    }


def make(
    cluster: Cluster, run: Run, wanted: Sequence[Asking], options: PodOptions, timeout: float
) -> tuple[Endpoint, ...]:
    """Create pods in parallel and wait until they are ready, `timeout` seconds at most.

    Raises:
        ApiError: a pod was refused.
        NotReady: one did not become ready; the message holds the reason, which may be Calico's.
    """
    begin(cluster, run, wanted, options)
    ready: dict[tuple[str, str], kube_pods.RunningPod] = {}
    for home in dict.fromkeys(one.namespace for one in wanted):
        names = [one.name for one in wanted if one.namespace == home]
        found = kube_pods.wait_ready(cluster, home, run.selector, names, timeout)
        ready.update({(home, name): running for name, running in found.items()})
    return tuple(endpoint_of(ready[one.namespace, one.name], one.role) for one in wanted)


def begin(cluster: Cluster, run: Run, wanted: Sequence[Asking], options: PodOptions) -> None:
    """Create pods in parallel.

    Raises:
        ApiError: a pod was refused.
    """
    cluster.gather(functools.partial(cluster.apply, one.manifest(run, options)) for one in wanted)


def remove(cluster: Cluster, wanted: Iterable[Asking]) -> None:
    """Delete pods without grace, and do not wait.

    Raises:
        ApiError: the API server refused.
    """
    cluster.gather(
        functools.partial(cluster.delete, resources.POD, one.name, one.namespace, grace=0)
        for one in wanted
    )


def result(cluster: Cluster, refusal: Refusal, timeout: float) -> AddressResult:
    """The outcome of a pod that is to be refused: the wait ends once it has an address, or once the
    reason names the pool, `timeout` seconds at most.

    Raises:
        ApiError: the API server refused or is gone.
    """
    waited = wait.until(
        functools.partial(_look, cluster, refusal.asking),
        lambda seen: bool(seen.addresses) or any(word in seen.reason for word in refusal.words),
        timeout=timeout,
    )
    return waited.value


def _look(cluster: Cluster, one: Asking) -> AddressResult:
    found = cluster.find(resources.POD, one.name, one.namespace)
    selector = f"involvedObject.name={one.name}"
    pod_events = cluster.list(resources.EVENT, one.namespace, fields=selector)
    ips = (json_fields.text(e, "ip") for e in json_fields.entries(found, "status", "podIPs"))
    return AddressResult(json_fields.addresses(ips), events.diagnose(found, pod_events).what)
