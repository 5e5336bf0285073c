"""Pod addresses and routes: what agrees is silent, and the first that disagrees is named."""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Callable
from typing import Any, cast

import pytest

from sixproof.agent import protocol
from sixproof.agent.protocol import RouteSeen
from sixproof.calico.ipam import AFFINITIES, BLOCKS
from sixproof.calico.nodes import CalicoNode, TunnelAddress
from sixproof.calico.pools import Pool
from sixproof.calico.state import CalicoState
from sixproof.checks.calico import routes
from sixproof.checks.calico.address_checks import AGREE, ROUTED, SELECTED, AddressChecks
from sixproof.checks.recorder import Recorder
from sixproof.errors import ApiError, NotAsked, VerdictError
from sixproof.kube.api import resources
from sixproof.kube.api.client import Cluster
from sixproof.model import Endpoint, EndpointKind, Family, Judged, Outcome
from sixproof.probes.connect.fake_agents import FakeAgents
from sixproof.workloads.probe_pods.topology import ProbeTopology
from tests.unit.calico.test_ipam import affinity, block
from tests.unit.reporting.conclusion.cluster import node as node_seen

SIX, FOUR = Family.IPV6, Family.IPV4
HOME = {"worker": "fd00:10:244::40", "worker2": "fd00:10:244::80"}
POD_OF = {"worker": ("fd00:10:244::42", "10.244.1.2"), "worker2": ("fd00:10:244::82", "10.244.2.2")}
NODE_OF = {"worker": "2001:db8::1/64", "worker2": "2001:db8::2/64"}


def addresses(*texts: str) -> tuple[Any, ...]:
    return tuple(map(ipaddress.ip_address, texts))


PODS = tuple(
    Endpoint(f"a@{n}", EndpointKind.POD, addresses(*POD_OF[n]), "shop", f"web-{n}", n) for n in HOME
)
HOSTS = tuple(
    Endpoint(f"host@{n}", EndpointKind.HOST, addresses(NODE_OF[n].partition("/")[0]), node=n)
    for n in HOME
)
NODES = tuple(
    CalicoNode(
        n,
        (ipaddress.ip_interface(NODE_OF[n]),),
        (TunnelAddress("VXLAN", ipaddress.ip_address(HOME[n])),),
    )
    for n in HOME
)
POOL = Pool("six", ipaddress.ip_network("fd00:10:244::/64"), 122, "VXLAN")
STATE = CalicoState("v3", pools=(POOL,), nodes=NODES)
IP_POOL = {
    "metadata": {"name": "six"},
    "spec": {"cidr": "fd00:10:244::/64", "blockSize": 122, "vxlanMode": "Always"},
}


class Topology:
    """The two nodes' pods and host networks."""

    pods, hosts = PODS, HOSTS


class Api:
    """An API server with the pods and Calico's blocks; tests change what it says."""

    def __init__(self) -> None:
        self.pods = [
            {
                "metadata": {
                    "namespace": pod.namespace,
                    "name": pod.pod,
                    "annotations": {
                        "cni.projectcalico.org/podIPs": ",".join(f"{a}/128" for a in pod.addresses)
                    },
                },
                "status": {"podIPs": [{"ip": str(a)} for a in pod.addresses]},
            }
            for pod in PODS
        ]
        self.blocks = [self.home(pod) for pod in PODS]
        self.affinities = [affinity(f"{HOME[n]}/122", n) for n in HOME]
        self.refuses = False
        self.pools = [IP_POOL]
        self.nodes = [{"metadata": {"name": n, "labels": {"zone": n}}} for n in HOME]

    @staticmethod
    def home(pod: Endpoint) -> dict[str, Any]:
        """The block of a pod's node, which assigns the pod its address."""
        found = block(f"{HOME[pod.node]}/122", pod.node)
        found["spec"]["attributes"][1]["secondary"] = {
            "namespace": pod.namespace,
            "pod": pod.pod,
            "node": pod.node,
        }
        return found

    def gather(self, calls: list[Callable[[], Any]]) -> list[Any]:
        """All of these, one after the other."""
        return [call() for call in calls]

    def list(self, kind: object, *_: str) -> Any:
        """What there is of a kind."""
        if kind in (BLOCKS, AFFINITIES) and self.refuses:
            raise ApiError("ipamblocks: 403 Forbidden", status=403, reason="Forbidden")
        known = {
            BLOCKS: self.blocks,
            AFFINITIES: self.affinities,
            resources.NODE: self.nodes,
            resources.NAMESPACE: [],
        }
        if getattr(kind, "plural", "") == "ippools":
            return self.pools
        return known.get(kind, self.pods)  # type: ignore[call-overload]


