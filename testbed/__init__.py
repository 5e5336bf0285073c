"""A kind cluster with Calico for dual-stack tests, even where no registry can be reached."""

from __future__ import annotations

from testbed import record
from testbed.cluster import dns
from testbed.errors import BedError
from testbed.host import paths
from testbed.network import outside
from testbed.record import Bed, Machine
from testbed.variants import variant

__all__ = [
    "Bed",
    "BedError",
    "Machine",
    "describe",
    "dns",
    "outside_command",
    "outside_forget",
    "rack_command",
    "router_command",
    "variant",
]

outside_command = outside.command
outside_forget = outside.forget_command
rack_command = outside.rack_command
router_command = outside.router_command


def describe(name: str = variant.DEFAULT) -> Bed:
    """The bed of a variant as `up` left it; raises BedError when there is none."""
    return record.read(paths.cache().cluster(variant.load(name).cluster))
