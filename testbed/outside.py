"""A container beside the cluster, on the bed's network only: the world outside, to its pods."""

from __future__ import annotations

from testbed.engine import Engine
from testbed.record import Bed, Machine
from testbed.variant import Variant

WAIT = "import signal; signal.sigwait([signal.SIGTERM, signal.SIGINT])"


def address(engine: Engine, container: str, network: str, role: str) -> Machine:
    """A container of the bed with its addresses on the bed's network."""
    part = f'(index .NetworkSettings.Networks "{network}")'
    template = f"{{{{{part}.IPAddress}}}} {{{{{part}.GlobalIPv6Address}}}}"
    ipv4, ipv6 = engine.run("inspect", "--format", template, container).split()
    return Machine(container, role, ipv4, ipv6)


def ensure(engine: Engine, variant: Variant, image: str) -> Machine:
    """Start the container unless it runs; it waits, and `docker exec` starts what a test needs."""
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
    return address(engine, variant.outside, variant.network, "outside")


def command(bed: Bed) -> tuple[str, ...]:
    """What runs a program in the container, as nobody, with a standard input."""
    host = ("--host", bed.docker_host) if bed.docker_host else ()
    return ("docker", *host, "exec", "--interactive", "--user", "65534:65534", bed.outside.name)


def remove(engine: Engine, variant: Variant) -> None:
    engine.attempt("rm", "--force", "--volumes", variant.outside)
