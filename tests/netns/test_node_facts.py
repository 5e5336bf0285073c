"""A node's facts as its kernel reports them: routes, rules, devices, neighbours, packet filter."""

from __future__ import annotations

import contextlib
import http.server
import ipaddress
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence

import pytest

from sixproof.agent import protocol
from sixproof.agent.protocol import FilterRuleSeen, FilterSeen, IpSetsSeen, NodeSeen
from sixproof.model import Endpoint, EndpointKind, Family
from sixproof.probes.nodes import fib
from sixproof.reporting.causes.filtering.match_words import comparison_said
from tests.netns.laboratory.lab import CLIENT, Lab
from tests.netns.laboratory.links import NEAR
from tests.netns.laboratory.namespace import run
from tests.netns.laboratory.scenes import MAIN

pytestmark = pytest.mark.netns

FAR_AWAY = ipaddress.ip_address("2001:db8:77::5")


def facts(lab: Lab, health: Sequence[str] = ()) -> NodeSeen:
    """What the client's namespace says."""
    request = protocol.ReadNode(list(health))
    return lab.agents.ask(CLIENT, request, NodeSeen, 10).result(10)


@contextlib.contextmanager
def changed(lab: Lab, lines: Sequence[str], undo: Sequence[str]) -> Iterator[None]:
    """The client's namespace with these changes."""
    _ip(lab, lines)
    try:
        yield
    finally:
        _ip(lab, undo)


def _ip(lab: Lab, lines: Sequence[str]) -> None:
    for line in lines:
        run(["ip", "-n", lab.client.name, *line.split()])


def test_a_rule_and_its_table_are_reported_as_the_kernel_follows_them(lab: Lab) -> None:
    """The way of the facts is the kernel's own: before, and under a rule that blackholes."""
    via = NEAR[MAIN].address(Family.IPV6, 1)
    with changed(lab, [f"-6 route add {FAR_AWAY} via {via}"], [f"-6 route del {FAR_AWAY}"]):
        before = fib.way(facts(lab), FAR_AWAY)
        assert before.open
        lines = [
            "-6 route add blackhole default table 52",
            f"-6 rule add pref 5270 to {FAR_AWAY} lookup 52",
        ]
        undo = ["-6 rule del pref 5270", "-6 route flush table 52"]
        with changed(lab, lines, undo):
            found = fib.way(facts(lab), FAR_AWAY)
            asked = protocol.RouteGet([str(FAR_AWAY)])
            kernel = lab.agents.ask(CLIENT, asked, protocol.RoutesSeen, 10).result(10).routes[0]

    assert found.refused("them") == (
        "policy rule 5270 (to 2001:db8:77::5/128) sends them into the blackhole route "
        "default of table 52"
    )
    assert kernel.error == "EINVAL"  # all that the kernel says of it


def test_all_that_a_rule_asks_of_packets_is_reported(lab: Lab) -> None:
    """One that blackholes one port, or one user, is none for everything."""
    more = "ipproto tcp sport 1000-2000 dport 22 uidrange 0-99"
    lines = [
        f"-6 rule add pref 5270 {more} blackhole",
        "-6 rule add pref 5271 tos 0x10 fwmark 0x1/0x3 blackhole",
    ]
    with changed(lab, lines, ["-6 rule del pref 5270", "-6 rule del pref 5271"]):
        seen = facts(lab)
    rules = {r.priority: (r.more, r.mark) for r in seen.rules if r.family == "IPv6"}
    said = "uidrange 0-99 ipproto tcp sport 1000-2000 dport 22"
    assert (rules[5270], rules[5271]) == ((said, ""), ("tos 0x10", "0x1/0x3"))
    assert rules[32766] == ("", "")


def test_the_load_of_the_machine_is_reported(lab: Lab) -> None:
    """Of all of it, whatever namespace asks."""
    found = facts(lab)
    assert found.processors == os.cpu_count()
    assert found.load == pytest.approx(os.getloadavg()[0], abs=2)


def test_routes_of_every_table_are_reported(lab: Lab) -> None:
    """Kind, metric and MTU of a route."""
    lines = ["-6 route add unreachable 2001:db8:78::/64 metric 7 table 99"]
    with changed(lab, lines, ["-6 route flush table 99"]):
        (route,) = (r for r in facts(lab).routes if r.table == 99)
    assert (route.destination, route.kind, route.metric) == ("2001:db8:78::/64", "unreachable", 7)


