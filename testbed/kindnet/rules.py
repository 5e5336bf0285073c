"""NetworkPolicy (networking.k8s.io/v1) and source NAT as nftables rules of one node.

A pod that a policy selects is isolated in the directions that the policy has: what no rule of its
policies allows is dropped. The rules see packets that the node forwards, after kube-proxy has
replaced a service's address with a pod's, and those that a pod sends to its own node. What a node
itself sends to its pods is neither, so the kubelet's probes always pass.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from testbed.kindnet.cni import version

TABLE = "inet kindnet"
ENDED = ("Succeeded", "Failed")
PROTOCOLS = {"TCP": "tcp", "UDP": "udp", "SCTP": "sctp"}
KEYWORDS = {4: "ip", 6: "ip6"}
NEIGHBOURS = "nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert"
"""RFC 4861, in nft's syntax."""

Manifest = dict[str, Any]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Ports = tuple[str, tuple[tuple[int, int], ...]]
"""A protocol in nft's syntax and ranges of its ports, none for all of them."""
Match = tuple[str, ...]
"""The match on packets, in nft's syntax."""


@dataclass(frozen=True)
class Pod:
    """A pod with its own addresses. `ports` are its named ones: name, protocol, number."""

    namespace: str
    name: str
    node: str
    labels: dict[str, str]
    addresses: tuple[str, ...]
    ports: tuple[tuple[str, str, int], ...]

    def number(self, name: str, protocol: str) -> int | None:
        """The number of a named port, None where the pod has no such port."""
        return next((n for given, p, n in self.ports if (given, p) == (name, protocol)), None)


@dataclass(frozen=True)
class ClusterView:
    """The input of the rules: pods, the labels of namespaces by name, and policies."""

    pods: tuple[Pod, ...]
    namespaces: dict[str, dict[str, str]]
    policies: tuple[Manifest, ...]

    @classmethod
    def of(
        cls,
        pods: Iterable[Manifest],
        namespaces: Iterable[Manifest],
        policies: Iterable[Manifest],
    ) -> ClusterView:
        found = [_pod(pod) for pod in pods if _has_addresses(pod)]
        return cls(
            tuple(sorted(found, key=lambda pod: (pod.namespace, pod.name))),
            {n["metadata"]["name"]: n["metadata"].get("labels") or {} for n in namespaces},
            tuple(policies),
        )

    def selecting(self, pod: Pod, direction: str) -> list[Manifest]:
        """The policies by which a pod is isolated in a direction, ``Ingress`` or ``Egress``."""
        return [
            policy
            for policy in self.policies
            if policy["metadata"]["namespace"] == pod.namespace
            and direction in _types(policy["spec"])
            and selects(policy["spec"].get("podSelector") or {}, pod.labels)
        ]

    def peers(self, peer: Manifest, namespace: str) -> list[Network]:
        """The addresses that a policy's peer covers in a namespace."""
        if block := peer.get("ipBlock"):
            return without(block["cidr"], block.get("except") or ())
        return [
            ipaddress.ip_network(address)
            for pod in self.pods
            if self._is_peer(pod, peer, namespace)
            for address in pod.addresses
        ]

    def _is_peer(self, pod: Pod, peer: Manifest, namespace: str) -> bool:
        spaces, pods = peer.get("namespaceSelector"), peer.get("podSelector")
        if spaces is None:
            inside = pod.namespace == namespace
        else:
            inside = selects(spaces, self.namespaces.get(pod.namespace, {}))
        return inside and (pods is None or selects(pods, pod.labels))


