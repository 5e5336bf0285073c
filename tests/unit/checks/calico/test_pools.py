"""What pools of the run's own do: right is green, and each thing that is wrong is named."""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Sequence
from typing import Any, cast

import pytest

from sixproof.calico.ipam import Allocation, Block, Ipam
from sixproof.calico.pools import Pool
from sixproof.checks.calico import address_checks, pool_effects
from sixproof.checks.calico.address_checks import AddressChecks
from sixproof.checks.calico.pool_checks import Outskirts, PoolChecks
from sixproof.checks.connect.connectivity import Connectivity
from sixproof.checks.recorder import Recorder
from sixproof.errors import ApiError, NotAsked, VerdictError
from sixproof.kube.api.client import Cluster
from sixproof.kube.api.json_fields import Manifest
from sixproof.model import (
    Endpoint,
    EndpointKind,
    Family,
    Finding,
    Flow,
    Matrix,
    Observation,
    Outcome,
    Protocol,
)
from sixproof.workloads.pools.asking import AddressResult, Asking, Refusal
from sixproof.workloads.pools.own_pool import OwnPool, Purpose, find
from sixproof.workloads.pools.pool_pods import PoolHome, PoolPods, SegmentPods
from tests.unit.workloads.pools.pool_api import PoolApi
from tests.unit.workloads.pools.test_own_pool import drawn
from tests.unit.workloads.two_nodes import HOST1, HOST2, NODES, addresses

SIX, FOUR = Family.IPV6, Family.IPV4
POOLS = drawn()
HOME = "six-abc123-pools-gw0"


def endpoint(role: str, node: str, number: int, purpose: Purpose | None) -> Endpoint:
    """A pod with the addresses of that number in the pools of a purpose, or in the default ones."""
    found = (
        addresses(f"10.244.1.{number}", f"fd00:10:244:1::{number:x}")
        if purpose is None
        else tuple(find(POOLS, purpose, f).cidr[number] for f in Family)
    )
    name = f"{role}-{node}"
    return Endpoint(f"{role}@{node}", EndpointKind.POD, found, HOME, name, node)


MASKED = (
    endpoint("masked", "n1", 1, Purpose.MASKED),
    endpoint("masked", "n2", 9, Purpose.MASKED),
)
BARE = endpoint("bare", "n1", 2, Purpose.BARE)
UNASKED = endpoint("unasked", "n1", 3, None)
PODS = PoolPods(MASKED, (BARE,), UNASKED)
SEGMENT = SegmentPods(
    endpoint("plain", "n1", 2, Purpose.SEGMENT),
    endpoint("plain", "n2", 5, None),
    (
        endpoint("holder", "n1", 1, Purpose.SEGMENT),
        endpoint("holder", "n2", 9, Purpose.SEGMENT),
    ),
)


def block_of(pod: Endpoint, purpose: Purpose, family: Family, size: int = 0) -> Block:
    """The block of a pod's address, which assigns it to the pod."""
    pool = find(POOLS, purpose, family)
    address = pod.address(family)
    cidr = ipaddress.ip_network(f"{address}/{size or pool.block_size}", strict=False)
    assert address is not None
    return Block(cidr, pod.node, {address: Allocation(pod.namespace, pod.pod, pod.node)})


