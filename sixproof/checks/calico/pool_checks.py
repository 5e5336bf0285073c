"""What pools of the run's own do: which pods they serve, in which blocks, by which way."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Concatenate, ParamSpec

from sixproof.checks.calico import pool_effects
from sixproof.checks.calico.address_checks import AddressChecks
from sixproof.checks.connect.carried import must_be_open, parted
from sixproof.checks.connect.connectivity import Connectivity
from sixproof.checks.judged import seen_and_wrong
from sixproof.checks.recorder import Recorder
from sixproof.errors import ApiError, NotAsked, VerdictError
from sixproof.kube.api.client import Cluster
from sixproof.model import (
    Endpoint,
    Family,
    Flow,
    IPAddress,
    MatrixKind,
    Protocol,
)
from sixproof.reporting.allure import steps
from sixproof.reporting.diagnosis import evidence
from sixproof.workloads.pools import stored
from sixproof.workloads.pools.own_pool import OwnPool, Purpose, find
from sixproof.workloads.pools.pool_pods import PoolHome, PoolPods, SegmentPods
from sixproof.workloads.probe_pods.topology import different_nodes, flows

ASKED = "addresses of the pools that pods ask for"
BLOCKS = "blocks of own pools"
SELECTED = "a pool for one node"
SOURCES = {
    Purpose.MASKED: "source addresses outside of the pools, natOutgoing on",
    Purpose.BARE: "source addresses outside of the pools, natOutgoing off",
}


_P = ParamSpec("_P")
_Check = Callable[Concatenate["PoolChecks", Family, _P], None]


def _seeing_changes(check: _Check[_P]) -> _Check[_P]:
    """The check; where it is wrong, a pool that somebody changed is a finding of the run."""

    @functools.wraps(check)
    def checked(self: PoolChecks, family: Family, /, *args: _P.args, **kwargs: _P.kwargs) -> None:
        __tracebackhide__ = True
        try:
            check(self, family, *args, **kwargs)
        except VerdictError:
            self.note_changes(family)
            raise

    return checked


@dataclasses.dataclass(frozen=True, slots=True)
class Outskirts:
    """What is outside of all pools: `servers` with an agent, and each node's own `addresses`, by
    its name."""

    servers: tuple[Endpoint, ...]
    addresses: Mapping[str, frozenset[IPAddress]]


class PoolChecks:
    """What one process asks about the `pools` that it made. `known` asks about addresses and routes
    of their `pods`, by a state of Calico that has these pools."""

    def __init__(
        self,
        cluster: Cluster,
        recorder: Recorder,
        pools: Sequence[OwnPool],
        pods: PoolPods,
        known: AddressChecks,
    ) -> None:
        self._cluster = cluster
        self._recorder = recorder
        self._pools = pools
        self.pods = pods
        self._known = known

    def note_changes(self, family: Family) -> None:
        """Note which pools of a family somebody changed, where the API server tells; they are gone
        when the run is concluded."""
        try:
            for finding in stored.changes(self._cluster, self._pools_of(family)):
                self._recorder.finding(finding)
        except ApiError as error:
            steps.attach_text("the run's pools could not be read", str(error))

    @_seeing_changes
    def must_be_served(self, family: Family) -> None:
        """Each pod has an address of the pool that its annotation names, and the API server,
        Calico's CNI plugin and its IPAM agree about it.

        Raises:
            VerdictError: one has another address, or none.
            NotAsked: IPAM cannot be read.
        """
        said: dict[Flow, str] = {}
        for pod, purpose in self.pods.every:
            pool = self._pool(purpose, family)
            said[self._asked(pod, pool, "pool")] = pool_effects.not_of(pod, pool)
        self._known.require(MatrixKind.ADDRESSES, ASKED, *seen_and_wrong(said), family)
        self._known.must_agree(family)

    @_seeing_changes
    def must_have_blocks(self, family: Family) -> None:
        """The IPAM block of each pod's address lies in the pool that it asked for, and has its
        blockSize.

        Raises:
            VerdictError: one does not, or there is none.
            NotAsked: IPAM cannot be read.
        """
        ipam = self._known.read_ipam()
        said: dict[Flow, str] = {}
        for pod, purpose in self.pods.every:
            pool = self._pool(purpose, family)
            said[self._asked(pod, pool, "block")] = pool_effects.odd_block(pod, pool, ipam)
        self._known.require(MatrixKind.ADDRESSES, BLOCKS, *seen_and_wrong(said), family)

    @_seeing_changes
    def must_serve_no_others(self, family: Family) -> None:
        """No address of an own pool is assigned to anything but the pods of this process, and none
        of a pool for those that ask to the one that does not.

        Raises:
            VerdictError: one is; the pods are named.
            NotAsked: IPAM cannot be read, or has no block of the pools.
        """
        pools = self._pools_of(family)
        blocks = pool_effects.blocks_of(pools, self._known.read_ipam())
        if not blocks:
            raise NotAsked(f"IPAM has no block of the run's {family} pools")
        wrong = dict(pool_effects.strangers(blocks, pools, {self.pods.unasked.namespace}))
        wrong |= dict(pool_effects.unasked_for(self.pods.unasked, pools))
        evidence.require_none(wrong, family)

    @_seeing_changes
    def must_be_routed(self, family: Family) -> None:
        """Every node's kernel sends packets for each pod by the device that the encapsulation of
        its pool means.

        Raises:
            VerdictError: one does not.
            InfrastructureError: an agent could not be asked.
        """
        self._known.must_route(family)

    @_seeing_changes
    def must_serve_its_node_alone(self, family: Family, pods: SegmentPods) -> None:
        """A pod that asks for nothing gets an address of a pool that selects its node, and on
        another node it gets none of it, though that node has a block of the pool.

        Raises:
            VerdictError: the pod elsewhere has an address of the pool.
            NotAsked: Calico gave the pod on the node an address of another pool that selects it
                as well, so that nothing is shown.
        """
        pool = self._pool(Purpose.SEGMENT, family)
        inside, elsewhere = pods.inside.address(family), pods.elsewhere.address(family)
        for holder in pods.holders:
            if lacking := pool_effects.not_of(holder, pool):
                raise NotAsked(f"{lacking}: no node prefers this pool")
        taken = ""
        if elsewhere is not None and elsewhere in pool.cidr:
            taken = (
                f"it has {elsewhere} of IPPool {pool.name}, whose nodeSelector selects "
                f"{pool.node} alone"
            )
        said = {self._asked(pods.elsewhere, pool, "pool of another node"): taken}
        served = inside is not None and inside in pool.cidr
        if served:
            said[self._asked(pods.inside, pool, "pool of its node")] = ""
        self._known.require(MatrixKind.ADDRESSES, SELECTED, *seen_and_wrong(said), family)
        if not served:
            raise NotAsked(
                f"another pool selects {pool.node} as well, and Calico gave its pod {inside} of it",
                "a cluster whose pools leave a node to the run",
            )

    @_seeing_changes
    def must_refuse(self, family: Family, why: str, home: PoolHome) -> None:
        """A pod that asks for a pool that is ``missing`` or ``disabled`` gets no address, and the
        kubelet reports Calico's reason, which names the pool.

        Raises:
            VerdictError: it has an address, or no reason is reported why it has none.
        """
        disabled = self._pool(Purpose.DISABLED, family)
        refusal = home.refuse(self._pools, family, why)
        result = home.result(refusal)
        steps.attach_text(
            f"why {refusal.asking.name} has no address", result.reason or "no reason was given"
        )
        said = pool_effects.unrefused(refusal, result)
        about = refusal.asking.subject() if why == "missing" else disabled.subject()
        evidence.require_none({said: about} if said else {}, family)

    @_seeing_changes
    def must_leave(
        self, family: Family, purpose: Purpose, outskirts: Outskirts, connectivity: Connectivity
    ) -> None:
        """What a pod sends to a place outside of all pools arrives from an address of its node
        where its pool has natOutgoing, else from the pod's own.

        Without natOutgoing the answer may be lost: whether there is a way back is the network's
        matter. Datagrams that arrived are counted, answered or not.

        Raises:
            VerdictError: a flow of a pool with natOutgoing failed, or a server saw another address.
            NotAsked: nothing arrived, so that nothing is shown; as not proven where policies of the
                cluster's owner close all that was sent.
        """
        pods = self.pods.of(purpose)
        title = SOURCES[purpose]
        dialled = flows(pods, outskirts.servers, [family], where=different_nodes)
        if purpose is Purpose.MASKED:
            matrix = connectivity.must_work(title, dialled)
        else:
            matrix = connectivity.measure(title, [f for f in dialled if f.protocol is Protocol.UDP])
        seen = [o for o in matrix.observations() if o.peer_saw is not None]
        if not seen:
            opened, closed = parted((o.flow for o in matrix.observations()), connectivity.closes)
            must_be_open(title, (flow.family for flow in opened), closed)
            raise NotAsked(
                f"{title}: nothing that the pods sent arrived, or no server knows from where",
                "a network that carries pods' own addresses to nodes or to the outside",
            )
        wrong = {
            o.flow: said
            for o in seen
            if (said := pool_effects.disguised(o, self._pool(purpose, family), outskirts.addresses))
        }
        self._known.require(
            MatrixKind.SOURCES, f"{title}: as servers saw them", seen, wrong, family
        )

    def _pools_of(self, family: Family) -> list[OwnPool]:
        return [pool for pool in self._pools if pool.family is family]

    def _pool(self, purpose: Purpose, family: Family) -> OwnPool:
        try:
            return find(self._pools, purpose, family)
        except KeyError:
            raise NotAsked(f"no range is free for {family} pools of the run") from None

    def _asked(self, pod: Endpoint, pool: OwnPool, question: str) -> Flow:
        """The cell of what is asked about a pod; one without an address is asked about as the
        first of the pool."""
        address = pod.address(pool.family) or pool.cidr.network_address
        return self._known.question(pod, address, question)
