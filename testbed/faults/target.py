"""Where a fault takes place: the variables that its scripts see."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed.cluster.kube import ADMIN, Kubectl
from testbed.errors import BedError
from testbed.faults.fault import Fault, Place
from testbed.host.engine import Engine
from testbed.record import Bed
from testbed.variants import variant

STATE = "/var/lib/six-faults"
# Shell functions that scripts share.
FUNCTIONS = (Path(__file__).parent / "functions.sh").read_text()


@dataclass(frozen=True, slots=True)
class FaultOptions:
    """What the caller requests beside the fault's name; None leaves the choice to the bed."""

    node: str | None = None
    peer: str | None = None
    pod: str | None = None
    service: str | None = None
    family: str | None = None
    value: str | None = None


@dataclass(frozen=True, slots=True)
class FaultTarget:
    """A fault at its place. `ident` names it on the node: the same again is the same fault."""

    fault: Fault
    node: str
    ident: str
    variables: Mapping[str, str]

    def preamble(self) -> str:
        lines = [f"{name}={shlex.quote(text)}" for name, text in self.variables.items()]
        return "\n".join([*lines, f"export KUBECONFIG={ADMIN}", FUNCTIONS])

    def where(self) -> str:
        pod = self.variables.get("POD")
        return f"pod {pod} on {self.node}" if pod else self.node


def split(name: str, what: str) -> tuple[str, str]:
    """`namespace/name`."""
    namespace, _, rest = name.partition("/")
    if not namespace or not rest:
        raise BedError(f"{what} as NAMESPACE/NAME", seen=name, remedy="write both, with a slash")
    return namespace, rest


def of_family(addresses: list[str], family: str) -> str:
    """The first address of a family, or nothing."""
    return next((a for a in addresses if (":" in a) == (family == "IPv6")), "")


def choose_node(
    fault: Fault, bed: Bed, options: FaultOptions, pod: Mapping[str, Any] | None
) -> str:
    """The node whose shell runs the scripts."""
    if fault.place is Place.CLUSTER:
        return bed.nodes[0].name
    if pod is not None:
        return str(pod["spec"]["nodeName"])
    node = options.node or bed.nodes[1 if len(bed.nodes) > 1 else 0].name
    if node not in bed.node_names:
        raise BedError(
            f"a node of the bed ({', '.join(bed.node_names)})",
            seen=node,
            remedy="name one of these with --node",
        )
    return node


def resolve(fault: Fault, bed: Bed, engine: Engine, options: FaultOptions) -> FaultTarget:
    """Find everything that the fault's scripts need; raises BedError for anything missing."""
    if fault.calico and not variant.load(bed.variant).calico:
        raise BedError(
            f"a bed with Calico for fault {fault.name}",
            seen=f"the variant {bed.variant}, which has another network plugin",
            remedy="inject it in a variant with Calico (docs/testbed.md lists them)",
        )
    kubectl = Kubectl(engine, bed.nodes[0].name)
    family = fault.family(options.family)
    pod = None
    if fault.place is Place.POD:
        if options.pod is None:
            raise BedError(f"a pod for fault {fault.name}", remedy="add --pod NAMESPACE/POD")
        namespace, name = split(options.pod, "--pod")
        pod = kubectl.get("pod", name, f"--namespace={namespace}")
    node = choose_node(fault, bed, options, pod)
    ident = "-".join(
        part.replace("/", ".").lower()
        for part in (fault.name, family, options.pod or "", options.service or "")
        if part
    )
    variables = {
        "FAULT": fault.name,
        "NODE": node,
        "DIR": f"{STATE}/{ident}",
        "SAVED": f"{STATE}/{ident}/saved",
        "TABLE": f"six_fault_{fault.name}_{family}".lower(),
        "VALUE": options.value or fault.value,
        **family_variables(family, bed),
        **peer_variables(engine, bed, node, family, options.peer),
        **(pod_variables(engine, node, pod, family) if pod else {"IN": ""}),
        **service_variables(fault, options),
        **object_variables(fault, options, kubectl, family),
        **(dns_variables(kubectl, family) if "$DNS" in fault.proof else {}),
    }
    return FaultTarget(fault, node, ident, variables)


def tunnel(bed: Bed, family: str) -> str:
    """The device that carries pods' packets of a family between the bed's nodes: a tunnel, or the
    interface on the bed's network."""
    return variant.load(bed.variant).tunnel(family) or "eth0"