def ruleset(cluster: ClusterView, node: str, ranges: Sequence[str]) -> str:
    """The input of `nft -f`: the whole table at once, so that no packet meets half of it."""
    chains: list[str] = []
    maps: dict[tuple[str, int], list[str]] = {}
    local = [pod for pod in cluster.pods if pod.node == node]
    for number, pod in enumerate(local):
        for direction, field in (("Egress", "saddr"), ("Ingress", "daddr")):
            policies = cluster.selecting(pod, direction)
            if not policies:
                continue
            name = f"{direction.lower()}-{number}"
            rules = dict.fromkeys(
                match for policy in policies for match in _allowed(cluster, pod, policy, direction)
            )
            lines = "".join(f"    {' '.join([*rule, 'return'])}\n" for rule in rules)
            # Kubernetes names contain no quotation marks; nft allows comments of 128 bytes.
            about = f'    comment "{f"{pod.namespace}/{pod.name}"[:120]}"\n'
            chains.append(f"  chain {name} {{\n{about}{lines}    drop\n  }}\n")
            for address in pod.addresses:
                entry = f"{address} : jump {name}"
                maps.setdefault((field, version(address)), []).append(entry)
    sending, receiving = (
        "".join(
            f"    {KEYWORDS[family]} {field} vmap {{ {', '.join(entries)} }}\n"
            for family in KEYWORDS
            if (entries := maps.get((field, family)))
        )
        for field in ("saddr", "daddr")
    )
    # A pod may be the sender and another the receiver of a forwarded packet: both are checked.
    forward = _hooked("forward", "", sending + receiving)
    # A pod finds its gateway by neighbour discovery, which no policy covers.
    to_the_node = _hooked("input", f"    icmpv6 type {{ {NEIGHBOURS} }} accept\n", sending)
    return (
        f"add table {TABLE}\ndelete table {TABLE}\ntable {TABLE} {{\n{''.join(chains)}"
        f"{forward}{to_the_node}{_masquerade(ranges)}}}\n"
    )


def _hooked(hook: str, first: str, jumps: str) -> str:
    """A base chain: packets of a known connection pass, the rest is checked."""
    where = f"    type filter hook {hook} priority filter; policy accept;\n"
    known = "    ct state established,related accept\n"
    return f"  chain {hook} {{\n{where}{known}{first}{jumps}  }}\n"


def _masquerade(ranges: Sequence[str]) -> str:
    """Packets that leave the pods' ranges get their node's address: pods are not routed outside."""
    rules = "".join(
        f"    {KEYWORDS[version(one)]} saddr {one} {KEYWORDS[version(one)]} daddr != {one}"
        " masquerade\n"
        for one in ranges
    )
    hook = "    type nat hook postrouting priority srcnat; policy accept;\n"
    return f"  chain postrouting {{\n{hook}{rules}  }}\n"


def _allowed(cluster: ClusterView, pod: Pod, policy: Manifest, direction: str) -> Iterator[Match]:
    """The matches of the traffic that a policy allows an isolated pod."""
    key, peers_key, field = (
        ("ingress", "from", "saddr") if direction == "Ingress" else ("egress", "to", "daddr")
    )
    namespace = policy["metadata"]["namespace"]
    for rule in policy["spec"].get(key) or ():
        peers = rule.get(peers_key) or ()
        networks = [n for peer in peers for n in cluster.peers(peer, namespace)] if peers else None
        ports = rule.get("ports") or ()
        if not ports:
            yield from _matches(field, networks, None)
        for port in ports:
            for where, given in _resolved(cluster, pod, port, networks, direction):
                yield from _matches(field, where, given)


def _resolved(
    cluster: ClusterView, pod: Pod, port: Manifest, networks: list[Network] | None, direction: str
) -> Iterator[tuple[list[Network] | None, Ports]]:
    """A port of a rule with the addresses it is allowed for. A name is a port of the dialled pod:
    of this one on ingress, of each of the others on egress."""
    asked = port.get("protocol", "TCP")
    protocol, value = PROTOCOLS[asked], port.get("port")
    if not isinstance(value, str):
        yield (
            networks,
            (protocol, () if value is None else ((value, port.get("endPort") or value),)),
        )
        return
    if direction == "Ingress":
        number = pod.number(value, asked)
        if number is not None:
            yield networks, (protocol, ((number, number),))
        return
    dialled: dict[int, list[Network]] = {}
    named = [(n, o) for o in cluster.pods if (n := o.number(value, asked)) is not None]
    for number, other in named:
        for one in map(ipaddress.ip_network, other.addresses):
            if networks is None or any(_holds(network, one) for network in networks):
                dialled.setdefault(number, []).append(one)
    for number, addresses in sorted(dialled.items()):
        yield addresses, (protocol, ((number, number),))