def test_a_tunnel_device_is_reported_with_what_both_ends_must_share(lab: Lab) -> None:
    """VNI, UDP port and local address (RFC 7348)."""
    local = NEAR[MAIN].address(Family.IPV6, 2)
    line = f"link add six-vx type vxlan id 4096 dstport 4799 local {local} dev lo"
    with changed(lab, [line, "link set six-vx mtu 1400"], ["link del six-vx"]):
        (link,) = (x for x in facts(lab).links if x.name == "six-vx")
    plain = str(ipaddress.ip_address(str(local)))
    assert (link.kind, link.vni, link.port, link.local) == ("vxlan", 4096, 4799, plain)
    assert (link.mtu, link.up) == (1400, False)


def test_a_neighbour_that_does_not_answer_is_reported(lab: Lab) -> None:
    """An entry in state FAILED, as neighbour discovery leaves it."""
    device = next(x.name for x in facts(lab).links if x.kind == "veth")
    lines = [f"neigh replace 2001:db8:66::9 dev {device} nud failed"]
    with changed(lab, lines, [f"neigh del 2001:db8:66::9 dev {device}"]):
        seen = {n.address: n.state for n in facts(lab).neighbours}
    assert seen["2001:db8:66::9"] == "FAILED"


def test_addresses_have_their_flags_and_sysctls_are_of_the_namespace(lab: Lab) -> None:
    """What RFC 4862 calls deprecated, and a setting that was just changed."""
    device = next(x.name for x in facts(lab).links if x.kind == "veth")
    lines = [f"address add 2001:db8:65::9/64 dev {device} valid_lft 600 preferred_lft 0"]
    lab.client.sysctl({"net.ipv6.conf.default.accept_ra": "1"})
    with changed(lab, lines, [f"address del 2001:db8:65::9/64 dev {device}"]):
        seen = facts(lab)
    (held,) = (a for a in seen.addresses if a.address == "2001:db8:65::9")
    assert "deprecated" in held.flags
    assert held.preferred == 0.0
    assert held.valid is not None
    assert 590 < held.valid <= 600
    assert seen.sockets["TCP_inuse"] >= 0
    assert "TCP6_inuse" in seen.sockets
    assert seen.sysctls["net/ipv6/conf/all/forwarding"] == "0"
    assert seen.counters["Ip6OutRequests"] >= 0
    assert (seen.cut, seen.unread) == ([], [])


class _Healthy(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/healthz" else 503)
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_a_health_port_is_well_sick_silent_or_not_there(lab: Lab) -> None:
    """In the namespace of the agent, on loopback."""
    with lab.client.entered():
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Healthy)
        still = http.server.HTTPServer(("127.0.0.1", 0), _Healthy)  # takes connections, no more
    port, silent = server.server_port, still.server_port
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        asked = [f"{port}/healthz", f"{port}/readyz", f"{silent}/healthz", "1/healthz"]
        well, sick, standing, gone = facts(lab, asked).health
    finally:
        server.shutdown()
        server.server_close()
        still.server_close()
    assert (well.status, well.body) == (200, "ok")
    assert sick.status == 503
    assert (standing.status, standing.error) == (0, "no answer within 2 s")
    assert (gone.status, gone.error) == (0, "Connection refused")


FILTER = """
table inet six_facts {
  chain input {
    type filter hook input priority 10; policy accept;
    iifname "eth9" meta nfproto ipv6 udp dport 4789 counter drop
    icmpv6 type packet-too-big counter drop
    icmp type destination-unreachable icmp code frag-needed counter drop
    iifname "eth9" tcp flags syn / syn,rst,ack tcp option maxseg size set 1220
    meta length > 1350 counter drop
    meta length 1350 counter drop
    meta nfproto ipv6 meta l4proto { tcp, udp } th dport { 80, 8080-8090 } counter drop
    ip6 saddr 2001:db8:244::/56 ip6 daddr != { 2001:db8:244::/56, 2001:db8:96::/112 } counter drop
    ip6 daddr 2001:db8:244:40::/58 ct state established,related counter drop
    ip6 hoplimit set 1
    ip ttl set 3
    ip frag-off & 0x3fff != 0 counter drop
    ip frag-off & 0x1fff > 0 counter drop
    ip frag-off & 0x2000 == 0x2000 counter drop
    ip frag-off & 0x4000 != 0 counter drop
    exthdr frag exists counter drop
    exthdr frag missing counter drop
  }
  chain off { type filter hook forward priority 0; policy drop; }
  chain before {
    type nat hook prerouting priority 0;
    ip6 daddr 2001:db8:244::1 dnat ip6 to 2001:db8::5
  }
  chain after {
    type nat hook postrouting priority 0;
    ip6 saddr 2001:db8:244::/56 snat ip6 to ip6 saddr
    oifname "eth9" masquerade
  }
}
"""


