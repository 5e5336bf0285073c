"""Policy cases: files of manifests with a number and a title, made for policy namespaces.

A file is named ``NUMBER-what-it-shows.yaml`` and begins with a comment that is its title. In the
text, ``${shop}`` is replaced by the namespace of that name, ``${namespaces}`` by the label of all
three, ``${shop/web.v6}`` by an address of a pod; ``${pods.v6}``, ``${nodes.v6}`` and
``${services.v6}`` by a block of each family.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import string
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sixproof import yaml_text
from sixproof.errors import ManifestError
from sixproof.kube.api import json_fields
from sixproof.kube.runs import ownership
from sixproof.model import ClusterFacts, Family, IPAddress, IPNetwork
from sixproof.workloads.policy.policy_namespaces import POLICY_NAMESPACES, PolicyNamespaces

Manifest = dict[str, Any]
Values = Mapping[str, str]

_NAMESPACED = (
    "NetworkPolicy",
    "NetworkSet",
    "StagedNetworkPolicy",
    "StagedKubernetesNetworkPolicy",
)
_SUBJECTLESS = ("Tier", "GlobalNetworkSet")
"""Cluster-wide kinds that by themselves concern no pod."""


class _Text(string.Template):
    braceidpattern = r"[a-z0-9./-]+"


@dataclasses.dataclass(frozen=True, slots=True)
class PolicyCase:
    """One case: `number` is that of the catalogue, `name` the file's, `title` its first line."""

    number: int
    name: str
    title: str
    text: str

    def __str__(self) -> str:
        return self.name

    def lacks(self, values: Values) -> tuple[str, ...]:
        """What it needs and this cluster does not have, such as addresses of a family."""
        return tuple(sorted(set(_Text(self.text).get_identifiers()) - values.keys()))

    def manifests(
        self, policy_namespaces: PolicyNamespaces, values: Values
    ) -> tuple[Manifest, ...]:
        """Its objects, owned by the run and marked as the policy namespaces'.

        Raises:
            ManifestError: one could touch pods that are not the policy namespaces'.
        """
        objects = yaml_text.documents(_Text(self.text).substitute(values))
        return tuple(own(o, policy_namespaces) for o in objects)


def read(directory: Path) -> tuple[PolicyCase, ...]:
    """The cases of a directory, by number and name."""
    found = []
    for path in sorted(directory.glob("[0-9]*.yaml")):
        text = path.read_text(encoding="utf-8")
        title = text.partition("\n")[0].removeprefix("#").strip()
        found.append(PolicyCase(int(path.stem.partition("-")[0]), path.stem, title, text))
    return tuple(found)


def own(manifest: Manifest, policy_namespaces: PolicyNamespaces) -> Manifest:
    """A policy with the labels of the run and of the policy namespaces.

    Raises:
        ManifestError: it could touch pods that are not the policy namespaces'.
    """
    owned = ownership.owned(manifest, policy_namespaces.run.id)
    owned["metadata"]["labels"][POLICY_NAMESPACES] = policy_namespaces.id
    if why := _reaches_out(owned, policy_namespaces):
        raise ManifestError("", f"{owned['kind']} {owned['metadata']['name']}: {why}")
    return owned


def _reaches_out(manifest: Manifest, policy_namespaces: PolicyNamespaces) -> str:
    """Why a policy would concern pods outside of the policy namespaces, "" where it does not."""
    kind = json_fields.text(manifest, "kind")
    if kind in _NAMESPACED:
        inside = json_fields.namespace(manifest) in policy_namespaces.homes.values()
        return "" if inside else "its namespace is none of the policy namespaces"
    unique = kind == "BaselineAdminNetworkPolicy" or policy_namespaces.id in json_fields.name(
        manifest
    )
    if not unique:
        return "its name does not name the policy namespaces"
    if kind in _SUBJECTLESS:
        return ""
    spec = manifest["spec"]
    if kind.endswith("GlobalNetworkPolicy"):
        scopes = [spec.get("namespaceSelector", ""), spec.get("selector", "")]
        wanted = f"{POLICY_NAMESPACES} == '{policy_namespaces.id}'"
        scoped = any(wanted in scope and "||" not in scope for scope in scopes)
        return "" if scoped else f"it has no selector with {wanted}"
    subject = spec.get("subject", {})
    labels = subject.get("namespaces") or subject.get("pods", {}).get("namespaceSelector") or {}
    scoped = labels.get("matchLabels", {}).get(POLICY_NAMESPACES) == policy_namespaces.id
    return "" if scoped else f"its subject's namespaces are not chosen by {POLICY_NAMESPACES}"


def values(policy_namespaces: PolicyNamespaces, facts: ClusterFacts) -> dict[str, str]:
    """The values that the texts of cases may use."""
    found = {"namespaces": policy_namespaces.id, **policy_namespaces.homes}
    for family in policy_namespaces.families():
        v = f"v{family.version}"
        for pod in policy_namespaces.pods:
            found[f"{pod.name}.{v}"] = str(pod.address(family))
        hosts = [a for h in policy_namespaces.hosts if (a := h.address(family))]
        ranges = {
            "pods": _first(facts.pod_cidrs, family),
            "services": _first(facts.service_cidrs, family),
            "nodes": _around(hosts) if hosts else None,
        }
        found |= {f"{name}.{v}": str(net) for name, net in ranges.items() if net is not None}
    return found


def _first(networks: Iterable[IPNetwork], family: Family) -> IPNetwork | None:
    return next((n for n in networks if Family.of(n) is family), None)


def _around(addresses: Iterable[IPAddress]) -> IPNetwork:
    """The smallest network that holds all of these addresses of one family."""
    first, *others = sorted(addresses, key=int)
    network = ipaddress.ip_network(first)
    while any(other not in network for other in others):
        network = network.supernet()
    return network
