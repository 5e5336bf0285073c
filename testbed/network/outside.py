"""A container beside the cluster, on the bed's network only: to its pods, the outside world.

It has a global unicast address besides the network's unique local one, for policies that
distinguish the two: RFC 4291 section 2.5.4 and RFC 4193. The prefix is one for documentation
(RFC 3849), which nothing routes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from testbed.host.engine import Engine
from testbed.record import Bed, Machine
from testbed.variants import variant as variants
from testbed.variants.variant import Variant

WAIT = "import signal; signal.sigwait([signal.SIGTERM, signal.SIGINT])"
GLOBAL = "2001:db8:57:bed::5"
GLOBAL_NETWORK = "2001:db8:57:bed::/64"
_ROUTE = ("ip", "-6", "route", "replace", GLOBAL_NETWORK, "dev", "eth0")
FORGET = "ip route flush cache && ip -6 route flush cache"


def address(engine: Engine, container: str, network: str, role: str) -> Machine:
    """A container of the bed with its addresses on the bed's network."""
    part = f'(index .NetworkSettings.Networks "{network}")'
    template = f"{{{{{part}.IPAddress}}}} {{{{{part}.GlobalIPv6Address}}}}"
    ipv4, ipv6 = engine.run("inspect", "--format", template, container).split()
    return Machine(container, role, ipv4, ipv6)


def ensure(engine: Engine, variant: Variant, image: str, node_image: str) -> Machine:
    """Start the container unless it runs; it idles, and `docker exec` starts what a test needs."""
    if not engine.running(variant.outside):
        remove(engine, variant)
        engine.run(
            *("run", "--detach", "--name", variant.outside, "--hostname", "outside"),
            *("--network", variant.network, "--pull", "never"),
            *("--label", f"sixproof.test/bed={variant.cluster}"),
            *("--sysctl", "net.ipv6.conf.all.disable_ipv6=0"),
            *("--sysctl", "net.ipv4.ping_group_range=0 2147483647"),
            *("--cap-add", "NET_RAW", "--cap-add", "NET_ADMIN"),
            *(image, "python3", "-c", WAIT),
        )
    globalise(engine, variant, node_image)
    found = address(engine, variant.outside, variant.network, "outside")
    return replace(found, global_ipv6=GLOBAL)


def globalise(engine: Engine, variant: Variant, node_image: str) -> None:
    """Give the container its global address, and the nodes the route to it; both may exist."""
    engine.run(
        *beside(variant.outside, node_image, "ip"),
        *("-6", "address", "replace", f"{GLOBAL}/64", "dev", "eth0", "nodad"),
    )
    for node in variant.nodes:
        engine.run("exec", node, *_ROUTE)


def reached(engine: Engine, variant: Variant) -> Iterator[tuple[str, bool]]:
    """By node, whether the global address answers."""
    for node in variant.nodes:
        done = engine.attempt("exec", node, "ping", "-6", "-c1", "-W1", GLOBAL, timeout=10)
        yield node, done.ok


def command(bed: Bed) -> tuple[str, ...]:
    """Command prefix that runs a program in the container, as user nobody, with standard input."""
    return _as_nobody(bed, bed.outside.name)


def rack_command(bed: Bed) -> tuple[str, ...]:
    """The same in the client behind the router of a bed with BGP."""
    assert bed.rack is not None
    return _as_nobody(bed, bed.rack.name)


def router_command(bed: Bed) -> tuple[str, ...]:
    """The same in the network of the router of a bed with BGP."""
    return _as_nobody(bed, variants.load(bed.variant).router_agent)


def forget_command(bed: Bed) -> tuple[str, ...]:
    """The command that clears the container kernel's learnt path MTUs (ip-route(8))."""
    return (*_docker(bed), *beside(bed.outside.name, bed.node_image, "sh"), "-c", FORGET)


def remove(engine: Engine, variant: Variant) -> None:
    engine.attempt("rm", "--force", "--volumes", variant.outside)


def _as_nobody(bed: Bed, container: str) -> tuple[str, ...]:
    return (*_docker(bed), "exec", "--interactive", "--user", "65534:65534", container)


def _docker(bed: Bed) -> tuple[str, ...]:
    return ("docker", "--host", bed.docker_host) if bed.docker_host else ("docker",)


def beside(container: str, image: str, program: str, *options: str) -> tuple[str, ...]:
    """Command prefix that runs a program of the node image in the network namespace of a container,
    with further options of ``docker run``.

    Privileged, since /proc/sys is not writable otherwise.
    """
    network = f"container:{container}"
    words = ("run", "--rm", "--privileged", "--pull", "never", "--network", network)
    return (*words, *options, "--entrypoint", program, image)
