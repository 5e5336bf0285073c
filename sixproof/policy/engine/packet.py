"""What policy rules look at: one packet, with what is known of both its ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sixproof.model import Endpoint, EndpointKind, IPAddress, Protocol
from sixproof.policy.engine.provider import ProviderAnswer
from sixproof.policy.snapshot.snapshot import ClusterSnapshot, NamedPort

NUMBERS = {Protocol.TCP: 6, Protocol.UDP: 17, Protocol.SCTP: 132}
"""IP protocol numbers of the protocols with ports."""


class Icmp(NamedTuple):
    """An ICMP message: its type and code."""

    type: int
    code: int = 0

    @classmethod
    def echo(cls, version: int) -> Icmp:
        """The echo request of an IP version."""
        return cls(8) if version == 4 else cls(128)


def protocol_number(protocol: Protocol, version: int) -> int:
    """The IP protocol number on the wire: 58 for ICMP over IPv6."""
    if protocol is Protocol.ICMP:
        return 1 if version == 4 else 58
    return NUMBERS[protocol]


class PolicyPeer:
    """One end of a packet: an address, and the pod behind it where policy knows one.

    `labels` of a hostNetwork pod, a node or a place outside are None: policy sees an address.
    `calico` are the labels by which Calico knows the pod, with those inherited from its namespace
    (``pcns.``) and its service account (``pcsa.``). `memo` keeps what rules found of this peer.
    """

    __slots__ = (
        "address",
        "calico",
        "endpoint",
        "labels",
        "memo",
        "namespace",
        "namespace_labels",
        "ports",
        "value",
        "version",
    )

    def __init__(self, endpoint: Endpoint, address: IPAddress, snapshot: ClusterSnapshot) -> None:
        self.endpoint = endpoint
        self.address = address
        self.version = address.version
        self.value = int(address)
        self.memo: dict[object, bool | None] = {}
        self.labels: Mapping[str, str] | None = None
        self.namespace = ""
        self.namespace_labels: Mapping[str, str] = {}
        self.calico: Mapping[str, str] | None = None
        self.ports: tuple[NamedPort, ...] = ()
        if endpoint.kind is EndpointKind.POD:
            self.labels = dict(endpoint.labels)
            self.namespace = endpoint.namespace
            self.namespace_labels = snapshot.namespace_labels(endpoint.namespace)
            self.calico = calico_labels(endpoint, snapshot)
            self.ports = snapshot.ports_of(endpoint)

    @property
    def is_pod(self) -> bool:
        """Whether policy knows a pod here."""
        return self.labels is not None


def calico_labels(endpoint: Endpoint, snapshot: ClusterSnapshot) -> dict[str, str]:
    """A pod's labels as Calico indexes them (libcalico-go, k8s/conversion)."""
    space, account = endpoint.namespace, endpoint.service_account
    labels = {
        **dict(endpoint.labels),
        "projectcalico.org/namespace": space,
        "projectcalico.org/orchestrator": "k8s",
        **namespace_scope(space, snapshot),
    }
    if account:
        labels["projectcalico.org/serviceaccount"] = account
        labels["pcsa.projectcalico.org/name"] = account
        for key, value in snapshot.service_accounts.get((space, account), {}).items():
            labels[f"pcsa.{key}"] = value
    return labels


def namespace_scope(name: str, snapshot: ClusterSnapshot) -> dict[str, str]:
    """The labels that Calico lets everything in a namespace inherit."""
    inherited = {f"pcns.{key}": value for key, value in snapshot.namespace_labels(name).items()}
    return {**inherited, "pcns.projectcalico.org/name": name}


class Packet(NamedTuple):
    """The first packet of a flow, as a policy sees it.

    `protocol` is the IP protocol number. `policed` is the provider's answer to whether policy
    applies to it; it is only ever in doubt for a pod that reaches itself via a service.
    """

    source: PolicyPeer
    destination: PolicyPeer
    version: int
    protocol: int
    port: int | None
    icmp: Icmp | None = None
    policed: ProviderAnswer = ProviderAnswer.YES
