"""The links of the lab, every one between the router and a host."""

from __future__ import annotations

import dataclasses
import ipaddress

from sixproof.model import Family
from tests.netns.laboratory.scenes import (
    CUT_HERE,
    CUT_THERE,
    CUT_THERE_QUICK,
    MAIN,
    NARROW,
    NARROW_MTU,
)

NOW = {Family.IPV4: "", Family.IPV6: " nodad"}
"""What makes an address usable without waiting for duplicate address detection."""
CUTS = (CUT_HERE, CUT_THERE, CUT_THERE_QUICK)


@dataclasses.dataclass(frozen=True)
class Link:
    """A link between the router and a host; the router has the first address of each subnet."""

    number: int
    name: str

    @property
    def device(self) -> str:
        """The interface's name on the host."""
        return f"six{self.number}"

    @property
    def beyond(self) -> str:
        """The interface's name on the router."""
        return f"r{self.device}"

    def address(self, family: Family, host: int) -> str:
        """The address of the router (1) or the host (2)."""
        if family is Family.IPV4:
            return str(ipaddress.IPv4Address("192.0.2.0") + 4 * self.number + host)
        return f"2001:db8:1:{self.number:x}::{host:x}"

    def up(self, host: int) -> list[str]:
        """The ``ip`` commands that bring one end into service."""
        device = self.device if host == 2 else self.beyond
        lines = [
            f"address add {self.address(family, host)}/{length} dev {device}{NOW[family]}"
            for family, length in ((Family.IPV4, 30), (Family.IPV6, 64))
        ]
        if self.name == NARROW:
            lines.append(f"link set {device} mtu {NARROW_MTU}")
        return [*lines, f"link set {device} up"]


NEAR = {name: Link(i, name) for i, name in enumerate((MAIN, *CUTS))}
FAR = {name: Link(16 + i, name) for i, name in enumerate((MAIN, NARROW, *CUTS))}
BESIDE = Link(32, MAIN)
