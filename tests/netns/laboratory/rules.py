"""The nftables rules of the lab, made from the scenes."""

from __future__ import annotations

from collections.abc import Iterable

from sixproof.model import Family
from tests.netns.laboratory import scenes
from tests.netns.laboratory.links import BESIDE, FAR, NEAR
from tests.netns.laboratory.scenes import MAIN, SCENES

VIRTUAL = {Family.IPV4: "203.0.113.0/25", Family.IPV6: "2001:db8:3::/64"}
"""Where the addresses lie that the router translates; no host has one."""
SERVED = {Family.IPV4: "203.0.113.10", Family.IPV6: "2001:db8:3::10"}
"""Translated to the server, as a service's address is."""
ASTRAY = {Family.IPV4: "203.0.113.20", Family.IPV6: "2001:db8:3::20"}
"""Translated to the bystander."""

WORD = {Family.IPV4: "ip", Family.IPV6: "ip6"}
ERRORS = {
    Family.IPV4: "icmp type destination-unreachable",
    Family.IPV6: "icmpv6 type packet-too-big",
}


def on_the_router() -> str:
    """Everything that the router does to packets."""
    near = NEAR[MAIN].beyond
    forward, output, before, after = [], [], [], []
    for index, scene in enumerate(SCENES):
        forward += _for_both(scene.router, index)
        for family, word in WORD.items():
            own, there = scenes.source(index, family), scenes.address(index, family)
            if scene.mute:
                output.append(f"oifname {near} {word} daddr {own} {ERRORS[family]} drop")
            if scene.masked:
                after.append(f"{word} daddr {there} masquerade")
    for family, word in WORD.items():
        for virtual, link in ((SERVED, FAR[MAIN]), (ASTRAY, BESIDE)):
            target = link.address(family, 2)
            before.append(f"{word} daddr {virtual[family]} dnat {word} to {target}")
    return (
        _chain("scenes", "type filter hook forward priority filter", forward)
        + _chain("mute", "type filter hook output priority filter", output)
        + _chain("before", "type nat hook prerouting priority dstnat", before)
        + _chain("after", "type nat hook postrouting priority srcnat", after)
    )


def on_the_client() -> str:
    """The client's own filter."""
    lines = [r for i, scene in enumerate(SCENES) for r in _for_both(scene.client, i)]
    return _chain("own", "type filter hook output priority filter", lines)


def _for_both(templates: Iterable[str], index: int) -> list[str]:
    return [
        template.format(ip=word, there=scenes.address(index, family))
        for template in templates
        for family, word in WORD.items()
    ]


def _chain(name: str, hook: str, lines: Iterable[str]) -> str:
    return "\n".join(
        (f"table inet {name} {{", "chain c {", f"{hook}; policy accept;", *lines, "}", "}", "")
    )