def reader(name: str) -> Endpoint:
    """An agent in the client's namespace that may read the packet filter, or may not."""
    return Endpoint(name, EndpointKind.HOST, (), "lab", name, "client")


def said(rule: FilterRuleSeen) -> str:
    """Its match as reports say it."""
    return ", ".join(map(comparison_said, rule.match))


def test_rules_that_drop_are_reported_with_their_match_and_counters(lab: Lab) -> None:
    """As far as a reader must know: which packets, how many, in which chain and hook."""
    lab.client.nft(FILTER)
    try:
        with lab.agent(lab.client, "filter", capability="NET_ADMIN"):
            asked = protocol.ReadFilter()
            seen = lab.agents.ask(reader("filter"), asked, FilterSeen, 10).result(10)
    finally:
        lab.client.nft("delete table inet six_facts")
    assert seen.error == ""
    chains = {c.name: (c.hook, c.priority, c.policy) for c in seen.chains if c.table == "six_facts"}
    assert chains == {
        "input": ("input", 10, "accept"),
        "off": ("forward", 0, "drop"),
        "before": ("prerouting", 0, "accept"),
        "after": ("postrouting", 0, "accept"),
    }
    rules = [r for r in seen.rules if r.table == "six_facts" and r.chain == "input"]
    (
        tunnel,
        too_big,
        needed,
        segments,
        larger,
        exactly,
        ports,
        prefixes,
        replies,
        hops,
        ttl,
        *fragments,
    ) = rules
    assert (said(tunnel), tunnel.verdict, tunnel.packets) == (
        "iifname eth9, IPv6, udp, dport 4789",
        "drop",
        0,
    )
    assert (said(too_big), too_big.verdict) == ("IPv6, icmpv6, type 2", "drop")
    assert said(needed) == "IPv4, icmp, type 3, code 4"
    assert (segments.verdict, segments.packets) == ("rewrite", None)
    assert (said(segments), segments.changes, segments.value) == (
        "iifname eth9, tcp, flags syn",
        "MSS",
        1220,
    )
    assert (said(larger), said(exactly)) == ("above 1350 bytes", "1350 bytes")
    assert said(ports) == "IPv6, tcp and udp, dport 80 and 8080-8090"
    assert said(prefixes) == (
        "IPv6, source 2001:db8:244::/56, destination not 2001:db8:96::/112 and 2001:db8:244::/56"
    )
    assert said(replies) == (
        "IPv6, destination 2001:db8:244:40::/58, connection state established or related"
    )
    assert (hops.verdict, hops.changes, hops.value) == ("rewrite", "hop limit", 1)
    assert (ttl.verdict, ttl.changes, ttl.value) == ("rewrite", "TTL", 3)
    assert [said(r) for r in fragments] == [
        *["IPv4, fragment"] * 3,
        "IPv4, header bytes",
        "IPv6, fragment",
        "IPv6, not fragment",
    ]
    assert [(said(r), r.changes) for r in seen.rules if r.verdict == "nat"] == [
        ("IPv6, destination 2001:db8:244::1", "destination"),
        ("IPv6, source 2001:db8:244::/56", "source"),
        ("oifname eth9", "source"),
    ]


def test_without_the_capability_the_filter_is_neither_reported_nor_guessed(lab: Lab) -> None:
    """The kernel refuses."""
    asked = protocol.ReadFilter()
    seen = lab.agents.ask(CLIENT, asked, FilterSeen, 10).result(10)
    assert seen.error == "EPERM"
    assert (seen.chains, seen.rules) == ([], [])


