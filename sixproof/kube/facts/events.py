"""Why a pod does not run: one sentence from its status and events, and the option that helps."""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Iterable, Iterator, Sequence

from sixproof.errors import ApiError
from sixproof.kube.api import json_fields, resources
from sixproof.kube.api.client import Cluster
from sixproof.kube.api.json_fields import Manifest, one_line

_OLD = datetime.datetime.min.replace(tzinfo=datetime.UTC)


@dataclasses.dataclass(frozen=True, slots=True)
class NotRunningReason:
    """Why something does not run, in the cluster's words, and what helps. `final` causes do not go
    away by waiting."""

    what: str
    remedy: str = ""
    final: bool = False

    def __str__(self) -> str:
        return f"{self.what} -> {self.remedy}" if self.remedy else self.what


def explain(cluster: Cluster, namespace: str, pod: str) -> str:
    """Why a pod is not ready, in one line; says so where that is unknown."""
    try:
        found = cluster.find(resources.POD, pod, namespace)
        selector = f"involvedObject.name={pod}" if found else ""
        pod_events = cluster.list(resources.EVENT, namespace, fields=selector)
    except ApiError as error:
        return f"the reason cannot be read: {error}"
    return str(diagnose(found, pod_events))


def explain_refusal(error: ApiError) -> str:
    """A refused creation with the option that helps: quota, Pod Security, a missing namespace."""
    return str(_with_remedy(str(error), _REFUSALS))


def diagnose(pod: Manifest | None, events: Iterable[Manifest]) -> NotRunningReason:
    """The cause, from a pod (None where it does not exist) and the events about it."""
    newest = sorted(events, key=last_seen, reverse=True)
    warnings = [e for e in newest if json_fields.text(e, "type") == "Warning"]
    if pod is None:
        for event in warnings:
            if json_fields.text(event, "reason") == "FailedCreate":
                return _with_remedy(_message(event), _REFUSALS)
        return NotRunningReason(
            "the pod does not exist: it was never made, or was deleted meanwhile"
        )
    for cause in (*_from_status(pod), *_from_containers(pod), *_from_events(warnings)):
        return cause
    phase = json_fields.text(pod, "status", "phase") or "without a phase"
    last = f"; last event: {_message(newest[0])}" if newest else "; no events"
    return NotRunningReason(f"the pod is {phase}{last}")


def _from_status(pod: Manifest) -> Iterator[NotRunningReason]:
    scheduled = json_fields.condition(pod, "PodScheduled")
    if scheduled.get("status") == "False":
        message = json_fields.text(scheduled, "message") or json_fields.text(scheduled, "reason")
        for noise in (
            " no new claims to deallocate",
            " preemption:",
        ):  # the scheduler's afterthoughts
            message = message.partition(noise)[0]
        yield _with_remedy(f"not scheduled: {message}", _SCHEDULING)
    if json_fields.text(pod, "status", "phase") == "Failed" and json_fields.text(
        pod, "status", "reason"
    ):
        # The kubelet refused it: NodeAffinity, OutOfcpu, SysctlForbidden, Evicted, …
        reason, message = (json_fields.text(pod, "status", k) for k in ("reason", "message"))
        cause = _with_remedy(f"refused by its node: {reason}: {message}", _SCHEDULING)
        yield dataclasses.replace(cause, final=True)


def _from_containers(pod: Manifest) -> Iterator[NotRunningReason]:
    statuses = [
        *json_fields.entries(pod, "status", "initContainerStatuses"),
        *json_fields.entries(pod, "status", "containerStatuses"),
    ]
    for status in statuses:
        waiting = json_fields.mapping(status, "state", "waiting")
        reason = json_fields.text(waiting, "reason")
        name = json_fields.text(status, "name")
        if "Image" in reason or reason == "RegistryUnavailable":
            what = f"image {json_fields.text(status, 'image')} of {name}: {reason}: "
            cause = _with_remedy(what + json_fields.text(waiting, "message"), _IMAGES)
            yield dataclasses.replace(cause, final=reason in _FINAL)
        elif reason not in ("", "ContainerCreating", "PodInitializing"):
            yield NotRunningReason(
                one_line(f"{name}: {reason}: {_ended(status) or waiting.get('message')}")
            )
        elif ended := _ended(status):
            final = json_fields.text(pod, "spec", "restartPolicy") == "Never"
            yield NotRunningReason(f"{name}: {ended}", final=final)


def how_ended(status: Manifest) -> str:
    """How the process of a container status last ended (``Error, exit status 137``), "" where it
    did not or ended well."""
    ended = _terminated(status)
    code = json_fields.number(ended, "exitCode")
    return one_line(f"{json_fields.text(ended, 'reason')}, exit status {code}") if ended else ""


def _ended(status: Manifest) -> str:
    """The same, with its last output."""
    how, said = how_ended(status), json_fields.text(_terminated(status), "message")
    return one_line(f"{how}: {said}") if said else how