class Known:
    """Stands for the checks of addresses: what they say, and what they were asked to note."""

    def __init__(self) -> None:
        self.blocks = [
            *(block_of(pod, Purpose.MASKED, family) for pod in MASKED for family in Family),
            *(block_of(BARE, Purpose.BARE, family) for family in Family),
        ]
        self.agreed: list[Family] = []
        self.routed: list[Family] = []
        self.noted: list[tuple[str, int]] = []

    def read_ipam(self) -> Ipam:
        """The blocks."""
        return Ipam(tuple(self.blocks))

    def question(self, pod: Endpoint, address: Any, question: str) -> Flow:
        """Asked of the pod itself."""
        return Flow(pod, pod, address, Protocol.ICMP, question=question)

    def require(
        self,
        kind: object,
        title: str,
        seen: Sequence[Observation],
        wrong: dict[Flow, str],
        family: Family,
    ) -> None:
        """Red where something is wrong."""
        del kind
        assert all(o.flow.family is family for o in seen)
        assert wrong.keys() <= {o.flow for o in seen}
        self.noted.append((title, len(seen)))
        if wrong:
            raise VerdictError("; ".join(wrong.values()), [family])

    def must_agree(self, family: Family) -> None:
        """Asked."""
        self.agreed.append(family)

    def must_route(self, family: Family) -> None:
        """Asked."""
        self.routed.append(family)


class Noted:
    """What is noted for the report."""

    def __init__(self) -> None:
        self.found: list[Finding] = []

    def finding(self, finding: Finding) -> None:
        """A finding of a test."""
        self.found.append(finding)


def standing_pools(pools: Sequence[OwnPool] = POOLS) -> PoolApi:
    """The API server with the pools as they were made."""
    api = PoolApi()
    for pool in pools:
        api.create(pool.manifest(disabled=not pool.enabled))
    return api


def checks(
    pods: PoolPods = PODS,
    pools: Sequence[OwnPool] = POOLS,
    known: Known | None = None,
    api: PoolApi | None = None,
    noted: Noted | None = None,
) -> PoolChecks:
    """The checks of a process."""
    return PoolChecks(
        cast(Cluster, api or standing_pools(pools)),
        cast(Recorder, noted or Noted()),
        pools,
        pods,
        cast(AddressChecks, known or Known()),
    )


@pytest.mark.parametrize("family", Family)
def test_pools_that_do_what_they_say_are_green(family: Family) -> None:
    """And what all that know of the addresses say, is asked."""
    known = Known()
    asked = checks(known=known)
    asked.must_be_served(family)
    asked.must_have_blocks(family)
    asked.must_serve_no_others(family)
    asked.must_be_routed(family)
    asked.must_serve_its_node_alone(family, SEGMENT)
    assert (known.agreed, known.routed) == ([family], [family])
    assert [cells for _, cells in known.noted] == [3, 3, 2]


def test_an_address_of_another_pool_is_named() -> None:
    """As where the annotation is not heeded, or one family of it."""
    other = dataclasses.replace(
        MASKED[1], addresses=(MASKED[1].addresses[0], *addresses("fd00::9"))
    )
    asked = checks(PoolPods((MASKED[0], other), (BARE,), UNASKED))
    asked.must_be_served(FOUR)
    with pytest.raises(
        VerdictError, match=r"fd00::9 is not in .* six-abc123-pools-gw0-masked-ipv6"
    ):
        asked.must_be_served(SIX)
    alone = dataclasses.replace(BARE, addresses=BARE.addresses[:1])
    with pytest.raises(VerdictError, match="it has no IPv6 address"):
        checks(PoolPods(MASKED, (alone,), UNASKED)).must_be_served(SIX)


def test_a_pool_that_somebody_changed_is_a_finding_where_a_check_is_wrong() -> None:
    """L5: that pool of that family alone; nothing is read while all is well, and the verdict stays
    where the pools cannot be read."""
    served = PoolPods(MASKED, (BARE,), endpoint("unasked", "n1", 5, Purpose.MASKED))
    pool = find(POOLS, Purpose.MASKED, SIX)
    api, noted = standing_pools(), Noted()
    api.pools[pool.name]["spec"]["assignmentMode"] = "Automatic"
    checks(api=api, noted=noted).must_serve_no_others(SIX)
    assert noted.found == []
    asked = checks(served, api=api, noted=noted)
    with pytest.raises(VerdictError) as caught:
        asked.must_serve_no_others(SIX)
    assert caught.value.subjects == (pool.subject(),)
    assert [one.subject for one in noted.found] == [pool.subject().place]
    with pytest.raises(VerdictError):
        asked.must_serve_no_others(FOUR)
    assert len(noted.found) == 1, "the IPv4 pools are as they were"
    silent, noted = PoolApi(), Noted()
    silent.list = refused  # type: ignore[method-assign]
    with pytest.raises(VerdictError):
        checks(served, api=silent, noted=noted).must_serve_no_others(SIX)
    assert noted.found == []


