"""Random policies for policy namespaces: the same seed and number give the same policies, with the
addresses that the policy namespaces have.

Drawn are NetworkPolicies and Calico's NetworkPolicies from the policy namespaces' labels, ports and
addresses of both families, so that most rules match something. Anything that the API leaves
undefined is avoided; where some remains, the oracle says UNDEFINED.
"""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from sixproof.workloads.policy import cases
from sixproof.workloads.policy.cases import Manifest, Values
from sixproof.workloads.policy.policy_namespaces import ACCOUNTS, NAMESPACES, PolicyNamespaces

T = TypeVar("T")

_LABELS: Mapping[str, tuple[str, ...]] = {"app": ("web", "api", "db"), "tier": ("front", "back")}
_TEAMS: Mapping[str, tuple[str, ...]] = {"team": ("red", "blue"), "stage": ("live",)}
_PORTS = (8080, 8081)
_NAMES = ("http", "admin", "feed", "sql", "ghost")
_LENGTHS = {4: (0, 16, 24, 26, 32), 6: (0, 3, 48, 64, 122, 128)}
"""Prefix lengths; 26 and 122 are Calico's blocks of addresses."""


def draw(
    seed: int, number: int, policy_namespaces: PolicyNamespaces, values: Values, *, calico: bool
) -> list[Manifest]:
    """One to three policies, owned by the run; `values` are those of policy cases.

    With `calico` some of them are Calico's.
    """
    chance = random.Random(f"{seed}/{number}")  # noqa: S311  # must repeat, not surprise
    drawn = _Draw(chance, policy_namespaces, values)
    kinds: Sequence[Callable[[str], Manifest]] = (drawn.network_policy, drawn.network_policy)
    if calico:
        kinds = (drawn.network_policy, drawn.calico_policy)
    made = [drawn.one_of(kinds)(f"g{i}") for i in range(drawn.number(1, 3))]
    return [cases.own(manifest, policy_namespaces) for manifest in made]


