"""Kinds of API objects: what a kind is called and where the API server serves it."""

from __future__ import annotations

import dataclasses
from urllib.parse import quote

from sixproof.kube.api import json_fields
from sixproof.kube.api.json_fields import Manifest


@dataclasses.dataclass(frozen=True, slots=True)
class Kind:
    """A kind of API object, e.g. ``networking.k8s.io/v1`` ``NetworkPolicy``, its path word
    ``networkpolicies`` and whether its objects live in namespaces. `verbs` are those that the API
    server serves for it; empty where discovery was not asked."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool = True
    verbs: tuple[str, ...] = dataclasses.field(default=(), compare=False)

    @property
    def group(self) -> str:
        """The API group, "" for the core group."""
        return self.api_version.rpartition("/")[0]

    def __str__(self) -> str:
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(self, name: str = "", namespace: str = "", subresource: str = "") -> str:
        """The URL path of the collection, of one object, or of its subresource.

        Without a namespace the collection spans all namespaces.
        """
        parts = ["apis" if self.group else "api", *self.api_version.split("/")]
        if namespace and self.namespaced:
            parts += ["namespaces", namespace]
        parts += [part for part in (self.plural, name, subresource) if part]
        return "/" + "/".join(quote(part, safe=":") for part in parts)


NAMESPACE = Kind("v1", "Namespace", "namespaces", namespaced=False)
NODE = Kind("v1", "Node", "nodes", namespaced=False)
POD = Kind("v1", "Pod", "pods")
SERVICE = Kind("v1", "Service", "services")
CONFIG_MAP = Kind("v1", "ConfigMap", "configmaps")
SECRET = Kind("v1", "Secret", "secrets")
SERVICE_ACCOUNT = Kind("v1", "ServiceAccount", "serviceaccounts")
EVENT = Kind("v1", "Event", "events")
ENDPOINT_SLICE = Kind("discovery.k8s.io/v1", "EndpointSlice", "endpointslices")
NETWORK_POLICY = Kind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies")
SERVICE_CIDR = Kind("networking.k8s.io/v1", "ServiceCIDR", "servicecidrs", namespaced=False)
DAEMON_SET = Kind("apps/v1", "DaemonSet", "daemonsets")
DEPLOYMENT = Kind("apps/v1", "Deployment", "deployments")
LEASE = Kind("coordination.k8s.io/v1", "Lease", "leases")
SELF_ACCESS = Kind(
    "authorization.k8s.io/v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews", False
)

KNOWN: dict[tuple[str, str], Kind] = {
    (k.api_version, k.kind): k
    for k in (
        *(NAMESPACE, NODE, POD, SERVICE, CONFIG_MAP, SECRET, SERVICE_ACCOUNT, EVENT),
        *(ENDPOINT_SLICE, NETWORK_POLICY, SERVICE_CIDR, DAEMON_SET, DEPLOYMENT, LEASE),
        SELF_ACCESS,
    )
}


def from_discovery(api_version: str, resources: Manifest) -> tuple[Kind, ...]:
    """The kinds of an `APIResourceList`; subresources (``pods/exec``) are left out."""
    return tuple(
        Kind(
            api_version,
            json_fields.text(entry, "kind"),
            json_fields.text(entry, "name"),
            json_fields.flag(entry, "namespaced") or False,
            json_fields.strings(entry, "verbs"),
        )
        for entry in json_fields.entries(resources, "resources")
        if "/" not in json_fields.text(entry, "name")
    )