def refused(*_: object, **__: object) -> tuple[Manifest, ...]:
    """The API server is gone."""
    raise ApiError("no answer")


def test_blocks_of_another_size_or_place_are_named() -> None:
    """And where there is none."""
    known = Known()
    known.blocks[1] = block_of(MASKED[0], Purpose.MASKED, SIX, 122)
    with pytest.raises(VerdictError, match=r"is no /125, the blockSize with which IPPool"):
        checks(known=known).must_have_blocks(SIX)
    del known.blocks[1]
    with pytest.raises(VerdictError, match="no IPAM block holds its address"):
        checks(known=known).must_have_blocks(SIX)
    checks(known=known).must_have_blocks(FOUR)
    stray = dataclasses.replace(UNASKED, addresses=addresses("10.244.1.3"))
    found = Ipam((Block(ipaddress.ip_network("10.244.1.0/29"), "n1"),))
    pool = find(POOLS, Purpose.MASKED, FOUR)
    assert "is not in" in pool_effects.odd_block(stray, pool, found)


@pytest.mark.parametrize(
    ("holder", "words"),
    [
        (Allocation("shop", "web", "n1"), "to pod shop/web on n1"),
        (Allocation(node="n1", use="vxlanTunnelAddress"), "to vxlanTunnelAddress of node n1"),
    ],
)
def test_who_else_has_an_address_of_a_pool_is_named(holder: Allocation, words: str) -> None:
    """A pod of somebody's, or a node for its tunnel."""
    known = Known()
    block = known.blocks[0]
    assigned = {**block.assigned, block.cidr[7]: holder}
    known.blocks[0] = dataclasses.replace(block, assigned=assigned)
    with pytest.raises(VerdictError, match=words):
        checks(known=known).must_serve_no_others(FOUR)
    checks(known=known).must_serve_no_others(SIX)


def test_a_pod_that_asked_for_nothing_and_was_served_is_named() -> None:
    """Although nothing of the pool selects it."""
    served = endpoint("unasked", "n1", 5, Purpose.BARE)
    with pytest.raises(VerdictError, match=r"unasked@n1 names no pool and has .*-bare-ipv6"):
        checks(PoolPods(MASKED, (BARE,), served)).must_serve_no_others(SIX)
    segments = endpoint("unasked", "n1", 5, Purpose.SEGMENT)  # which is for it as well
    checks(PoolPods(MASKED, (BARE,), segments)).must_serve_no_others(SIX)


def test_without_blocks_nothing_is_shown() -> None:
    """As with another IPAM."""
    known = Known()
    known.blocks.clear()
    with pytest.raises(NotAsked, match="no block of the run's IPv6 pools"):
        checks(known=known).must_serve_no_others(SIX)


def test_a_pool_that_serves_another_node_is_named() -> None:
    """Whether or not it serves its own."""
    elsewhere = endpoint("plain", "n2", 10, Purpose.SEGMENT)
    wrong = dataclasses.replace(SEGMENT, elsewhere=elsewhere)
    with pytest.raises(VerdictError, match="whose nodeSelector selects n1 alone"):
        checks().must_serve_its_node_alone(SIX, wrong)
    unserved = dataclasses.replace(wrong, inside=UNASKED)
    with pytest.raises(VerdictError, match="selects n1 alone"):
        checks().must_serve_its_node_alone(SIX, unserved)


