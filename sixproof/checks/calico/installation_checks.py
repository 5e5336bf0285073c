"""Compares what the Tigera operator's Installation asks for with what the cluster does."""

from __future__ import annotations

from collections.abc import Sequence

from sixproof.calico.operator import Installation
from sixproof.calico.pools import Pool
from sixproof.errors import NotAsked, Subject
from sixproof.model import Endpoint
from sixproof.probes.connect.probe import SLACK, AgentClient
from sixproof.probes.pmtu.interfaces import POD_INTERFACE, inspected
from sixproof.reporting.diagnosis import evidence


class InstallationChecks:
    """What one run asks about an Installation."""

    def __init__(
        self,
        installation: Installation,
        pools: Sequence[Pool],
        agents: AgentClient,
        pods: Sequence[Endpoint],
    ) -> None:
        """`pools` are the IPPools that there are."""
        self._installation = installation
        self._pools = pools
        self._agents = agents
        self._pods = pods

    def must_be_available(self) -> None:
        """Every component of the operator says that it is available and not degraded.

        Raises:
            VerdictError: one does not; its own message is reported.
            NotAsked: no component says anything.
        """
        statuses = self._installation.statuses
        if not statuses:
            raise NotAsked("there is no TigeraStatus", "list on tigerastatuses")
        evidence.require_none(
            {
                f"{s.component} is not available: {s.message or 'no reason given'}": Subject(
                    "TigeraStatus", s.component
                )
                for s in statuses
                if not s.available
            }
        )

    def must_have_its_pools(self) -> None:
        """Every pool of the Installation is an IPPool, with the same block size, encapsulation,
        source NAT and nodeSelector.

        Raises:
            VerdictError: one is not; the operator does not change pools that exist.
            NotAsked: the Installation names no pool.
        """
        if not self._installation.pools:
            raise NotAsked("the Installation names no IP pool", "ipPools of calicoNetwork")
        pools = {pool.cidr: pool for pool in self._pools}
        evidence.require_none(
            {
                said: Subject("IPPool", pool.name if pool else str(asked.cidr))
                for asked in self._installation.pools
                for pool in (pools.get(asked.cidr),)
                for said in _unlike(asked, pool)
            }
        )

    def must_have_its_mtu(self) -> None:
        """Every pod's interface has the MTU that the Installation sets.

        Raises:
            VerdictError: one has another.
            InfrastructureError: an agent could not be asked.
            NotAsked: the Installation leaves the MTU to Felix.
        """
        wanted = self._installation.mtu
        if wanted is None:
            raise NotAsked("the Installation leaves the MTU to Felix", "mtu of calicoNetwork")
        evidence.require_none(
            {
                f"{pod.name}: {POD_INTERFACE} has MTU {mtu}, wanted {wanted}": (
                    pod.subject(POD_INTERFACE)
                )
                for pod, seen in inspected(self._agents, self._pods, SLACK)
                if (mtu := seen.mtus.get(POD_INTERFACE)) != wanted
            }
        )


def _unlike(asked: Pool, found: Pool | None) -> list[str]:
    if found is None:
        return [f"there is no IPPool {asked.cidr}, which the Installation asks for"]
    return [
        f"IPPool {found.name} has {what} {is_}, the Installation says {wanted}"
        for what, is_, wanted in (
            ("blockSize", found.block_size, asked.block_size),
            ("encapsulation", found.encapsulation, asked.encapsulation),
            ("natOutgoing", found.nat_outgoing, asked.nat_outgoing),
            ("nodeSelector", found.node_selector, asked.node_selector),
        )
        if is_ != wanted
    ]