def _matches(field: str, networks: list[Network] | None, ports: Ports | None) -> Iterator[Match]:
    """A match for each family that has addresses in it; an empty one matches all packets."""
    last = () if ports is None else (_port_words(ports),)
    if networks is None:
        yield last
        return
    for family, keyword in KEYWORDS.items():
        chosen = collapsed(n for n in networks if n.version == family)
        if chosen:
            elements = ", ".join(str(n) if n.num_addresses > 1 else str(n[0]) for n in chosen)
            yield (f"{keyword} {field} {{ {elements} }}", *last)


def _port_words(ports: Ports) -> str:
    protocol, ranges = ports
    if not ranges:
        return f"meta l4proto {protocol}"
    numbers = ", ".join(f"{low}-{high}" if high > low else str(low) for low, high in ranges)
    return f"{protocol} dport {{ {numbers} }}"


def collapsed(networks: Iterable[Network]) -> list[Network]:
    """Networks of one family without overlaps, which an nft set does not accept."""
    return list(ipaddress.collapse_addresses(networks))  # type: ignore[type-var]


def without(cidr: str, excepted: Iterable[str]) -> list[Network]:
    """The networks of a range that remain when others are excluded from it."""
    left: list[Network] = [ipaddress.ip_network(cidr, strict=False)]
    for text in excepted:
        gone = ipaddress.ip_network(text, strict=False)
        left = [part for one in left for part in _less(one, gone)]
    return left


def _less(one: Network, gone: Network) -> list[Network]:
    if _holds(gone, one):
        return []
    if not _holds(one, gone):
        return [one]
    return list(one.address_exclude(gone))  # type: ignore[arg-type]


def _holds(outer: Network, inner: Network) -> bool:
    return outer.version == inner.version and inner.subnet_of(outer)  # type: ignore[arg-type]


def selects(selector: Manifest, labels: dict[str, str]) -> bool:
    """Whether a LabelSelector matches; an empty one matches everything."""
    wanted = selector.get("matchLabels") or {}
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        _meets(requirement, labels) for requirement in selector.get("matchExpressions") or ()
    )


def _meets(requirement: Manifest, labels: dict[str, str]) -> bool:
    key, values = requirement["key"], requirement.get("values") or ()
    match requirement["operator"]:
        case "In":
            return key in labels and labels[key] in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
    return False


def _types(spec: Manifest) -> list[str]:
    return spec.get("policyTypes") or ["Ingress", *(["Egress"] if spec.get("egress") else [])]


def _has_addresses(pod: Manifest) -> bool:
    status = pod.get("status", {})
    own = not pod["spec"].get("hostNetwork") and status.get("phase") not in ENDED
    return bool(own and status.get("podIPs"))


def _pod(pod: Manifest) -> Pod:
    about = pod["metadata"]
    # Sidecars are init containers that keep running; their ports are the pod's as well.
    spec = pod["spec"]
    containers = [*spec.get("initContainers", ()), *spec.get("containers", ())]
    return Pod(
        namespace=about["namespace"],
        name=about["name"],
        node=spec.get("nodeName", ""),
        labels=about.get("labels") or {},
        addresses=tuple(entry["ip"] for entry in pod["status"]["podIPs"]),
        ports=tuple(
            (port["name"], port.get("protocol", "TCP"), port["containerPort"])
            for container in containers
            for port in container.get("ports") or ()
            if port.get("name")
        ),
    )