class Kernel:
    """Nodes whose routes are right but for those that a test sets."""

    def __init__(self) -> None:
        self.odd: dict[tuple[str, str], RouteSeen] = {}
        self.held = {
            n: [protocol.AddressHeld("eth0", NODE_OF[n].partition("/")[0], 64, [])] for n in HOME
        }

    def route(self, node: str, address: str) -> RouteSeen:
        """One that Calico would have made."""
        pod = next(p for p in PODS if ipaddress.ip_address(address) in p.addresses)
        if pod.node == node:
            return RouteSeen(address, routes.veth(pod))
        return RouteSeen(address, "vxlan-v6.calico", HOME[pod.node])

    def answer(self, node: str) -> Callable[[object], object]:
        """What a node's agent says."""

        def reply(request: object) -> object:
            if isinstance(request, protocol.RouteGet):
                return protocol.RoutesSeen(
                    [self.odd.get((node, a)) or self.route(node, a) for a in request.addresses]
                )
            return node_seen(node, addresses=self.held[node])

        return reply


class Run:
    """The checks of one run, with what they noted."""

    def __init__(self, state: CalicoState = STATE) -> None:
        self.api, self.kernel = Api(), Kernel()
        self.noted: list[Judged] = []
        agents = FakeAgents({f"host@{n}": self.kernel.answer(n) for n in HOME})
        self.checks = AddressChecks(
            cast(Cluster, self.api),
            agents,
            cast(ProbeTopology, Topology()),
            state,
            cast(Recorder, self),
            settle=0.3,
        )

    def matrix(self, *judged: object) -> None:
        """Takes the recorder's place."""
        self.noted.append(cast(Judged, judged))


def said(check: Callable[[Family], None], family: Family = SIX) -> str:
    """What a failing check says."""
    with pytest.raises(VerdictError) as caught:
        check(family)
    assert set(caught.value.families) == {family}
    return str(caught.value)


def test_a_cluster_where_all_agree_is_green_and_noted() -> None:
    """Both matrices, a cell for each pod, and for each node and pod."""
    run = Run()
    run.checks.must_agree(SIX)
    run.checks.must_route(SIX)
    run.checks.must_have_its_nodes_addresses(SIX)
    run.checks.must_keep_its_blocks(HOME)
    outcomes = {m.title: [o.outcome for o in m.observations()] for m, _ in run.noted}
    assert outcomes == {AGREE: [Outcome.ALLOWED] * 2, ROUTED: [Outcome.ALLOWED] * 4}


def test_pod_ips_that_lack_what_calico_gave_are_named() -> None:
    """As behind a chained plugin that takes IPv6 out of the result; IPv4 is not accused."""
    run = Run()
    run.api.pods[0]["status"]["podIPs"] = [{"ip": "10.244.1.2"}]  # type: ignore[index]
    assert "a@worker" in said(run.checks.must_agree)
    assert "its podIPs lack fd00:10:244::42" in said(run.checks.must_agree)
    assert "a@worker2" not in said(run.checks.must_agree)


def test_a_note_that_lacks_an_address_is_named() -> None:
    """What the API server has of a pod, Calico did not assign."""
    run = Run()
    run.api.pods[1]["metadata"]["annotations"] = {  # type: ignore[index]
        "cni.projectcalico.org/podIPs": "10.244.2.2/32"
    }
    assert "what Calico's CNI plugin noted" in said(run.checks.must_agree)
    assert "has no IPv6 address" in said(run.checks.must_agree)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"cidr": "fd00:10:244:1::/122"}, "no IPAM block holds its address fd00:10:244::42"),
        ({"allocations": [0, None, None]}, "has fd00:10:244::42 free"),
        ({"allocations": [0, None, 0]}, "assigns its address fd00:10:244::42 to vxlanTunnel"),
    ],
    ids=["no block", "free", "another's"],
)
def test_ipam_that_says_something_else_is_named(change: dict[str, Any], words: str) -> None:
    """No block, an address that is free, one that somebody else has."""
    run = Run()
    run.api.blocks[0]["spec"].update(change)
    assert words in said(run.checks.must_agree)


