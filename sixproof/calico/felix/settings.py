"""Felix's effective settings: its environment, then FelixConfiguration `default`."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable, Iterator, Mapping

from sixproof.kube.api import json_fields
from sixproof.kube.api.json_fields import Manifest, one_line
from sixproof.model import Family

_NODE = "node."
"""Prefix of the names of objects for a single node."""
_MOST_SETTINGS = 8
"""Maximum number of settings of such an object that are reported."""
_ENVIRONMENT = {
    # Felix's own names of settings; those of the object follow from them except for IPIP.
    "ipipEnabled": "FELIX_IPINIPENABLED",
    "ipipMTU": "FELIX_IPINIPMTU",
}

_FAILSAFE_PORT = re.compile(
    r"(?:(?P<protocol>tcp|udp|sctp):)?(?:\[?(?P<net>[0-9a-fA-F.:/]+?)\]?:)?(?P<port>[0-9]{1,5})"
)
"""``tcp:22``, ``udp:[fd00::/8]:53``, ``tcp:10.0.0.0/8:22``, ``22``."""
_DENY_ACTIONS = ("iptablesFilterDenyAction", "nftablesFilterDenyAction")
_HEALTH_ENABLED = "healthEnabled"
_HEALTH_SETTINGS = ("healthHost", "healthPort")
_HEALTH = ("localhost", 9099)
"""Where Felix's health endpoint listens by default."""


@dataclasses.dataclass(frozen=True, slots=True)
class Failsafe:
    """A port that no policy closes; `net` is the peers' range, "" for all of both families."""

    protocol: str
    port: int
    net: str = ""

    def families(self) -> tuple[Family, ...]:
        """The families that it keeps open."""
        if not self.net:
            return tuple(Family)
        return json_fields.families(json_fields.networks([self.net]))


@dataclasses.dataclass(frozen=True, slots=True)
class NodeFelix:
    """A node with its own FelixConfiguration: its settings as written, by name, whether Felix
    handles IPv6 there, and all effective settings."""

    node: str
    settings: tuple[tuple[str, str], ...] = ()
    ipv6: bool = True
    felix: Felix | None = None  # all effective settings there


@dataclasses.dataclass(frozen=True, slots=True)
class Overridden:
    """A setting of FelixConfiguration without effect: calico-node's environment overrides it."""

    setting: str
    value: str
    variable: str
    effective: str


@dataclasses.dataclass(frozen=True, slots=True)
class Felix:
    """The settings that matter for IPv6. MTUs are in bytes, None where Felix determines them
    itself; `ipip` and `vxlan` override the pools, None where they do not. `failsafe_*` is None for
    Felix's defaults, which cover both families."""

    ipv6: bool = True
    bpf: bool = False
    nftables: str = "Disabled"
    iptables_backend: str = ""
    ipip: bool | None = None
    vxlan: bool | None = None
    wireguard: tuple[Family, ...] = ()
    ipip_mtu: int | None = None
    vxlan_mtu: int | None = None
    vxlan_mtu_v6: int | None = None
    wireguard_mtu: int | None = None
    wireguard_mtu_v6: int | None = None
    mtu_interface_pattern: str = ""
    interface_prefix: str = "cali"  # of pods' devices on their node
    health: str = ""  # host:port of the health endpoint, "" where it is off
    metrics: str = ""  # host:port of the Prometheus endpoint, "" where it is off
    failsafe_inbound: tuple[Failsafe, ...] | None = None
    failsafe_outbound: tuple[Failsafe, ...] | None = None
    rejects: bool = False  # what a policy denies is refused, not dropped
    log_level: str = "Info"
    per_node: tuple[NodeFelix, ...] = ()
    overridden: tuple[Overridden, ...] = ()

    def at(self, node: str) -> Felix:
        """The effective settings on a node."""
        own = next((n for n in self.per_node if n.node == node), None)
        if own is None:
            return self
        return own.felix or dataclasses.replace(self, ipv6=own.ipv6)


def felix(configurations: Iterable[Manifest], environment: Mapping[str, str]) -> Felix:
    """The settings of the cluster.

    `environment` is that of calico-node: Felix's environment overrides all objects.
    """
    by_name = {json_fields.name(c): json_fields.mapping(c, "spec") for c in configurations}
    # Felix accepts its variables in any case: FELIX_Ipv6Support as well.
    above = {name.upper(): value for name, value in environment.items()}
    spec = by_name.get("default", {})
    return dataclasses.replace(
        _settings(_Settings(spec, above)),
        per_node=tuple(
            _of_node(name, by_name, above) for name in sorted(by_name) if name.startswith(_NODE)
        ),
        overridden=tuple(_overridden(spec, above)),
    )


