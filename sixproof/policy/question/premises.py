"""Premises: what a verdict depends on and no input states.

Each is reported only where a policy in play looks at it: one that is cluster-wide, or in the
namespace of an end.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from sixproof.errors import brief
from sixproof.model import EndpointKind
from sixproof.policy.engine.provider import ProviderProfile
from sixproof.policy.engine.route import NODE_NETWORK, node_name
from sixproof.policy.engine.rules import Policy
from sixproof.policy.manifests.manifest_compiler import ADMIN_GROUP, NAMESPACED, described
from sixproof.policy.manifests.tree import Leaf, at, leaves
from sixproof.policy.question.ends import End
from sixproof.policy.snapshot.snapshot import ClusterSnapshot

_NETWORKS = ("cidr", "except", "nets", "notNets", "networks")
_BY_NAME = ("kubernetes.io/metadata.name", "projectcalico.org/name")
_EVERYTHING = ("", "all()")
Policies = Iterable[Mapping[str, object]]


@dataclasses.dataclass(slots=True)
class Looks:
    """What the policies in play look at; `networks` and `ports` are what they name first."""

    labels: bool = False
    namespaces: bool = False
    accounts: bool = False
    account_labels: bool = False
    networks: str = ""
    ports: str = ""

    def see(self, leaf: Leaf, owner: object) -> None:
        """Take in one value of a policy."""
        path, key, value = leaf.field.path, leaf.key, leaf.field.value
        if key in _NETWORKS and not self.networks:
            self.networks = described(owner)
        if key.lower().endswith("port") or key in ("ports", "notPorts"):
            if isinstance(value, str) and not re.fullmatch(r"[\d:]+", value) and not self.ports:
                self.ports = brief(value, 63)
        elif "serviceAccount" in path:
            self.accounts = True
            self.account_labels = self.account_labels or key.lower().endswith("selector")
        elif "namespaceSelector" in path or "namespaces" in path or "notNamespace" in path:
            self.namespaces = self.namespaces or _by_label(leaf)
        elif "elector" in path:
            self.labels = self.labels or _by_label(leaf)


def _by_label(leaf: Leaf) -> bool:
    """Whether a selector asks for a label that only files can supply."""
    if leaf.key.lower().endswith("selector"):
        return leaf.field.value not in _EVERYTHING
    if "matchExpressions" in leaf.field.path:
        return leaf.key == "key" and leaf.field.value not in _BY_NAME
    return leaf.key not in _BY_NAME


def looks_of(policies: Policies, ends: Iterable[End]) -> Looks:
    """What these policies look at, of those that may matter for the ends."""
    found = Looks()
    spaces = {end.endpoint.namespace for end in ends}
    for policy in policies:
        if at(policy, "kind") in NAMESPACED and at(policy, "metadata", "namespace") not in spaces:
            continue
        for leaf in leaves(at(policy, "spec"), "spec"):
            found.see(leaf, policy)
    return found


def premises(looks: Looks, ends: tuple[End, End], snapshot: ClusterSnapshot) -> Iterator[str]:
    """What is taken to be so, of that which the policies look at."""
    for end in ends:
        if end.remark:
            yield end.remark
        if end.endpoint.kind is EndpointKind.POD:
            yield from _of_pod(end, looks, snapshot)
    yield from _named_ports(ends[1], looks, snapshot)
    if ends[0].endpoint.kind in NODE_NETWORK and ends[1].endpoint.kind is EndpointKind.POD:
        for end in ends:
            if not node_name(end.endpoint):
                yield f"the node of {end.endpoint.name} is not known: write @NODE behind it"


def _of_pod(end: End, looks: Looks, snapshot: ClusterSnapshot) -> Iterator[str]:
    one = end.endpoint
    if looks.labels and not one.labels and not end.has_object:
        yield f"{one.name} is taken to have no labels: none are known"
    namespace_known = one.namespace in snapshot.namespaces or end.said.namespace_labels
    if (
        not namespace_known
        and one.namespace not in {e.namespace for e in snapshot.endpoints}
        and snapshot.endpoints
    ):
        yield f"no file has namespace {one.namespace}"
    elif looks.namespaces and not namespace_known:
        name = one.namespace
        yield f"namespace {name} is taken to have no label but its name: no file has it"
    if looks.accounts and not end.has_object and not end.said.service_account:
        yield f"{one.name} is taken to run as service account {one.service_account}"
    account = (one.namespace, one.service_account)
    if looks.account_labels and account not in snapshot.service_accounts:
        name = "/".join(account)
        yield f"service account {name} is taken to have no labels: no file has it"


def _named_ports(end: End, looks: Looks, snapshot: ClusterSnapshot) -> Iterator[str]:
    one = end.endpoint
    silent = one.kind is EndpointKind.POD and not end.has_object and not snapshot.ports_of(one)
    if looks.ports and silent:
        yield (
            f"{one.name} is taken to have no named ports, and a policy goes by port {looks.ports}: "
            "none were given (port:NAME=tcp/8080)"
        )


def unnamed(names: Sequence[str]) -> Iterator[str]:
    """That these policies, which name no namespace, are taken to be in ``default``."""
    if names:
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        which = "which names none" if len(names) == 1 else "which name none"
        some = ", ".join(names[:3]) + more
        yield f"namespace default is taken for {some}, {which} (-n says another)"


def not_enforced(policies: Policies, profile: ProviderProfile) -> Iterator[str]:
    """That a release does not carry out an API's policies, though they are judged."""
    groups = [(str(at(p, "apiVersion")).rpartition("/")[0], str(at(p, "kind"))) for p in policies]
    kinds = {kind for group, kind in groups if group == ADMIN_GROUP}
    for kind in sorted(kinds if profile.calico_api else ()):
        if (kind == "ClusterNetworkPolicy") is (profile.name == "calico-3.31"):
            which = "up to 3.31" if kind == "ClusterNetworkPolicy" else "from 3.32 on"
            yield f"{kind} is judged as the API says; Calico {which} does not enforce it"


def all_inert(policies: Sequence[Policy]) -> Iterator[str]:
    """That none of the policies is enforced on pods, so that nothing is denied."""
    if policies and all(policy.inert for policy in policies):
        reasons = ", ".join(dict.fromkeys(policy.inert for policy in policies))
        more = f" and {len(policies) - 1} more" if len(policies) > 1 else ""
        yield f"no policy here is enforced on pods: {policies[0].ref}{more} ({reasons})"