IPSET = """
import errno, socket, struct, sys
from sixproof.agent.witness.netlink import Netlink

CREATE, ADD, ACK = 6 << 8 | 2, 6 << 8 | 9, 4

def attribute(kind, data):
    return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)

def ask(kind, *attributes):
    kernel = Netlink(12)
    kernel.send(kind, ACK, struct.pack("!BBH", 2, 0, 0) + b"".join(attributes))
    number = next(-struct.unpack_from("=i", payload)[0] for *_, payload in kernel.messages())
    kernel.close()
    if number in (errno.EINVAL, errno.EPROTONOSUPPORT, errno.ENOENT):
        sys.exit(77)
    assert not number, errno.errorcode[number]

version = attribute(1, b"\\6")
name, family, *members = sys.argv[1:]
kind = int(family)
ask(CREATE, version, attribute(2, name.encode() + b"\\0"), attribute(3, b"hash:net\\0"),
    attribute(4, b"\\1"), attribute(5, bytes([kind])), attribute(7 | 0x8000, b""))
for member in members:
    address, _, length = member.partition("/")
    raw = attribute((1 if kind == 2 else 2) | 0x4000, socket.inet_pton(kind, address))
    ask(ADD, version, attribute(2, name.encode() + b"\\0"),
        attribute(7 | 0x8000, attribute(1 | 0x8000, raw) + attribute(3, bytes([int(length)]))))
"""
"""Makes a set of ipset(8) with members, without that program."""


def ipset(lab: Lab, name: str, family: int, *members: str) -> None:
    """A set in the client's namespace; skips where the kernel has no such sets."""
    inside = ["ip", "netns", "exec", lab.client.name, sys.executable, "-c", IPSET]
    made = subprocess.run(
        [*inside, name, str(family), *members], capture_output=True, text=True, check=False
    )
    if made.returncode == 77:
        pytest.skip("this kernel has no ipset")
    assert made.returncode == 0, made.stderr


NAMED = """
table ip6 calico {
  set cali60s-named {
    type ipv6_addr; flags interval
    elements = { 2001:db8::1, 2001:db8::2, 2001:db8::3, 2001:db8:2::/64 }
  }
  set cali60masq-ipam-pools { type ipv6_addr; elements = { 2001:db8::1 } }
  set other { type ipv6_addr; }
}
table ip calico {
  set cali40n-port {
    type ipv4_addr . inet_proto . inet_service; elements = { 192.0.2.7 . tcp . 8080 }
  }
}
"""


def test_ip_sets_of_felix_are_looked_through(lab: Lab) -> None:
    """Those of selectors and named ports, of ipset and of nftables, empty and large ones; none of
    pools, and nobody else's."""
    ipset(lab, "cali60s:many", socket.AF_INET6, *(f"2001:db8:1::{n:x}/128" for n in range(1, 602)))
    ipset(lab, "cali40s:few", socket.AF_INET, "192.0.2.1/32", "198.51.100.0/24")
    ipset(lab, "cali60s:none", socket.AF_INET6)
    ipset(lab, "cali40all-ipam-pools", socket.AF_INET, "192.0.2.0/24")
    ipset(lab, "foreign", socket.AF_INET, "192.0.2.9/32")
    lab.client.nft(NAMED)
    asked = ["2001:db8:1::258", "2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8:2::9",
             "192.0.2.1", "192.0.2.7", "198.51.100.9", "192.0.2.9"]  # fmt: skip
    try:
        with lab.agent(lab.client, "sets", capability="NET_ADMIN"):
            request = protocol.ReadIpSets(asked)
            seen = lab.agents.ask(reader("sets"), request, IpSetsSeen, 10).result(10)
    finally:
        lab.client.nft("delete table ip6 calico\ndelete table ip calico")
    assert (seen.error, seen.cut) == ("", False)
    assert {s.name: (s.family, s.size, s.exact, s.within) for s in seen.sets} == {
        "cali60s:many": ("IPv6", 601, ["2001:db8:1::258"], []),
        "cali40s:few": ("IPv4", 2, ["192.0.2.1"], ["198.51.100.9"]),
        "cali60s:none": ("IPv6", 0, [], []),
        "cali60s-named": (
            "IPv6", 4, ["2001:db8::1", "2001:db8::2", "2001:db8::3"], ["2001:db8:2::9"]
        ),
        "cali40n-port": ("IPv4", 1, ["192.0.2.7"], []),
    }  # fmt: skip


def test_without_the_capability_ip_sets_are_not_reported(lab: Lab) -> None:
    """The kernel refuses."""
    asked = protocol.ReadIpSets(["192.0.2.1"])
    seen = lab.agents.ask(CLIENT, asked, IpSetsSeen, 10).result(10)
    assert (seen.error, seen.sets) == ("EPERM", [])
