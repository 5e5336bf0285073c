"""Items of the check-list that nodes answer: kernel settings, addresses, packet filter."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from sixproof.agent.protocol import FilterSeen, NodeSeen
from sixproof.model import Family
from sixproof.reporting.bundle.evidence import RunEvidence
from sixproof.reporting.bundle.judged import Item, ItemFault, Judged
from sixproof.reporting.causes.kernel.settings_of_nodes import DISABLED, FORWARDING, dotted

NODE_FACTS, FILTERS = "node-facts/", "packet-filters/"

IPV6_ENABLED = Item(
    "ipv6-enabled",
    "IPv6 is enabled in the kernel of every node",
    (NODE_FACTS,),
    "sysctl -w SETTING=0 on that node, and find who sets it to 1",
)
FORWARDED = Item(
    "forwarding",
    "Every node forwards packets of each family of the cluster",
    (NODE_FACTS,),
    "sysctl -w SETTING=1 on that node, and keep it in /etc/sysctl.d",
)
ACCEPT_RA = Item(
    "accept-ra",
    "A default route that came by a router advertisement stays although the node forwards",
    (NODE_FACTS,),
    "sysctl -w net.ipv6.conf.DEVICE.accept_ra=2 (RFC 4861 section 6.2.8, Linux ip-sysctl)",
)
NODE_ADDRESSES = Item(
    "node-addresses",
    "Every node has an InternalIP of each family of the cluster",
    ("nodes.json",),
    "start its kubelet with --node-ip=<IPv4>,<IPv6>",
)
PACKET_FILTER = Item(
    "packet-filter",
    "Rules of Calico and kube-proxy are hooked into the packet filter of both families",
    (FILTERS,),
    "restart calico-node or kube-proxy there, and find who flushed the rules of this family",
)

_RA = 9  # RTPROT_RA of rtnetlink(7)
_DEFAULT = {Family.IPV4: "0.0.0.0/0", Family.IPV6: "::/0"}
_TUNNELS = ("vxlan-v6.calico", "wg-v6.cali")
_TABLES = {"calico": "Calico", "kube-proxy": "kube-proxy"}
_CHAINS = {"cali-": "Calico", "KUBE-": "kube-proxy"}
_FAMILIES = {"ip": (Family.IPV4,), "ip6": (Family.IPV6,), "inet": tuple(Family)}

Look = Callable[[NodeSeen], tuple[list[ItemFault], str]]
"""What is wrong with a node, and why that cannot be said, "" where it can."""


def judge(evidence: RunEvidence) -> Iterator[Judged]:
    """All of them."""
    if Family.IPV6 in evidence.families:
        yield _by_node(IPV6_ENABLED, evidence, _disabled)
    else:
        yield IPV6_ENABLED.unused("neither pods nor services have IPv6")
    yield _by_node(FORWARDED, evidence, lambda seen: _not_forwarded(seen, evidence.families))
    yield _by_node(ACCEPT_RA, evidence, _expiring)
    yield _addresses(evidence)
    yield _packet_filter(evidence)


def _by_node(item: Item, evidence: RunEvidence, look: Look) -> Judged:
    wrong: list[ItemFault] = []
    unseen = dict(evidence.silent_nodes)
    for node, seen in sorted(evidence.nodes.items()):
        found, why = look(seen)
        wrong += [ItemFault(f"{node}: {one.text}", one.family, node) for one in found]
        if why and not found:
            unseen[node] = why
    nodes = list(evidence.nodes)
    return item.of_places(wrong, unseen, nodes, f"on {len(nodes)} nodes")


def _disabled(seen: NodeSeen) -> tuple[list[ItemFault], str]:
    """The whole node, the device of its default route, or a tunnel that carries IPv6."""
    uplinks = {r.device for r in seen.routes if r.destination in _DEFAULT.values()}
    devices = [d for d in (link.name for link in seen.links) if d in uplinks or d in _TUNNELS]
    names = [DISABLED.format(device) for device in ("all", *devices)]
    wrong = [
        ItemFault(f"{dotted(name)} is 1", Family.IPV6)
        for name in names
        if seen.sysctls.get(name) == "1"
    ]
    return wrong, "" if names[0] in seen.sysctls else f"{dotted(names[0])} was not reported"


def _not_forwarded(seen: NodeSeen, families: tuple[Family, ...]) -> tuple[list[ItemFault], str]:
    names = {family: FORWARDING[family] for family in families}
    wrong = [
        ItemFault(f"{dotted(name)} is 0", family)
        for family, name in names.items()
        if seen.sysctls.get(name) == "0"
    ]
    unreported = [dotted(name) for name in names.values() if name not in seen.sysctls]
    return wrong, f"{', '.join(unreported)} was not reported" if unreported else ""


def _expiring(seen: NodeSeen) -> tuple[list[ItemFault], str]:
    """With forwarding on, the kernel takes advertisements at accept_ra 2 alone; 0 leaves them to
    a program, which keeps the route."""
    learnt = {
        r.device
        for r in seen.routes
        if r.destination == _DEFAULT[Family.IPV6] and r.protocol == _RA
    }
    if not learnt or seen.sysctls.get(FORWARDING[Family.IPV6]) == "0":
        return [], ""
    values = {d: seen.sysctls.get(f"net/ipv6/conf/{d}/accept_ra") for d in sorted(learnt)}
    wrong = [
        ItemFault(
            f"net.ipv6.conf.{d}.accept_ra is 1, and its default route is of an advertisement",
            Family.IPV6,
        )
        for d, value in values.items()
        if value == "1"
    ]
    unreported = [f"net.ipv6.conf.{d}.accept_ra" for d, value in values.items() if value is None]
    return wrong, f"{', '.join(unreported)} was not reported" if unreported else ""


def _addresses(evidence: RunEvidence) -> Judged:
    nodes = [node for node in evidence.facts.nodes if node.ready]
    wrong = [
        ItemFault(f"{node.name} has no {family} InternalIP", family, node.name)
        for node in nodes
        for family in evidence.families
        if family not in node.families()
    ]
    return NODE_ADDRESSES.of_places(
        wrong, {}, [n.name for n in nodes], f"{len(nodes)} nodes with {_all(evidence.families)}"
    )


def _packet_filter(evidence: RunEvidence) -> Judged:
    """An owner with hooks for one family, or on one node, is expected for all."""
    hooked = {node: _hooked(seen) for node, seen in sorted(evidence.filters.items())}
    if not hooked:
        return PACKET_FILTER.unseen("packet filters are read where a test failed (--six-raw)")
    owners = sorted({o for found in hooked.values() for family in found.values() for o in family})
    if not owners:
        return PACKET_FILTER.unseen("nftables shows no rule of Calico or of kube-proxy")
    wrong = [
        ItemFault(f"{node}: no rule of {owner} for {family}", family, node)
        for node, found in hooked.items()
        for family in evidence.families
        for owner in owners
        if owner not in found[family]
    ]
    unread = {n.node: "not read" for n in evidence.node_readings if n.node not in hooked}
    summary = f"{' and '.join(owners)} on {len(hooked)} nodes"
    return PACKET_FILTER.of_places(wrong, unread, list(hooked), summary)


def _hooked(seen: FilterSeen) -> Mapping[Family, set[str]]:
    """Owners of the rules that a family's packets traverse: by base chains in their tables, or by
    jumps to theirs."""
    found: dict[Family, set[str]] = {family: set() for family in Family}
    for chain in seen.chains:
        for family in _FAMILIES.get(chain.family, ()):
            found[family] |= {who for name, who in _TABLES.items() if chain.table == name}
    for rule in seen.rules:
        for family in _FAMILIES.get(rule.family, ()):
            found[family] |= {who for sign, who in _CHAINS.items() if rule.jump.startswith(sign)}
    return found


def _all(families: tuple[Family, ...]) -> str:
    return " and ".join(families)
