"""Judging Felix's settings: IPv6 support, MTUs that do not fit, fail-safe ports of one family, and
settings without effect."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sixproof.calico import mtu
from sixproof.calico.felix.settings import Failsafe, Felix
from sixproof.calico.state import CalicoState
from sixproof.errors import Subject
from sixproof.model import Family, Finding, FindingType, Severity

FELIX_IPV6 = FindingType(
    "calico-felix-ipv6",
    "Felix enforces policies over IPv6",
    "Calico API reference: FelixConfiguration ipv6Support",
)
FELIX_NODE = FindingType(
    "calico-felix-node",
    "No node has its own Felix settings",
    "Calico API reference: FelixConfiguration",
)
MTU = FindingType(
    "calico-mtu",
    "MTUs leave room for the tunnel headers",
    "RFC 8200 section 5, RFC 7348 section 4.3",
)
FELIX_FAILSAFE = FindingType(
    "calico-felix-failsafe",
    "Fail-safe ports are open over both families",
    "Calico API reference: FelixConfiguration",
)
FELIX_ENVIRONMENT = FindingType(
    "calico-felix-environment",
    "No setting of FelixConfiguration is overridden by calico-node's environment",
    "Calico documentation: Configuring Felix, order of precedence",
)
FELIX_SETTING = FindingType(
    "calico-felix-setting",
    "Felix's log level and dataplane are values that it knows",
    "Calico API reference: FelixConfiguration",
)

CLUSTER_WIDE = Subject("FelixConfiguration", "default")
_KNOWN = (
    (
        "logSeverityScreen",
        "log_level",
        ("Trace", "Debug", "Info", "Warning", "Error", "Fatal", "None"),
    ),
    ("iptablesBackend", "iptables_backend", ("Auto", "Legacy", "NFT")),
    ("nftablesMode", "nftables", ("Enabled", "Disabled", "Auto")),
)
"""Settings with the field of `Felix` that holds each, and the values that Felix knows."""
_LEAST = 1280  # RFC 8200 section 5: the minimum MTU of every IPv6 link


def audit(state: CalicoState, underlay: int | None) -> Iterator[Finding]:
    """What is wrong with Felix's settings, over nodes' interfaces of `underlay` bytes if known."""
    felix = state.felix
    if not felix.ipv6 and state.pools_of(Family.IPV6):
        yield FELIX_IPV6.found(
            Severity.ERROR,
            "Felix",
            "ipv6Support is off although there is an IPv6 pool: no policy is enforced for IPv6",
            "ipv6Support: true",
            "set it in FelixConfiguration default, and FELIX_IPV6SUPPORT of calico-node",
            families=[Family.IPV6],
            about=CLUSTER_WIDE,
        )
    yield from _mtu(state, underlay)
    for way, ports in (
        ("failsafeInboundHostPorts", felix.failsafe_inbound),
        ("failsafeOutboundHostPorts", felix.failsafe_outbound),
    ):
        yield from _failsafe(way, ports or ())
    yield from _unknown_values(felix, "Felix")
    for vain in felix.overridden:
        yield FELIX_ENVIRONMENT.found(
            Severity.NOTE,
            "Felix",
            f"{vain.setting} is {vain.value} in FelixConfiguration default and has no effect: "
            f"calico-node's {vain.variable} is {vain.effective}",
            "one of the two",
            f"remove {vain.variable} from calico-node, or set it there",
            about=CLUSTER_WIDE,
        )
    for own in felix.per_node:
        yield FELIX_NODE.found(
            Severity.NOTE,
            Subject.of_node(own.node),
            f"FelixConfiguration node.{own.node} overrides the cluster's settings there: "
            + ", ".join(f"{key} {value}" for key, value in own.settings),
            node=own.node,
        )
        if felix.ipv6 and not own.ipv6 and state.pools_of(Family.IPV6):
            yield FELIX_IPV6.found(
                Severity.ERROR,
                Subject.of_node(own.node),
                f"ipv6Support is off in FelixConfiguration node.{own.node}: no policy is enforced "
                "for IPv6 there",
                "ipv6Support: true",
                f"remove it (kubectl delete felixconfiguration node.{own.node}), or set it there",
                families=[Family.IPV6],
                node=own.node,
            )
        if own.felix is not None:
            yield from _unknown_values(own.felix, Subject.of_node(own.node), own.node, beside=felix)


def _unknown_values(
    felix: Felix, subject: str | Subject, node: str = "", *, beside: Felix | None = None
) -> Iterator[Finding]:
    """Values that Felix does not know: it uses its default then. Values that a node shares with the
    settings of the cluster, `beside`, are reported there."""
    for setting, field, known in _KNOWN:
        value = getattr(felix, field)
        shared = beside is not None and value == getattr(beside, field)
        if value and not shared and value.casefold() not in map(str.casefold, known):
            yield FELIX_SETTING.found(
                Severity.WARNING,
                subject,
                f"{setting} is {value[:40]!r}: Felix takes its default instead",
                f"one of {', '.join(known)}",
                f"set it in FelixConfiguration, or FELIX_{setting.upper()} of calico-node",
                node=node,
                about=None if node else CLUSTER_WIDE,
            )


def _mtu(state: CalicoState, underlay: int | None) -> Iterator[Finding]:
    # An unmeasured underlay is assumed to have Ethernet's MTU: larger ones are chosen on purpose.
    link = underlay or 1500
    where = f"{link} bytes" if underlay else f"an Ethernet of {link} bytes"
    for tunnel, wanted in mtu.tunnels(state):
        most = link - tunnel.overhead
        if wanted and wanted > most:
            yield MTU.found(
                Severity.ERROR if underlay else Severity.WARNING,
                f"Felix, {tunnel.name}",
                f"MTU {wanted} over {where}",
                f"at most {most} ({tunnel.because})",
                "leave it 0, so that Felix computes it",
                families=[tunnel.family],
            )
    least = min((link - tunnel.overhead for tunnel, _ in mtu.tunnels(state)), default=link)
    if state.cni_mtu and state.cni_mtu > least:
        yield MTU.found(
            Severity.ERROR if underlay else Severity.WARNING,
            "CNI configuration",
            f"pods' MTU {state.cni_mtu} over {where}",
            f"at most {least}",
            "leave veth_mtu (or mtu of the Installation) 0, so that Felix computes it",
            families=Family,
        )
    pods = mtu.expected(state, link).mtu
    if pods < _LEAST and state.pools_of(Family.IPV6):
        yield MTU.found(
            Severity.ERROR,
            "pods",
            f"MTU {pods}",
            f"{_LEAST} or more (RFC 8200 section 5): below it a kernel turns IPv6 off",
            "raise the nodes' MTU, or use a tunnel with smaller headers",
            families=[Family.IPV6],
        )


def _failsafe(way: str, ports: Sequence[Failsafe]) -> Iterator[Finding]:
    open_for: dict[tuple[str, int], set[Family]] = {}
    for port in ports:
        open_for.setdefault((port.protocol.upper(), port.port), set()).update(port.families())
    for (protocol, number), families in open_for.items():
        for family in set(Family) - families:
            yield FELIX_FAILSAFE.found(
                Severity.WARNING,
                f"Felix, {way}",
                f"{protocol} {number} stays open for {family.other} alone",
                f"an entry for {family} too",
                "a host policy can cut the node off over the other family; a port without `net` "
                "is open for both",
            )