class _Draw:
    """One stream of random choices, and the values to choose from."""

    def __init__(
        self, chance: random.Random, policy_namespaces: PolicyNamespaces, values: Values
    ) -> None:
        self._chance = chance
        self._homes = [policy_namespaces.homes[name] for name in NAMESPACES]
        self._namespaces = policy_namespaces
        self._hosts = {v: [a for k, a in sorted(values.items()) if _is_host(k, v)] for v in (4, 6)}
        self._blocks = {
            v: [a for k, a in sorted(values.items()) if _is_block(k, v)] for v in (4, 6)
        }
        self._versions = [v for v in (4, 6) if self._hosts[v]]

    def one_of(self, choices: Sequence[T]) -> T:
        return choices[self._chance.randrange(len(choices))]

    def number(self, least: int, most: int) -> int:
        return self._chance.randint(least, most)

    def _maybe(self, share: float) -> bool:
        return self._chance.random() < share

    def _some(self, make: Callable[[], T], most: int) -> list[T]:
        return [make() for _ in range(self.number(0, most))]

    # NetworkPolicy

    def network_policy(self, name: str) -> Manifest:
        types = self.one_of([["Ingress"], ["Egress"], ["Ingress", "Egress"]])
        spec: Manifest = {"podSelector": self._selector(_LABELS), "policyTypes": types}
        for kind, key, side in (("Ingress", "ingress", "from"), ("Egress", "egress", "to")):
            if kind in types:
                spec[key] = self._some(lambda side=side: self._rule(side), 2)  # type: ignore[misc]
        return self._object("networking.k8s.io/v1", name, spec)

    def _rule(self, side: str) -> Manifest:
        rule: Manifest = {}
        if self._maybe(0.8):
            rule[side] = self._some(self._peer, 3)
        if self._maybe(0.5):
            rule["ports"] = self._some(self._port, 2)
        return rule

    def _peer(self) -> Manifest:
        shape = self.number(0, 3)
        if shape == 0:
            return {"ipBlock": self._ip_block()}
        peer: Manifest = {}
        if shape != 1:
            peer["namespaceSelector"] = self._selector(_TEAMS)
        if shape != 2:
            peer["podSelector"] = self._selector(_LABELS)
        return peer

    def _ip_block(self) -> Manifest:
        version = self.one_of(self._versions)
        cidr = self._cidr(version)
        without, cut = self.one_of(self._hosts[version]), self._maybe(0.4)
        if cut and _within(without, cidr) and not cidr.endswith(_whole(version)):
            return {"cidr": cidr, "except": [f"{without}{_whole(version)}"]}
        return {"cidr": cidr}

    def _cidr(self, version: int) -> str:
        if self._maybe(0.2) and self._blocks[version]:
            return self.one_of(self._blocks[version])
        host, length = self.one_of(self._hosts[version]), self.one_of(_LENGTHS[version])
        return str(ipaddress.ip_network(f"{host}/{length}", strict=False))

    def _port(self) -> Manifest:
        shape = self.number(0, 4)
        protocol = self.one_of(["TCP", "UDP"])
        if shape == 0:
            return {"protocol": protocol}
        if shape == 1:
            return {"protocol": protocol, "port": self.one_of(_NAMES)}
        if shape == 2:
            first = self.one_of([8000, *_PORTS])
            return {"protocol": protocol, "port": first, "endPort": self.one_of([8081, 9000])}
        return {"protocol": protocol, "port": self.one_of(_PORTS)}

    def _selector(self, labels: Mapping[str, tuple[str, ...]]) -> Manifest:
        shape = self.number(0, 4)
        if shape == 0:
            return {}
        key = self.one_of(list(labels))
        if shape < 3:
            return {"matchLabels": {key: self.one_of(labels[key])}}
        wish: Manifest = {"key": key, "operator": self.one_of(["Exists", "DoesNotExist"])}
        if shape == 4:
            wish["operator"] = self.one_of(["In", "NotIn"])
            wish["values"] = sorted({self.one_of(labels[key]) for _ in range(2)})
        return {"matchExpressions": [wish]}

    # Calico's NetworkPolicy

    def calico_policy(self, name: str) -> Manifest:
        types = self.one_of([["Ingress"], ["Egress"], ["Ingress", "Egress"]])
        spec: Manifest = {"selector": self._expression(_LABELS), "types": types}
        # unlike in all else than order, so that no two policies are of equal order
        spec["order"] = self.number(0, 199) * 10 + int(name.removeprefix("g"))
        for kind, key in (("Ingress", "ingress"), ("Egress", "egress")):
            if kind in types:
                spec[key] = self._some(self._calico_rule, 3)
        return self._object("projectcalico.org/v3", name, spec)

    def _calico_rule(self) -> Manifest:
        version = self.one_of(self._versions)  # Calico refuses rules of both families
        rule: Manifest = {"action": self.one_of(["Allow", "Allow", "Deny", "Pass"])}
        if protocol := self.one_of(["TCP", "UDP", ""]):
            rule["protocol"] = protocol
        if self._maybe(0.2):
            rule["ipVersion"] = version
        for key, ports in (("source", False), ("destination", bool(protocol))):
            if self._maybe(0.6) and (entity := self._entity(version, ports=ports)):
                rule[key] = entity
        return rule

    def _entity(self, version: int, *, ports: bool) -> Manifest:
        entity: Manifest = {}
        if self._maybe(0.5):
            entity["selector"] = self._expression(_LABELS)
        if self._maybe(0.3):
            entity["namespaceSelector"] = self._expression(_TEAMS)
        if not entity and self._maybe(0.6):
            entity[self.one_of(["nets", "nets", "notNets"])] = [self._net(version)]
        if not entity and self._maybe(0.3):
            entity["serviceAccounts"] = {"names": [self.one_of([*ACCOUNTS, "default"])]}
        if ports and self._maybe(0.4):
            number = self.one_of([*_PORTS, "8000:8080", self.one_of(_NAMES)])
            entity[self.one_of(["ports", "ports", "notPorts"])] = [number]
        return entity

    def _net(self, version: int) -> str:
        """Not the whole family: Calico refuses `notNets` of everything."""
        return next(c for c in iter(lambda: self._cidr(version), "") if not c.endswith("/0"))

    def _expression(self, labels: Mapping[str, tuple[str, ...]]) -> str:
        key = self.one_of(list(labels))
        value = self.one_of(labels[key])
        forms = (
            f"{key} == '{value}'",
            f"{key} != '{value}'",
            f"has({key})",
            f"!has({key})",
            "all()",
        )
        return self.one_of(forms)

    def _object(self, api: str, name: str, spec: Manifest) -> dict[str, Any]:
        where = {"name": name, "namespace": self.one_of(self._homes)}
        return {"apiVersion": api, "kind": "NetworkPolicy", "metadata": where, "spec": spec}


def _is_host(key: str, version: int) -> bool:
    return "/" in key and key.endswith(f".v{version}")


def _is_block(key: str, version: int) -> bool:
    return "/" not in key and key.endswith(f".v{version}")


def _whole(version: int) -> str:
    return "/32" if version == 4 else "/128"


def _within(host: str, cidr: str) -> bool:
    return ipaddress.ip_address(host) in ipaddress.ip_network(cidr)
