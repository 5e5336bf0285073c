"""What the harness may do here, checked before it starts, and the RBAC it needs, as YAML."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Iterable

from sixproof.errors import ApiError
from sixproof.kube.api import json_fields
from sixproof.kube.api.client import Cluster
from sixproof.kube.api.json_fields import Manifest

_APPLY = ("get", "list", "create", "patch", "delete")


@dataclasses.dataclass(frozen=True, slots=True)
class Need:
    """Verbs on a resource that the harness needs, and what for.

    `resource` may name a subresource (``pods/exec``), `names` restricts it to these objects. Those
    that are not `required` cost only what `purpose` says.
    """

    verbs: tuple[str, ...]
    resource: str
    group: str = ""
    purpose: str = ""
    required: bool = True
    namespaced: bool = True
    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        name = f"{self.resource}.{self.group}" if self.group else self.resource
        return f"{'/'.join(self.verbs)} {name}"


NEEDS = (
    Need(_APPLY, "namespaces", purpose="a namespace of its own for each run", namespaced=False),
    Need(("list",), "nodes", purpose="where to place agents", namespaced=False),
    Need((*_APPLY, "deletecollection"), "pods", purpose="the agents"),
    # Since Kubernetes 1.35 a websocket needs `create` like SPDY always did, before that `get`.
    Need(("get", "create"), "pods/exec", purpose="the control channel to the agents"),
    Need(_APPLY, "configmaps", purpose="the agent's code"),
    Need(("create", "patch"), "secrets", purpose="the key by which agents know the run's probes"),
    Need(_APPLY, "services", purpose="services under test"),
    Need(("list",), "endpointslices", "discovery.k8s.io", "when a service is ready"),
    Need(_APPLY, "networkpolicies", "networking.k8s.io", "policies under test"),
    Need(("list",), "events", purpose="why a pod does not start"),
    Need(_APPLY, "leases", "coordination.k8s.io", "telling a live run from a dead one"),
    Need(_APPLY, "serviceaccounts", purpose="accounts of pods in policy tests"),
    Need(("patch",), "pods/status", purpose="readiness of backends under test", required=False),
    Need(("create", "patch"), "endpointslices", "discovery.k8s.io", "services without a selector",
         required=False),
    Need(("list",), "servicecidrs", "networking.k8s.io", "the ranges of ClusterIPs",
         required=False, namespaced=False),
    Need(("get", "list"), "daemonsets", "apps", "which CNI runs, and how", required=False),
    Need(("get",), "configmaps", purpose="kube-proxy's mode, kubeadm's ranges", required=False),
    Need(("list",), "servicel2statuses", "metallb.io", "who announces a load balancer's address",
         required=False),
    Need(("list",), "ippools", "crd.projectcalico.org", "Calico's pools without its API",
         required=False, namespaced=False),
    Need(("list",), "felixconfigurations", "crd.projectcalico.org", "Felix's settings",
         required=False, namespaced=False),
    *(
        Need(("list",), plural, "crd.projectcalico.org", "who has which address in Calico's IPAM",
             required=False, namespaced=False)
        for plural in ("ipamblocks", "blockaffinities")
    ),
    *(
        Need(("list",), plural, "crd.projectcalico.org", "Calico's BGP without its API",
             required=False, namespaced=False)
        for plural in ("bgpconfigurations", "bgppeers", "bgpfilters", "caliconodestatuses")
    ),
)  # fmt: skip

ADMIN_NEEDS = (
    *(
        Need(_APPLY, plural, "policy.networking.k8s.io", "admin policies under test",
             required=False, namespaced=False)
        for plural in ("adminnetworkpolicies", "baselineadminnetworkpolicies")
    ),
    Need(("list",), "clusternetworkpolicies", "policy.networking.k8s.io",
         "admin policies that concern the run's pods", required=False, namespaced=False),
)  # fmt: skip
"""Asked only where policy.networking.k8s.io is served."""

CALICO_NEEDS = (
    *(
        Need(("get", "list"), plural, "projectcalico.org", "Calico's state in the report",
             required=False, namespaced=False)
        for plural in (
            "ippools", "felixconfigurations", "bgpconfigurations", "bgppeers", "bgpfilters"
        )
    ),
    Need(_APPLY, "networkpolicies", "projectcalico.org", "Calico policies under test",
         required=False),
    *(
        Need(_APPLY, plural, "projectcalico.org", "Calico policies under test", required=False)
        for plural in ("networksets", "stagednetworkpolicies", "stagedkubernetesnetworkpolicies")
    ),
    *(
        Need(_APPLY, plural, "projectcalico.org", "Calico's cluster-wide policies under test",
             required=False, namespaced=False)
        for plural in (
            "globalnetworkpolicies", "globalnetworksets", "stagedglobalnetworkpolicies", "tiers"
        )
    ),
    Need(_APPLY, "caliconodestatuses", "projectcalico.org", "nodes' BGP sessions",
         required=False, namespaced=False),
    Need(("list",), "hostendpoints", "projectcalico.org", "policies that concern nodes",
         required=False, namespaced=False),
    *(
        Need((verb,), plural, "operator.tigera.io", "the operator's settings and its status",
             required=False, namespaced=False)
        for verb, plural in (("get", "installations"), ("list", "tigerastatuses"))
    ),
    # Calico's API server checks access to the tier too when a policy is read or written.
    *(
        Need(_APPLY, f"tier.{plural}", "projectcalico.org", "Calico policies under test",
             required=False, namespaced=False)
        for plural in (
            "networkpolicies", "globalnetworkpolicies",
            "stagednetworkpolicies", "stagedglobalnetworkpolicies",
        )
    ),
)  # fmt: skip
"""Asked only where projectcalico.org/v3 is served."""

POOL_NEEDS = (
    Need(("create", "patch", "delete"), "ippools", "projectcalico.org",
         "IP pools of the run's own (--six-disruptive)", required=False, namespaced=False),
)  # fmt: skip
"""Needed only by tests that create pools; a missing permission is reported by the test."""

HOST_NEEDS = (
    Need(("create", "delete"), "hostendpoints", "projectcalico.org",
         "a host endpoint of the run's own (--six-disruptive)", required=False, namespaced=False),
)  # fmt: skip
"""Needed only by the test of fail-safe ports."""

PEER_NEEDS = (
    *(
        Need(("create", "patch", "delete"), plural, "projectcalico.org",
             "a BGP peer of the run's own (--six-disruptive)", required=False, namespaced=False)
        for plural in ("bgppeers", "bgpfilters")
    ),
)  # fmt: skip
"""Needed only by tests that make nodes announce their routes to the run."""


@dataclasses.dataclass(frozen=True, slots=True)
class Permissions:
    """What is permitted; `missing` holds the needs reduced to the verbs that are refused.

    `unknown` says why the API server could not be asked, "" where it was.
    """

    missing: tuple[Need, ...] = ()
    unknown: str = ""


def needs(
    *,
    calico_api: bool,
    admin_api: bool = False,
    pull_secret: str = "",
    pools: bool = False,
    hosts: bool = False,
    peers: bool = False,
) -> tuple[Need, ...]:
    """Everything that the harness needs, where these APIs are served; `pull_secret` names the
    secret that is copied into the run's namespaces, `pools`, `hosts` and `peers` state whether it
    creates IPPools, a HostEndpoint and BGPPeers."""
    return (
        *NEEDS,
        *(_pull_secret(pull_secret) if pull_secret else ()),
        *(CALICO_NEEDS if calico_api else ()),
        *(POOL_NEEDS if calico_api and pools else ()),
        *(PEER_NEEDS if calico_api and peers else ()),
        *(HOST_NEEDS if calico_api and hosts else ()),
        *(ADMIN_NEEDS if admin_api else ()),
    )


def serves_admin_policies(cluster: Cluster) -> bool:
    """Whether the API server has the policy API; False where that is unknown."""
    try:
        return ADMIN_NEEDS[0].group in cluster.catalog.groups(patience=0)
    except ApiError:
        return False


def _pull_secret(name: str) -> tuple[Need, ...]:
    return (Need(("get",), "secrets", purpose="copies of --six-pull-secret", names=(name,)),)


def check(cluster: Cluster, *, calico_api: bool, pull_secret: str = "") -> Permissions:
    """Ask the API server about each need, in parallel (SelfSubjectAccessReview).

    Namespaced resources are checked for all namespaces, since the run's does not exist yet.

    Raises:
        ApiError: the API server is gone.
    """
    admin_api = serves_admin_policies(cluster)
    wanted = needs(calico_api=calico_api, admin_api=admin_api, pull_secret=pull_secret)
    questions = [(need, verb) for need in wanted for verb in need.verbs]
    try:
        answers = cluster.gather(functools.partial(_allowed, cluster, *q) for q in questions)
    except ApiError as error:
        if error.status == 0:
            raise
        return Permissions(unknown=str(error))
    refused = {q for q, allowed in zip(questions, answers, strict=True) if not allowed}
    return Permissions(
        tuple(
            dataclasses.replace(need, verbs=verbs)
            for need in wanted
            if (verbs := tuple(v for v in need.verbs if (need, v) in refused))
        )
    )


def _allowed(cluster: Cluster, need: Need, verb: str) -> bool:
    resource, _, subresource = need.resource.partition("/")
    attributes = {
        "verb": verb,
        "group": need.group,
        "resource": resource,
        "subresource": subresource,
        **({"name": need.names[0]} if need.names else {}),
    }
    review: Manifest = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    return json_fields.flag(cluster.create(review), "status", "allowed") or False


def rbac(wanted: Iterable[Need], name: str = "sixproof") -> str:
    """A ClusterRole with these needs as YAML, each rule under a comment with its purpose."""
    lines = [
        "apiVersion: rbac.authorization.k8s.io/v1",
        "kind: ClusterRole",
        "metadata:",
        f"  name: {name}",
        "rules:",
    ]
    for need in wanted:
        lines += [
            f"  # {need.purpose}{'' if need.required else ' (optional)'}",
            f'  - apiGroups: ["{need.group}"]',
            f'    resources: ["{need.resource}"]',
            *([f"    resourceNames: {json.dumps(need.names)}"] if need.names else []),
            f"    verbs: [{', '.join(need.verbs)}]",
        ]
    return "\n".join(lines) + "\n"
