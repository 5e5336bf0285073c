"""A router beside the cluster with which the nodes peer by BGP, and a client in a rack behind it.

The router runs BIRD, one daemon per family, and forwards between the bed's network and the rack, a
separate link to the client. It learns the nodes' routes and announces the rack's network: how
traffic from outside enters a cluster whose pods are not hidden behind tunnels.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from testbed.host.engine import Engine
from testbed.network import outside
from testbed.record import Machine
from testbed.variants.keys import Family, Stack
from testbed.variants.variant import Variant

RACK_DEVICE = "rack"
FOLDER = "/etc/router"
ROUTER_ID = "192.0.2.254"
"""The 32-bit BGP identifier, from a range for documentation (RFC 5737)."""
HOLD_SECONDS = 30
"""Seconds without a message from the peer after which a session ends (RFC 4271 section 4.2)."""
_DAEMONS = {Family.IPV4: "bird", Family.IPV6: "bird6"}
_CLIENTS = {Family.IPV4: "birdc", Family.IPV6: "birdc6"}
_START = (
    f"mkdir -p /run/router && bird -c {FOLDER}/bird.conf -s /run/router/bird.ctl"
    f" && exec bird6 -f -c {FOLDER}/bird6.conf -s /run/router/bird6.ctl"
)
_PROTOCOL = re.compile(r"^(?P<name>\S+)\s+BGP\s+\S+\s+(?P<state>\S+)\s+\S+\s*(?P<info>.*)$", re.M)


def configuration(variant: Variant, stack: Stack, nodes: Iterable[Machine]) -> str:
    """BIRD's configuration for a family: a session to each node, which announces the rack."""
    assert variant.bgp is not None
    six = stack.family is Family.IPV6
    sessions = "\n".join(
        f"protocol bgp {session_name(node.name)} from nodes"
        f" {{ neighbor {node.ipv6 if six else node.ipv4} as {variant.bgp.as_number}; }}"
        for node in nodes
    )
    return f"""# Written by `testbed up`.
router id {ROUTER_ID};
protocol device {{ scan time 2; }}
protocol direct {{ interface "{RACK_DEVICE}"; }}
protocol kernel {{
  scan time 2;
  merge paths yes;
  export where source = RTS_BGP;
}}
template bgp nodes {{
  local as {variant.bgp.router_as_number};
  hold time {HOLD_SECONDS};
  connect retry time 2;
  error wait time 1, 4;
  import all;
  export where source = RTS_DEVICE;
}}
{sessions}
"""


def session_name(node: str) -> str:
    """A node's session, by a name that BIRD accepts."""
    return f"to_{re.sub('[^a-z0-9]', '_', node)}"


def ends(stack: Stack) -> tuple[str, str]:
    """The addresses of router and client in the rack, with their prefix length."""
    assert stack.rack is not None
    first, second = (stack.rack[number] for number in (1, 2))
    return f"{first}/{stack.rack.prefixlen}", f"{second}/{stack.rack.prefixlen}"


def ensure(
    engine: Engine,
    variant: Variant,
    nodes: Iterable[Machine],
    image: str,
    node_image: str,
    at: Path,
) -> tuple[Machine, Machine]:
    """Start router and client unless they run, and beside the router a container in which an agent
    can read its kernel's routes. `image` has Python, `node_image` BIRD; `at` is the
    folder of the router's files. Returns both, the client with its addresses in the rack."""
    folder = at / "router"
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        folder / f"{_DAEMONS[stack.family]}.conf": configuration(variant, stack, nodes)
        for stack in variant.stacks
    }
    changed = [path for path, text in files.items() if _other(path, text)]
    for path in changed:
        path.write_text(files[path])
    if changed or not all(map(engine.running, containers(variant))):
        _start(engine, variant, image, node_image, folder)
    four, six = (
        next((ends(s)[1].partition("/")[0] for s in variant.stacks if s.family is family), "")
        for family in Family
    )
    router = outside.address(engine, variant.router, variant.network, "router")
    return router, Machine(variant.rack, "rack", four, six)


