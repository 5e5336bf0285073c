"""Ways through policy rules and tables, as the kernel goes them."""

from __future__ import annotations

import dataclasses
import errno
from ipaddress import ip_address

import pytest

from sixproof.agent.protocol import NodeSeen, RouteHeld, RuleSeen
from sixproof.probes.nodes import fib
from sixproof.probes.nodes.fib import way

POD = ip_address("fd00:10:244:1::5")
OWN = ip_address("fd00:10:244:9::5")
MAIN = [
    RouteHeld("::/0", 254, "unicast", "eth0", "fe80::1", 1024),
    RouteHeld("fd00:10:244:1::/64", 254, "unicast", "vxlan-v6.calico"),
    RouteHeld("fd00:10:244:9::/64", 254, "blackhole", "lo"),
    RouteHeld("fd00:10:244:9::5/128", 254, "unicast", "cali1"),
]
USUAL = [RuleSeen("IPv6", 0, "table", 255), RuleSeen("IPv6", 32766, "table", 254)]


def node(routes: list[RouteHeld], rules: list[RuleSeen] | None = None) -> NodeSeen:
    """A node with these routes and rules."""
    facts: dict[str, object] = {
        f.name: [] for f in dataclasses.fields(NodeSeen) if f.default is dataclasses.MISSING
    }
    facts |= {"sysctls": {}, "counters": {}, "clock": 0.0, "uptime": 0.0}
    facts |= {"routes": routes, "rules": USUAL if rules is None else rules}
    return NodeSeen(**facts)  # type: ignore[arg-type]


def test_the_most_specific_route_wins() -> None:
    """A host route inside a blackholed block of the node's own is open."""
    found = way(node(MAIN), OWN)
    assert found.open
    assert found.route is not None
    assert found.route.device == "cali1"
    assert way(node(MAIN), ip_address("fd00:10:244:9::6")).refused("them") == (
        "them end in the blackhole route fd00:10:244:9::/64 of table main"
    )


def test_of_equal_prefixes_the_smaller_metric_wins() -> None:
    """A blackhole of metric 1 before Calico's route of metric 1024."""
    routes = [
        RouteHeld("fd00:10:244:1::/64", 254, "unicast", "vxlan-v6.calico", metric=1024),
        RouteHeld("fd00:10:244:1::/64", 254, "blackhole", metric=1),
    ]
    assert not way(node(routes), POD).open


def test_a_rule_before_main_is_named_with_its_table() -> None:
    """tailscale/tailscale 14706: the main table looks perfect, and is never asked."""
    rules = [*USUAL, RuleSeen("IPv6", 5270, "table", 52, destination="fd00:10:244::/56")]
    routes = [
        *MAIN,
        RouteHeld("fd00:10:244:9::/64", 52, "throw"),
        RouteHeld("::/0", 52, "blackhole"),
    ]
    found = way(node(routes, rules), POD)
    assert found.refused("them") == (
        "policy rule 5270 (to fd00:10:244::/56) sends them into the blackhole route "
        "default of table 52"
    )


def test_throw_goes_on_with_the_next_rule() -> None:
    """ip-route(8): as if the table had no such route."""
    rules = [*USUAL, RuleSeen("IPv6", 5270, "table", 52)]
    routes = [
        *MAIN,
        RouteHeld("fd00:10:244:1::/64", 52, "throw"),
        RouteHeld("::/0", 52, "blackhole"),
    ]
    assert way(node(routes, rules), POD).open


@pytest.mark.parametrize("action", ["blackhole", "unreachable", "prohibit"])
def test_a_rule_may_refuse_by_itself(action: str) -> None:
    """Without any table."""
    rules = [*USUAL, RuleSeen("IPv6", 100, action, 0, destination="fd00:10:244:1::/64")]
    assert way(node(MAIN, rules), POD).refused("them") == (
        f"policy rule 100 (to fd00:10:244:1::/64 {action}) refuses them"
    )
    assert way(node(MAIN, rules), OWN).open


def test_what_a_rule_asks_besides_leaves_doubt() -> None:
    """A mark or a device cannot be known here; a source can where it is given."""
    marked = RuleSeen("IPv6", 100, "blackhole", 0, mark="0x1/0x1")
    assert way(node(MAIN, [*USUAL, marked]), POD).doubtful
    assert way(node(MAIN, [*USUAL, marked]), POD).open
    sourced = RuleSeen("IPv6", 100, "blackhole", 0, source="fd00:10:244:9::/64")
    assert way(node(MAIN, [*USUAL, sourced]), POD).doubtful
    assert not way(node(MAIN, [*USUAL, sourced]), POD, OWN).open


def test_a_rule_for_a_protocol_or_a_user_takes_not_everything() -> None:
    """A blackhole for one port is not one for all; where the addresses differ there is no doubt."""
    ssh = RuleSeen("IPv6", 100, "blackhole", 0, more="ipproto tcp dport 22")
    found = way(node(MAIN, [*USUAL, ssh]), POD)
    assert found.doubtful
    assert found.open
    assert not fib.is_usual(RuleSeen("IPv6", 9, "table", 254, more="uidrange 0-0"))
    assert fib.said_rule(ssh) == "policy rule 100 (ipproto tcp dport 22 blackhole)"
    for inverted in (False, True):
        other = dataclasses.replace(ssh, destination="2001:db8::/32", inverted=inverted)
        found = way(node(MAIN, [*USUAL, other]), POD)
        assert found.open is not inverted
        assert not found.doubtful


def test_a_suppressed_prefix_does_not_count() -> None:
    """suppress_prefixlength 0: the default route of that table is passed over."""
    rules = [*USUAL, RuleSeen("IPv6", 100, "table", 52, suppress=0)]
    assert way(node([*MAIN, RouteHeld("::/0", 52, "blackhole")], rules), POD).open


def test_no_route_and_a_default_route_are_distinguished() -> None:
    """The first refuses, the second leads elsewhere."""
    assert way(node([]), POD).refused("them") == "no route matches them"
    assert way(node(MAIN[:1]), POD).by_default
    assert not way(node(MAIN), POD).by_default


def test_what_the_kernel_tells_a_sender_says_which_route_refused() -> None:
    """ip-route(8): a blackhole is the only kind that makes an argument invalid."""
    assert [kind for kind, error in fib.ERRORS.items() if fib.is_blackhole(error)] == ["blackhole"]
    assert all(hasattr(errno, error) for error in fib.ERRORS.values())
