"""What the policy APIs leave to the provider, as values.

The API documents leave several questions open; every network plugin answers them in its own way.
A question that a profile leaves UNDEFINED makes a verdict undefined where the answer matters.
"""

from __future__ import annotations

import dataclasses
import enum

from sixproof.model import Outcome


class ProviderAnswer(enum.StrEnum):
    """A provider's answer to a question that the API leaves open."""

    YES = "yes"
    NO = "no"
    UNDEFINED = "undefined"


class SeenAs(enum.StrEnum):
    """The destination address that an egress policy sees of traffic to a service."""

    BACKEND = "backend"  # policy looks after the service address was translated
    SERVICE = "service"  # policy looks before
    UNDEFINED = "undefined"


class HostAction(enum.StrEnum):
    """Felix' `defaultEndpointToHostAction`: what happens to a pod's traffic to its own node."""

    ACCEPT = "Accept"
    DROP = "Drop"
    RETURN = "Return"  # the node's own rules decide


class TieBreak(enum.StrEnum):
    """How Calico sorts policies of equal order within a tier."""

    NAME = "name"  # name, then namespace, then kind: Calico 3.32 and later
    KEY = "key"  # the storage key, where the namespace comes first: up to Calico 3.31


@dataclasses.dataclass(frozen=True, slots=True)
class ProviderProfile:
    """One provider's answers.

    `calico_api` says whether projectcalico.org/v3 is enforced; where it is, so is ICMP.
    `icmp_policed` is for the others, and about NetworkPolicy only, which defines TCP, UDP and
    SCTP. `deny_outcomes` is what a denied flow may look like. `node_peers` and `domain_peers` say
    whether those experimental peers of the cluster-wide APIs are implemented; where they are not,
    rules with them fail closed. `admin_named_ports` says whether named ports of AdminNetworkPolicy
    and BaselineAdminNetworkPolicy are; where they are not, a rule with one is for every port.
    """

    name: str
    calico_api: bool
    ip_block_matches_pods: ProviderAnswer
    own_node_reaches_pods: ProviderAnswer
    pods_reach_own_node: HostAction
    service_seen_as: SeenAs
    hairpin_policed: ProviderAnswer
    icmp_policed: ProviderAnswer
    node_peers: ProviderAnswer
    domain_peers: ProviderAnswer
    admin_named_ports: ProviderAnswer = ProviderAnswer.YES
    tie_break: TieBreak = TieBreak.NAME
    deny_outcomes: frozenset[Outcome] = frozenset({Outcome.DROPPED})

    def rejecting(self) -> ProviderProfile:
        """This provider with its deny action set to reject (Felix `filterDenyAction: Reject`).

        Kernels send ICMP errors sparingly, so that of many flows some only see silence.
        """
        outcomes = frozenset({Outcome.DROPPED, Outcome.REJECTED})
        return dataclasses.replace(self, deny_outcomes=outcomes)

    def as_the_api_asks(self) -> ProviderProfile:
        """This provider without what it is known to leave out though the API asks for it: what a
        test of the provider must expect."""
        return dataclasses.replace(self, admin_named_ports=ProviderAnswer.YES)


CALICO = ProviderProfile(
    name="calico",
    calico_api=True,
    ip_block_matches_pods=ProviderAnswer.YES,
    own_node_reaches_pods=ProviderAnswer.YES,
    pods_reach_own_node=HostAction.ACCEPT,
    service_seen_as=SeenAs.BACKEND,
    hairpin_policed=ProviderAnswer.UNDEFINED,
    icmp_policed=ProviderAnswer.YES,
    node_peers=ProviderAnswer.NO,
    domain_peers=ProviderAnswer.NO,
)
"""Calico with kube-proxy. `pods_reach_own_node` is what its manifests and its operator set."""

CALICO_3_31 = dataclasses.replace(
    CALICO, name="calico-3.31", tie_break=TieBreak.KEY, admin_named_ports=ProviderAnswer.NO
)
"""Calico up to 3.31, which sorts policies of equal order by storage key. Source of
`admin_named_ports`: libcalico-go v3.31.3, lib/backend/k8s/conversion, unpackANPPorts; a port that
is none it knows makes the rule one without protocol and ports."""

KUBERNETES = ProviderProfile(
    name="kubernetes",
    calico_api=False,
    ip_block_matches_pods=ProviderAnswer.UNDEFINED,
    own_node_reaches_pods=ProviderAnswer.YES,
    pods_reach_own_node=HostAction.ACCEPT,
    service_seen_as=SeenAs.UNDEFINED,
    hairpin_policed=ProviderAnswer.UNDEFINED,
    icmp_policed=ProviderAnswer.UNDEFINED,
    node_peers=ProviderAnswer.UNDEFINED,
    domain_peers=ProviderAnswer.UNDEFINED,
    deny_outcomes=frozenset({Outcome.DROPPED, Outcome.REJECTED}),
)
"""Any provider: only what the Kubernetes API itself defines."""

PROFILES = {p.name: p for p in (CALICO, CALICO_3_31, KUBERNETES)}
"""The profiles by name."""