def containers(variant: Variant) -> tuple[str, ...]:
    """The router, what runs Python in its network, and the client."""
    return variant.router, variant.router_agent, variant.rack


def _other(path: Path, text: str) -> bool:
    return not path.is_file() or path.read_text() != text


def _start(engine: Engine, variant: Variant, image: str, node_image: str, folder: Path) -> None:
    remove(engine, variant)
    label = ("--label", f"sixproof.test/bed={variant.cluster}", "--pull", "never")
    engine.run(
        *("run", "--detach", "--name", variant.router, "--hostname", "router", *label),
        *("--network", variant.network, "--cap-add", "NET_RAW", "--cap-add", "NET_ADMIN"),
        *("--sysctl", "net.ipv4.ip_forward=1", "--sysctl", "net.ipv6.conf.all.forwarding=1"),
        *("--sysctl", "net.ipv6.conf.all.disable_ipv6=0"),
        *("--volume", f"{folder}:{FOLDER}:ro", "--entrypoint", "sh", node_image, "-c", _START),
    )
    engine.run(
        *("run", "--detach", "--name", variant.router_agent, *label),
        *("--network", f"container:{variant.router}", image, "python3", "-c", outside.WAIT),
    )
    engine.run(
        *("run", "--detach", "--name", variant.rack, "--hostname", "rack", *label),
        *("--network", "none", "--cap-add", "NET_RAW", "--cap-add", "NET_ADMIN"),
        *("--sysctl", "net.ipv6.conf.all.disable_ipv6=0"),
        *("--sysctl", "net.ipv4.ping_group_range=0 2147483647"),
        *(image, "python3", "-c", outside.WAIT),
    )
    client = engine.run("inspect", "--format", "{{.State.Pid}}", variant.rack).strip()
    beside = outside.beside(variant.router, node_image, "sh", "--pid", "host")
    addresses = (
        f"ip address add {ends(s)[0]} dev {RACK_DEVICE}{_nodad(s)}" for s in variant.stacks
    )
    steps = (
        f"ip link add {RACK_DEVICE} mtu {variant.mtu} type veth peer name eth0 mtu {variant.mtu}"
        f" netns {client}",
        f"ip link set {RACK_DEVICE} up",
        *addresses,
    )
    engine.run(*beside, "-c", " && ".join(steps))
    ways = (
        f"ip address add {ends(s)[1]} dev eth0{_nodad(s)}"
        f" && ip -{s.family.version} route add default via {ends(s)[0].partition('/')[0]}"
        for s in variant.stacks
    )
    engine.run(
        *outside.beside(variant.rack, node_image, "sh"),
        "-c",
        " && ".join(["ip link set eth0 up", *ways]),
    )


def _nodad(stack: Stack) -> str:
    return " nodad" if stack.family is Family.IPV6 else ""


def sessions(engine: Engine, variant: Variant) -> Iterator[tuple[str, Family, str]]:
    """Node, family and state of each session: ``Established``, else the state and last error."""
    for stack in variant.stacks:
        client = _CLIENTS[stack.family]
        control = f"/run/router/{_DAEMONS[stack.family]}.ctl"
        words = ("exec", variant.router, client, "-s", control, "show", "protocols")
        said = engine.attempt(*words, timeout=20)
        states = {m["name"]: m["info"].strip() or m["state"] for m in _PROTOCOL.finditer(said.out)}
        for node in variant.nodes:
            unseen = "no such session" if said.ok else said.tail()
            yield node, stack.family, states.get(session_name(node), unseen)


def remove(engine: Engine, variant: Variant) -> None:
    """Remove the containers; their link ends with them."""
    engine.attempt("rm", "--force", "--volumes", *reversed(containers(variant)))