def _terminated(status: Manifest) -> Manifest:
    """The end of a container's process, empty where it did not end or ended well."""
    for state in ("state", "lastState"):
        ended = json_fields.mapping(status, state, "terminated")
        if ended and json_fields.number(ended, "exitCode") != 0:
            return ended
    return {}


def _from_events(warnings: Sequence[Manifest]) -> Iterator[NotRunningReason]:
    for event in warnings:
        reason, message = json_fields.text(event, "reason"), _message(event)
        if reason == "FailedCreatePodSandBox":
            cni = _CNI.search(message)
            if cni:
                plugin, said = cni["plugin"].capitalize(), cni["said"]
                yield _with_remedy(f"no network: {plugin} says: {one_line(said)}", _NETWORK)
            else:
                yield NotRunningReason(f"no sandbox: {one_line(message)}")
        elif reason in _REMEDIES:
            yield _with_remedy(f"{reason}: {message}", _REMEDIES[reason])


def _message(event: Manifest) -> str:
    return json_fields.text(event, "message")


def last_seen(event: Manifest) -> datetime.datetime:
    """When an event was last seen, with its zone; a time long ago if it does not say."""
    times = [
        json_fields.time_of(event, *path)
        for path in (
            ("series", "lastObservedTime"),
            ("lastTimestamp",),
            ("eventTime",),
            ("metadata", "creationTimestamp"),
        )
    ]
    return max((t for t in times if t), default=_OLD)


def _with_remedy(what: str, remedies: Sequence[tuple[str, str]]) -> NotRunningReason:
    """The cause with every remedy whose pattern it matches: a scheduler lists all obstacles."""
    fitting = [remedy for pattern, remedy in remedies if re.search(pattern, what, re.IGNORECASE)]
    return NotRunningReason(one_line(what), "; ".join(fitting))


# kubelet's message holds the CNI plugin's own reason as its last part.
_CNI = re.compile(r'plugin type="(?P<plugin>[^"]+)"[^:]*failed \(add\):\s*(?P<said>.+)', re.DOTALL)

# Reasons of the kubelet that waiting does not change.
_FINAL = frozenset({"InvalidImageName", "ErrImageNeverPull"})

_IMAGES = (
    (r"unauthorized|denied|authoriz|no basic auth", "give --six-pull-secret, or --six-image"),
    (r"never ?pull|not present with pull policy", "load the image on every node, or --six-image"),
    (r"invalid image ?name|couldn't parse image", "correct --six-image"),
    (
        r"no such host|dial tcp|i/o timeout|connection refused|TLS|x509|deadline exceeded|EOF",
        "name a registry that the nodes reach with --six-image-registry",
    ),
    (r"not found|manifest unknown|no match for platform", "correct --six-image or its tag"),
    (r"toomanyrequests|rate limit", "--six-image-registry for a mirror, or --six-pull-secret"),
)
_SCHEDULING = (
    (
        r"free ports",
        "another run has its pods on this node, or a killed one left them: wait for it, or remove "
        "what dead runs left with --six-cleanup",
    ),
    (
        r"untolerated taint|NoExecute|had taint",
        "tolerate it with --six-tolerations, or --six-nodes",
    ),
    (r"affinity|node selector|didn't match", "correct --six-nodes or --six-node-selector"),
    (r"unschedulable", "uncordon the node, or name others with --six-nodes"),
    (r"too many pods|insufficient|OutOf", "free the node, or name others with --six-nodes"),
    (r"sysctl", "the node's kubelet forbids a sysctl: --six-nodes names others"),
)
# Reasons of events that explain why a pod does not start, with what helps.
_REMEDIES: dict[str, Sequence[tuple[str, str]]] = {
    "Failed": _IMAGES,
    "BackOff": (),
    "Unhealthy": (),
    "FailedScheduling": _SCHEDULING,
    "FailedMount": ((r"not found", "what it mounts was deleted or never made"),),
}
_NETWORK = (
    (r"\bpools?\b", "check the IPPools (cidr, nodeSelector, disabled) and the pod's annotations"),
    (r"assigned 0 out of|exhausted|no more free|no available IPs",
     "the pool is used up: add an IPPool"),
    (r"unauthorized|forbidden", "restart calico-node: its CNI token may have expired"),
    (r"connection refused|i/o timeout|deadline|no route",
     "the node does not reach the API server: look at kube-proxy and calico-node there"),
    (r"nodename|calico/node is not ready|/var/lib/calico", "calico-node does not run on that node"),
)  # fmt: skip
_REFUSALS = (
    (r"exceeded quota", "raise the ResourceQuota, or test fewer nodes with --six-nodes"),
    (
        r"violates PodSecurity",
        "this cluster enforces more than the namespace asks for: exempt it, or --six-raw=off",
    ),
    (r"is being terminated", "wait until the namespace is gone, or use another run"),
    (r"denied the request|admission webhook", "an admission policy of this cluster refuses it"),
    (r"serviceaccount.*not found", "the namespace is younger than its service account: run again"),
)