def test_a_pool_that_was_not_used_shows_nothing() -> None:
    """Calico may give the pod an address of any pool that selects its node."""
    with pytest.raises(NotAsked, match="another pool selects n1 as well"):
        checks().must_serve_its_node_alone(SIX, dataclasses.replace(SEGMENT, inside=UNASKED))
    holders = (SEGMENT.holders[0], UNASKED)
    with pytest.raises(NotAsked, match="no node prefers this pool"):
        checks().must_serve_its_node_alone(SIX, dataclasses.replace(SEGMENT, holders=holders))


class Home:
    """A namespace in which this becomes of a pod that is to be refused."""

    def __init__(self, result: AddressResult) -> None:
        self._result = result

    def refuse(self, *_: object) -> Refusal:
        """The pod is made."""
        return Refusal(Asking("disabled-ipv6", HOME, "n1"), ("six-off", "fd00:5::/121"))

    def result(self, _: Refusal) -> AddressResult:
        """And that becomes of it."""
        return self._result


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (
            AddressResult(
                (), "Calico says: the given pool (fd00:5::/121) does not exist, or is not"
            ),
            "",
        ),
        (AddressResult((), 'Calico says: error parsing pool "six-off": invalid CIDR address'), ""),
        (AddressResult(addresses("fd00:10:244::7"), ""), "got fd00:10:244::7; wanted: no address"),
        (
            AddressResult((), "not scheduled: 0/3 nodes"),
            "the reason does not name the pool: not scheduled",
        ),
        (AddressResult((), ""), "does not name the pool: nothing"),
    ],
    ids=["by range", "by name", "served", "another reason", "none"],
)
def test_a_pod_is_refused_for_its_pool_or_that_is_wrong(result: AddressResult, words: str) -> None:
    """The reason of Calico names the pool."""
    home = cast(PoolHome, Home(result))
    if not words:
        checks().must_refuse(SIX, "disabled", home)
        return
    with pytest.raises(VerdictError, match=words):
        checks().must_refuse(SIX, "disabled", home)


class Measured:
    """Stands for connectivity: every flow has this outcome, servers saw these addresses, and a
    policy of the owner closes flows to some of them."""

    def __init__(
        self, outcome: Outcome, saw: dict[str, str], shut: Sequence[Endpoint] = ()
    ) -> None:
        self.outcome = outcome
        self.saw = saw
        self.shut = shut
        self.strict = False

    def closes(self, flow: Flow) -> str:
        """The policy that closes a flow."""
        return "GlobalNetworkPolicy closed" if flow.destination in self.shut else ""

    def measure(self, title: str, flows: Sequence[Flow]) -> Matrix:
        """What came of the flows."""
        assert flows, title
        return Matrix.of(title, [self._seen(flow) for flow in flows])

    def must_work(self, title: str, flows: Sequence[Flow]) -> Matrix:
        """The same, and all were to work."""
        self.strict = True
        return self.measure(title, flows)

    def _seen(self, flow: Flow) -> Observation:
        saw = self.saw.get(flow.source.name)
        return Observation(flow, self.outcome, peer_saw=ipaddress.ip_address(saw) if saw else None)


OUTSIDE = Endpoint("outside", EndpointKind.OUTSIDE, addresses("192.0.2.99", "2001:db8::99"))
OUTSKIRTS = Outskirts(
    (OUTSIDE, HOST1, HOST2), {name: frozenset(node.addresses) for name, node in NODES.items()}
)


def leave(purpose: Purpose, measured: Measured, known: Known | None = None) -> None:
    """Over IPv6."""
    checks(known=known).must_leave(SIX, purpose, OUTSKIRTS, cast(Connectivity, measured))


NODES_OWN = {"masked@n1": "2001:db8::1", "masked@n2": "2001:db8::2"}
OWN = {pod.name: str(pod.address(SIX)) for pod in (*MASKED, BARE)}