def _settings(spec: _Settings) -> Felix:
    wireguard = ("wireguardEnabled", "wireguardEnabledV6")
    return Felix(
        ipv6=spec.flag("ipv6Support") is not False,
        bpf=spec.flag("bpfEnabled") or False,
        nftables=spec.text("nftablesMode") or "Disabled",
        iptables_backend=spec.text("iptablesBackend"),
        ipip=spec.flag("ipipEnabled"),
        vxlan=spec.flag("vxlanEnabled"),
        wireguard=tuple(f for f, key in zip(Family, wireguard, strict=True) if spec.flag(key)),
        ipip_mtu=spec.mtu("ipipMTU"),
        vxlan_mtu=spec.mtu("vxlanMTU"),
        vxlan_mtu_v6=spec.mtu("vxlanMTUV6"),
        wireguard_mtu=spec.mtu("wireguardMTU"),
        wireguard_mtu_v6=spec.mtu("wireguardMTUV6"),
        mtu_interface_pattern=spec.text("mtuIfacePattern"),
        interface_prefix=spec.text("interfacePrefix").partition(",")[0] or "cali",
        health=spec.for_health().endpoint("health", _HEALTH_ENABLED, *_HEALTH),
        metrics=spec.endpoint("prometheusMetrics", "prometheusMetricsEnabled", "", 9091),
        failsafe_inbound=spec.failsafe("failsafeInboundHostPorts"),
        failsafe_outbound=spec.failsafe("failsafeOutboundHostPorts"),
        rejects="reject" in (spec.text(key).casefold() for key in _DENY_ACTIONS),
        log_level=spec.text("logSeverityScreen") or "Info",
    )


def _overridden(spec: Manifest, above: Mapping[str, str]) -> Iterator[Overridden]:
    """Settings of the object that the environment sets to another value."""
    for key in spec:
        variable = _variable(key)
        value, effective = json_fields.text(spec, key), above.get(variable, "")
        if value and effective and value.casefold() != effective.casefold():
            yield Overridden(*map(one_line, (key, value, variable, effective)))
    if _Settings({}, above).flag(_HEALTH_ENABLED):
        for key, default in zip(_HEALTH_SETTINGS, _HEALTH, strict=True):
            value = json_fields.text(spec, key)
            if value and _variable(key) not in above and value != str(default):
                yield Overridden(key, one_line(value), _variable(_HEALTH_ENABLED), "true")


def _of_node(
    name: str, by_name: Mapping[str, Manifest], environment: Mapping[str, str]
) -> NodeFelix:
    """The cluster's settings with a node's own object applied; the environment overrides both."""
    own = by_name[name]
    merged = _Settings({**by_name.get("default", {}), **own}, environment)
    settings = tuple(
        (one_line(key), one_line(_text(value))) for key, value in list(own.items())[:_MOST_SETTINGS]
    )
    return NodeFelix(
        name.removeprefix(_NODE),
        settings,
        merged.flag("ipv6Support") is not False,
        _settings(merged),
    )


def _text(value: object) -> str:
    return json.dumps(value) if isinstance(value, bool | list | dict) else str(value)


def _variable(key: str) -> str:
    """The variable for a setting in calico-node's environment."""
    return _ENVIRONMENT.get(key, f"FELIX_{key.upper()}")


@dataclasses.dataclass(frozen=True, slots=True)
class _Settings:
    spec: Manifest
    environment: Mapping[str, str]

    def text(self, key: str) -> str:
        return self.environment.get(_variable(key)) or json_fields.text(self.spec, key)

    def flag(self, key: str) -> bool | None:
        return json_fields.flag(self.text(key)) if self.text(key) else None

    def mtu(self, key: str) -> int | None:
        return json_fields.number(self.text(key)) or None  # 0 leaves it to Felix

    def for_health(self) -> _Settings:
        """The settings by which the health endpoint is started: where the environment enables it,
        it is started before any object is read, and stays as it is (felix/daemon of Calico
        v3.31)."""
        alone = _Settings({}, self.environment)
        return alone if alone.flag(_HEALTH_ENABLED) else self

    def endpoint(self, prefix: str, enabled: str, host: str, port: int) -> str:
        if not self.flag(enabled):
            return ""
        where = self.text(f"{prefix}Host") or host
        return f"{f'[{where}]' if ':' in where else where}:{self.text(f'{prefix}Port') or port}"

    def failsafe(self, key: str) -> tuple[Failsafe, ...] | None:
        """Ports that no policy closes; None for Felix's own."""
        if written := self.environment.get(_variable(key)):
            found = (_FAILSAFE_PORT.fullmatch(word.strip()) for word in written.split(","))
            return tuple(map(_written, filter(None, found)))  # "none" means no ports
        if key not in self.spec:
            return None
        return tuple(
            Failsafe(
                json_fields.text(entry, "protocol") or "TCP",
                json_fields.number(entry, "port") or 0,
                json_fields.text(entry, "net"),
            )
            for entry in json_fields.entries(self.spec, key)
        )


def _written(found: re.Match[str]) -> Failsafe:
    """A port in the environment's notation."""
    return Failsafe((found["protocol"] or "tcp").upper(), int(found["port"]), found["net"] or "")