def family_variables(family: str, bed: Bed) -> dict[str, str]:
    six = family == "IPv6"
    return {
        "FAMILY": family,
        "IPV": "6" if six else "4",
        "NF": "ip6" if six else "ip",
        "NFPROTO": "ipv6" if six else "ipv4",
        "IPTABLES": "ip6tables" if six else "iptables",
        "TUNNEL": tunnel(bed, family),
        "POD_CIDR": of_family(list(bed.pod_subnets), family),
        "SERVICE_CIDR": of_family(list(bed.service_subnets), family),
        "OUTSIDE": bed.outside.ipv6 if six else bed.outside.ipv4,
    }


def peer_variables(
    engine: Engine, bed: Bed, node: str, family: str, options: str | None
) -> dict[str, str]:
    """The other node of a pair: its name, its address and its tunnel's address in the family."""
    others = [machine for machine in bed.nodes if machine.name != node]
    chosen = [m for m in others if m.name == options] if options else others[-1:]
    if not chosen:
        raise BedError(
            "another node as the peer",
            seen=options or "a bed of one node",
            remedy=f"--peer with one of {', '.join(m.name for m in others)}"
            if others
            else "inject it in a variant that has workers",
        )
    peer, version = chosen[0], "-6" if family == "IPv6" else "-4"
    shown = engine.run(
        *("exec", peer.name, "ip", version, "-brief", "address", "show"),
        *("dev", tunnel(bed, family), "scope", "global"),
    ).split()
    return {
        "PEER": peer.name,
        "PEER_ADDRESS": peer.ipv6 if family == "IPv6" else peer.ipv4,
        "PEER_TUNNEL": shown[2].split("/")[0] if len(shown) > 2 else "",
    }


def pod_variables(engine: Engine, node: str, pod: Mapping[str, Any], family: str) -> dict[str, str]:
    """The pod's first process and network namespace, found on its node by the container's id."""
    name = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
    statuses = pod["status"].get("containerStatuses", [])
    container = statuses[0].get("containerID", "").rpartition("/")[2] if statuses else ""
    look = (
        f"grep -ls {shlex.quote(container)} /proc/[0-9]*/cgroup | cut -d/ -f3 | sort -n | head -n1"
    )
    pid = engine.run("exec", node, "sh", "-c", look).strip() if container else ""
    if not pid:
        raise BedError(
            f"a running container in pod {name}",
            seen=pod["status"].get("phase", "no status"),
            remedy="see `kubectl describe pod`",
        )
    netns = engine.run("exec", node, "ip", "netns", "identify", pid).strip()
    addresses = [entry["ip"] for entry in pod["status"].get("podIPs", [])]
    return {
        "POD": name,
        "POD_PID": pid,
        "CONTAINER": container,
        "NETNS": netns,
        "IN": f"ip netns exec {netns}",
        "POD_IP": of_family(addresses, family),
    }


def service_variables(fault: Fault, options: FaultOptions) -> dict[str, str]:
    if not re.search(r"\$SERVICE\b", fault.inject):
        return {}
    if options.service is None:
        raise BedError(
            f"a service for fault {fault.name}", remedy="add --service NAMESPACE/SERVICE"
        )
    namespace, name = split(options.service, "--service")
    return {"NAMESPACE": namespace, "SERVICE": name}


def object_variables(
    fault: Fault, options: FaultOptions, kubectl: Kubectl, family: str
) -> dict[str, str]:
    """The pod whose object a fault at the API changes: its names, and its address of a family."""
    if not re.search(r"\$POD_NAME\b", fault.inject + fault.proof):
        return {}
    if options.pod is None:
        raise BedError(f"a pod for fault {fault.name}", remedy="add --pod NAMESPACE/POD")
    namespace, name = split(options.pod, "--pod")
    pod = kubectl.get("pod", name, f"--namespace={namespace}")
    addresses = [entry["ip"] for entry in pod["status"].get("podIPs", [])]
    return {"NAMESPACE": namespace, "POD_NAME": name, "POD_IP": of_family(addresses, family)}


def dns_variables(kubectl: Kubectl, family: str) -> dict[str, str]:
    """The DNS service's address of a family, or its first when it has none."""
    service = kubectl.get("service", "kube-dns", "--namespace=kube-system")
    addresses = list(service["spec"]["clusterIPs"])
    return {"DNS": of_family(addresses, family) or addresses[0]}