def test_nat_outgoing_is_seen_by_servers() -> None:
    """On: the node's address, and all must work; off: the pod's own, answered or not."""
    known, on = Known(), Measured(Outcome.ALLOWED, NODES_OWN)
    leave(Purpose.MASKED, on, known)
    assert on.strict
    assert known.noted[-1][1] > 4
    for outcome in (Outcome.ALLOWED, Outcome.REPLY_LOST):
        off = Measured(outcome, OWN)
        leave(Purpose.BARE, off)
        assert not off.strict


@pytest.mark.parametrize(
    ("purpose", "saw", "words"),
    [
        (Purpose.MASKED, OWN, "natOutgoing asks for n1's own: 2001:db8::1"),
        (Purpose.MASKED, {"masked@n1": "2001:db8::2"}, "natOutgoing asks for n1's own"),
        (Purpose.BARE, {"bare@n1": "2001:db8::1"}, "natOutgoing is off and the pod has"),
    ],
    ids=["not masked", "another node", "masked"],
)
def test_another_source_address_is_named(purpose: Purpose, saw: dict[str, str], words: str) -> None:
    """With what was seen."""
    with pytest.raises(VerdictError, match=words):
        leave(purpose, Measured(Outcome.ALLOWED, saw))


def test_what_nobody_saw_arrive_shows_nothing() -> None:
    """As where no network carries pods' own addresses, and no policy closes every flow."""
    for shut in ((), OUTSKIRTS.servers[:1]):
        with pytest.raises(NotAsked, match="nothing that the pods sent arrived") as caught:
            leave(Purpose.BARE, Measured(Outcome.DROPPED, {}, shut))
        assert not caught.value.unproven


def test_what_a_policy_closes_is_not_proven() -> None:
    """The policy is named: that nothing arrives says nothing of the network then."""
    with pytest.raises(NotAsked, match="GlobalNetworkPolicy closed") as caught:
        leave(Purpose.BARE, Measured(Outcome.DROPPED, {}, OUTSKIRTS.servers))
    assert caught.value.unproven
    assert "natOutgoing off: not one flow over IPv6 is open" in caught.value.reason


def test_a_family_without_a_free_range_is_not_asked() -> None:
    """The other one is."""
    asked = checks(pools=[pool for pool in POOLS if pool.family is SIX])
    asked.must_be_served(SIX)
    with pytest.raises(NotAsked, match="no range is free for IPv4 pools"):
        asked.must_be_served(FOUR)
    with pytest.raises(NotAsked, match="no range is free"):
        asked.must_refuse(FOUR, "missing", cast(PoolHome, Home(AddressResult((), ""))))


LABELS = {"n1": {"zone": "production"}, "n2": {"zone": "dmz"}}
NAMESPACES = {HOME: {"team": "shop"}}


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({}, ""),
        ({"node_selector": "zone == 'production'"}, ""),
        ({"node_selector": "zone == 'dmz'"}, "nodeSelector of IPPool six (zone == 'dmz') does not"),
        ({"namespace_selector": "team == 'shop'"}, ""),
        ({"namespace_selector": "team == 'other'"}, "namespaceSelector of IPPool six"),
        ({"manual": True}, "is Manual"),
    ],
    ids=["all", "node", "another node", "namespace", "another namespace", "manual"],
)
def test_a_pool_serves_whom_its_selectors_match(spec: dict[str, Any], words: str) -> None:
    """A pod on n1."""
    pool = Pool("six", ipaddress.ip_network("fd00::/64"), 122, **spec)
    said = address_checks.passed_over(pool, UNASKED, LABELS, NAMESPACES)
    assert words in said
    assert bool(said) is bool(words)
    assert address_checks.chooses(pool) is bool(spec)


def test_what_is_not_known_of_a_node_is_held_against_nobody() -> None:
    """Nor can a selector be judged that cannot be read."""
    pool = Pool("six", ipaddress.ip_network("fd00::/64"), 122, node_selector="zone == 'dmz'")
    assert address_checks.passed_over(pool, UNASKED, {}, {}) == ""
    with pytest.raises(NotAsked, match="cannot be read"):
        address_checks.matches("zone ==", {})