def test_what_nobody_notes_cannot_be_compared() -> None:
    """Another IPAM, or an account that may not read."""
    run = Run()
    run.api.refuses = True
    with pytest.raises(NotAsked, match="ipamblocks: 403 Forbidden"):
        run.checks.must_agree(SIX)
    run = Run()
    run.api.blocks.clear()
    for pod in run.api.pods:
        pod["metadata"]["annotations"] = {}  # type: ignore[index]
    with pytest.raises(NotAsked, match="notes no pod's addresses"):
        run.checks.must_agree(SIX)
    with pytest.raises(NotAsked, match="no IPAM block"):
        run.checks.must_keep_its_blocks(HOME)


@pytest.mark.parametrize(
    ("route", "words"),
    [
        (RouteSeen("x", error="Invalid argument"), "no route to x: Invalid argument"),
        (RouteSeen("x", "eth0", "2001:db8::9"), "go by eth0 via 2001:db8::9, wanted vxlan-v6"),
        (RouteSeen("x", "vxlan-v6.calico", HOME["worker"]), f"wanted via {HOME['worker2']}"),
        (
            RouteSeen("x", "vxlan-v6.calico"),
            f"wanted via {HOME['worker2']} (worker2's tunnel address)",
        ),
    ],
    ids=["none", "another device", "another node", "no next hop"],
)
def test_a_route_that_leads_elsewhere_is_named(route: RouteSeen, words: str) -> None:
    """Node and pod are the cell's own."""
    run = Run()
    run.kernel.odd["worker", POD_OF["worker2"][0]] = route
    text = said(run.checks.must_route)
    assert "host@worker -> a@worker2" in text
    assert words in text


def test_the_device_of_another_pod_is_no_way_to_this_one() -> None:
    """A route that a pod of the same address left behind."""
    run = Run()
    run.kernel.odd["worker", POD_OF["worker"][0]] = RouteSeen("x", "cali0123456789a")
    assert f"wanted {routes.veth(PODS[0])} (the pod is here)" in said(run.checks.must_route)


def test_the_name_of_a_pods_device() -> None:
    """As the bed's Calico v3.31 named that of six-d2018f-a/a-six-worker."""
    pod = Endpoint("a", EndpointKind.POD, (), "six-d2018f-a", "a-six-worker", "six-worker")
    assert routes.veth(pod) == "cali1e2251c88aa"


@pytest.mark.parametrize(
    ("mode", "device", "gateway", "right"),
    [
        ("None", "eth0", "2001:db8::2", True),
        ("None", "vxlan-v6.calico", HOME["worker2"], False),
        ("None", "eth0", "2001:db8::9", False),
        ("VXLANCrossSubnet", "eth0", "2001:db8::2", True),
        ("IPIP", "tunl0", "", True),
        ("IPIP", "eth0", "2001:db8::2", False),
    ],
)
def test_the_pools_mode_says_which_way_is_right(
    mode: str, device: str, gateway: str, right: bool
) -> None:
    """Nodes of one subnet."""
    pool = Pool("six", POOL.cidr, 122, mode)
    state = CalicoState("v3", pools=(pool,), nodes=NODES)
    address = PODS[1].addresses[0]
    way = routes.wanted(state, "worker", PODS[1], address)
    found = routes.misled(RouteSeen(str(address), device, gateway), way)
    assert (found == "") is right


def test_without_pool_or_node_any_way_will_do() -> None:
    """What is not known is not wanted; a kernel that has none is still wrong."""
    way = routes.wanted(CalicoState("v3"), "worker", PODS[1], PODS[1].addresses[0])
    assert routes.misled(RouteSeen("x", "eth7"), way) == ""
    assert routes.misled(RouteSeen("x", error="Network is unreachable"), way)


@pytest.mark.parametrize(
    ("held", "words"),
    [
        (protocol.AddressHeld("eth0", "2001:db8::7", 64, []), "which no device of the node has"),
        (protocol.AddressHeld("eth0", "2001:db8::1", 80, []), "eth0 has it with /80"),
        (protocol.AddressHeld("eth0", "odd", 64, []), "which no device of the node has"),
    ],
    ids=["gone", "another subnet", "no address"],
)
def test_an_address_that_the_node_has_otherwise_is_named(
    held: protocol.AddressHeld, words: str
) -> None:
    """With the node's name, and of this family alone."""
    run = Run()
    run.kernel.held["worker"] = [held]
    text = said(run.checks.must_have_its_nodes_addresses)
    assert text.startswith("node worker: Calico chose 2001:db8::1/64")
    assert words in text


