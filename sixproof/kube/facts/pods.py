"""Running pods: waiting for them, and their addresses in both families."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence

from sixproof.errors import NotReady, Subject
from sixproof.kube.api import json_fields, resources, wait
from sixproof.kube.api.client import Cluster
from sixproof.kube.api.json_fields import Manifest
from sixproof.kube.facts import events
from sixproof.model import IPAddress

_EXPLAINED = 3  # pods whose reason a message gives


@dataclasses.dataclass(frozen=True, slots=True)
class RunningPod:
    """A pod that is ready. `addresses` are its `podIPs`, in the API's order; for a pod of the host
    network they are the node's. `containers` are the names of all its containers, those that run
    first before the others."""

    name: str
    namespace: str
    uid: str
    node: str
    addresses: tuple[IPAddress, ...]
    labels: tuple[tuple[str, str], ...] = ()
    host_network: bool = False
    service_account: str = ""
    containers: tuple[str, ...] = ()


def wait_ready(
    cluster: Cluster, namespace: str, selector: str, names: Iterable[str], timeout: float
) -> dict[str, RunningPod]:
    """The named pods, by name, once all are ready and have addresses.

    One list request (by label `selector`) covers all of them, ten times a second at first and once
    a second later. `timeout` is in seconds; a pod that can never start ends the wait at once.

    Raises:
        NotReady: some are not ready in time; the message says why.
        ApiError: the API server refused or is gone.
    """
    wanted = tuple(dict.fromkeys(names))
    waited = wait.until(
        lambda: _look(cluster, namespace, selector),
        lambda seen: (
            not set(wanted) - set(_ready(seen)) or any(_is_hopeless(seen, name) for name in wanted)
        ),
        timeout=timeout,
    )
    ready = _ready(waited.value)
    late = [name for name in wanted if name not in ready]
    if late:
        late.sort(key=lambda name: not _is_hopeless(waited.value, name))  # the reason first
        text = _excuse(cluster, namespace, wanted, late, waited.seconds)
        raise NotReady(text, subjects=_subjects(waited.value, namespace, late))
    return {name: ready[name] for name in wanted}


@dataclasses.dataclass(frozen=True, slots=True)
class Settled:
    """How a wait for pods ended: those that are ready, by name, and the names of the others, each
    with the reason in one line."""

    ready: Mapping[str, RunningPod]
    late: Mapping[str, str]


def settle(
    cluster: Cluster, namespace: str, selector: str, names: Iterable[str], timeout: float
) -> Settled:
    """The named pods once each is ready or never can be, or `timeout` seconds have passed.

    Raises:
        ApiError: the API server refused or is gone.
    """
    wanted = tuple(dict.fromkeys(names))
    waited = wait.until(
        lambda: _look(cluster, namespace, selector),
        lambda seen: all(_is_hopeless(seen, name) for name in wanted if name not in _ready(seen)),
        timeout=timeout,
    )
    ready = _ready(waited.value)
    late = [name for name in wanted if name not in ready]
    reasons = cluster.gather(
        functools.partial(events.explain, cluster, namespace, name) for name in late
    )
    return Settled(
        {name: ready[name] for name in wanted if name in ready},
        dict(zip(late, reasons, strict=True)),
    )


def running_pod(pod: Manifest) -> RunningPod | None:
    """The pod if it is ready and has addresses, else None."""
    ips = [json_fields.text(entry, "ip") for entry in json_fields.entries(pod, "status", "podIPs")]
    addresses = json_fields.addresses(ips)
    ready = json_fields.text(json_fields.condition(pod, "Ready"), "status") == "True"
    if not ready or not addresses or json_fields.text(pod, "metadata", "deletionTimestamp"):
        return None
    return RunningPod(
        name=json_fields.name(pod),
        namespace=json_fields.namespace(pod),
        uid=json_fields.text(pod, "metadata", "uid"),
        node=json_fields.text(pod, "spec", "nodeName"),
        addresses=addresses,
        labels=tuple(sorted(json_fields.labels(pod).items())),
        host_network=json_fields.flag(pod, "spec", "hostNetwork") or False,
        service_account=json_fields.text(pod, "spec", "serviceAccountName"),
        containers=tuple(
            json_fields.text(container, "name")
            for key in ("initContainers", "containers")
            for container in json_fields.entries(pod, "spec", key)
        ),
    )


def _subjects(
    seen: Mapping[str, Manifest], namespace: str, names: Iterable[str]
) -> Iterator[Subject]:
    for name in names:
        node = json_fields.text(seen.get(name, {}), "spec", "nodeName")
        yield Subject.of_pod(namespace, name, node)


def _look(cluster: Cluster, namespace: str, selector: str) -> dict[str, Manifest]:
    pods = cluster.list(resources.POD, namespace, labels=selector)
    return {json_fields.name(pod): pod for pod in pods}


def _ready(seen: Mapping[str, Manifest]) -> dict[str, RunningPod]:
    running = {name: running_pod(pod) for name, pod in seen.items()}
    return {name: pod for name, pod in running.items() if pod}


def _is_hopeless(seen: Mapping[str, Manifest], name: str) -> bool:
    """Whether a pod can never become ready."""
    return name in seen and events.diagnose(seen[name], ()).final


def _excuse(
    cluster: Cluster, namespace: str, wanted: Sequence[str], late: Sequence[str], seconds: float
) -> str:
    explained = late[:_EXPLAINED]
    reasons = cluster.gather(
        functools.partial(events.explain, cluster, namespace, name) for name in explained
    )
    if len(set(reasons)) == 1:
        lines = [f"{', '.join(explained)}: {reasons[0]}"]
    else:
        lines = [f"{name}: {reason}" for name, reason in zip(explained, reasons, strict=True)]
    if len(late) > len(explained):
        lines.append(f"and {len(late) - len(explained)} more")
    return (
        f"{len(late)} of {len(wanted)} pods in {namespace} not ready after {seconds:.1f} s: "
        + "; ".join(lines)
    )
