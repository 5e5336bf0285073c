"""Endpoints: anything with an address per family."""

from __future__ import annotations

import dataclasses
import enum

from sixproof.errors import Subject
from sixproof.model.family import Family, IPAddress


class EndpointKind(enum.StrEnum):
    """What an endpoint is; it determines whose identity a policy sees."""

    POD = "pod"
    HOST = "host"  # a hostNetwork pod: its addresses are the node's
    NODE = "node"
    SERVICE = "service"
    OUTSIDE = "outside"


@dataclasses.dataclass(frozen=True, slots=True)
class Endpoint:
    """A source or destination of flows.

    `name` is its role, used in reports (``a@worker``), unique within a run. `addresses` holds at
    most one address per family, in the API's order (`podIPs`, `clusterIPs`, InternalIPs). `labels`
    are sorted pairs, so that equal endpoints compare equal. `zone` is its node's
    ``topology.kubernetes.io/zone``, "" where that is not known or none.
    """

    name: str
    kind: EndpointKind
    addresses: tuple[IPAddress, ...] = ()
    namespace: str = ""
    pod: str = ""
    node: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    service_account: str = ""
    zone: str = ""

    def address(self, family: Family) -> IPAddress | None:
        """The endpoint's address of a family, None where it has none."""
        for address in self.addresses:
            if Family.of(address) is family:
                return address
        return None

    @property
    def called(self) -> str:
        """Its name for readers, with its node: ``pod a on worker``, ``pod shop/web on worker``,
        ``the host network of worker``."""
        if self.kind is EndpointKind.HOST and self.node:
            return f"the host network of {self.node}"
        return f"pod {self._on_its_node}" if self.kind is EndpointKind.POD else self._on_its_node

    @property
    def _on_its_node(self) -> str:
        """Its name with its node, where it is on one: ``a on worker``."""
        if not self.node:
            return self.name
        name = self.name.replace(f"@{self.node}", f" on {self.node}", 1)
        return name if self.node in name else f"{name} on {self.node}"

    def subject(self, part: str = "") -> Subject:
        """It, or a part of it, as the subject of an error or a verdict: a host-network pod has its
        node's addresses and devices, so its subject is the node."""
        if self.node and self.kind in (EndpointKind.HOST, EndpointKind.NODE):
            return Subject.of_node(self.node, part)
        return Subject(self.kind.value, self._on_its_node, self.node, part)

    def families(self) -> frozenset[Family]:
        """The families of the endpoint's addresses."""
        return frozenset(Family.of(a) for a in self.addresses)