def test_an_address_that_the_method_would_not_choose_is_named() -> None:
    """With the node and its device; a method that is not known, or has no address, is not asked."""
    run = Run()
    with pytest.raises(NotAsked, match="how Calico chooses IPv6 addresses of nodes is not known"):
        run.checks.must_be_chosen_by_the_method(SIX)
    for method in ("first-found", "cidr=2001:db8:1::/48"):
        run.checks.state = dataclasses.replace(
            run.checks.state, autodetection=tuple((family, method) for family in Family)
        )
        if method == "first-found":
            run.checks.must_be_chosen_by_the_method(SIX)
            with pytest.raises(NotAsked, match="chose no IPv4 address"):
                run.checks.must_be_chosen_by_the_method(FOUR)
    lines = said(run.checks.must_be_chosen_by_the_method).splitlines()
    assert lines[0] == (
        "node worker: Calico chose 2001:db8::1/64 on eth0, which is not in 2001:db8:1::/48; "
        "restart calico-node there, or mend IP6_AUTODETECTION_METHOD (of the Installation: "
        "nodeAddressAutodetectionV6)"
    )
    assert len(lines) == 2


def test_a_node_without_an_address_of_a_family() -> None:
    """Calico chose none."""
    assert "chose no IPv4 address" in said(Run().checks.must_have_its_nodes_addresses, FOUR)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"cidr": "fd00:9::/122"}, "IPAM block fd00:9::/122 is in no IPPool"),
        ({"cidr": "fd00:10:244::40/123"}, "of IPPool six is no /122"),
        ({"affinity": "host:gone"}, "is of node gone, which does not exist"),
        ({"affinity": "host:worker2"}, "is of worker2, its affinity says node worker"),
    ],
    ids=["no pool", "size", "node gone", "affinity"],
)
def test_a_block_that_does_not_fit_is_named(change: dict[str, Any], words: str) -> None:
    """By its cidr."""
    run = Run()
    run.api.blocks[0]["spec"].update(change)
    with pytest.raises(VerdictError) as caught:
        run.checks.must_keep_its_blocks(HOME)
    assert words in str(caught.value)


def test_pools_that_come_and_go_meanwhile_are_no_fault() -> None:
    """Another process of the run makes its own: what does not fit is looked at again."""
    run = Run()
    run.api.blocks.append(block("fd00:7::/125", "worker"))
    run.api.pools.append({"metadata": {"name": "own"}, "spec": {"cidr": "fd00:7::/121"}})
    run.api.pools[-1]["spec"]["blockSize"] = 125  # type: ignore[index]
    run.checks.must_keep_its_blocks(HOME)
    run.api.pools.pop()
    with pytest.raises(VerdictError, match="fd00:7::/125 is in no IPPool"):
        run.checks.must_keep_its_blocks(HOME)


def test_pods_with_addresses_of_a_pool_for_other_nodes_are_named() -> None:
    """A pool for worker alone serves a pod on worker2."""
    pool = dataclasses.replace(POOL, node_selector="zone == 'worker'")
    run = Run(dataclasses.replace(STATE, pools=(pool,)))
    text = said(run.checks.must_be_selected)
    assert "a@worker2" in text
    assert "the nodeSelector of IPPool six (zone == 'worker') does not select worker2" in text
    assert "-> a@worker over" not in text
    run.api.nodes[1]["metadata"]["labels"]["zone"] = "worker"  # type: ignore[index]
    run.checks.must_be_selected(SIX)
    assert [m.title for m, _ in run.noted] == [SELECTED, SELECTED]


def test_pools_that_serve_every_pod_show_no_segment() -> None:
    """Such a check could not fail."""
    with pytest.raises(NotAsked, match="every IPv6 pool serves every pod"):
        Run().checks.must_be_selected(SIX)
    with pytest.raises(NotAsked, match="every IPv4 pool serves every pod"):
        Run().checks.must_be_selected(FOUR)
