"""BGP filters: which routes a BGPFilter keeps from a peer, and whether it does so in one family.

Semantics (Calico API reference, BGPFilter): the rules of a family and direction are tried in order,
the first that matches decides, and what none matches is let through.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from sixproof.kube.api import json_fields
from sixproof.kube.api.json_fields import Manifest
from sixproof.model import Family, IPNetwork, within

_NARROWING = ("source", "interface", "prefixLength")
"""Further conditions of a rule: of which routes of a range they hold is not known."""


@dataclasses.dataclass(frozen=True, slots=True)
class FilterRule:
    """One rule. `cidr` None and `operator` "" match every route; `narrowed` says that it has
    conditions besides."""

    accepts: bool
    operator: str = ""
    cidr: IPNetwork | None = None
    narrowed: bool = False

    def covers(self, network: IPNetwork) -> bool:
        """Whether it matches every route within a range."""
        if self.narrowed:
            return False
        if self.cidr is None:
            return True
        if self.operator == "In":
            return within(network, self.cidr)
        if self.operator == "NotIn":
            return not network.overlaps(self.cidr)
        return self.operator == "Equal" and network == self.cidr

    def touches(self, network: IPNetwork) -> bool:
        """Whether it may match a route within a range."""
        if self.cidr is None or self.operator in ("NotIn", "NotEqual"):
            return True
        return network.overlaps(self.cidr)


@dataclasses.dataclass(frozen=True, slots=True)
class BgpFilter:
    """The rules of a BGPFilter for routes that nodes announce, by family."""

    name: str
    exports: tuple[tuple[Family, tuple[FilterRule, ...]], ...] = ()

    def rejects(self, network: IPNetwork) -> bool:
        """Whether every route within a range is kept from the peer, as far as is known."""
        for rule in dict(self.exports).get(Family.of(network), ()):
            if rule.covers(network):
                return not rule.accepts
            if rule.accepts and rule.touches(network):
                return False
        return False


def bgp_filter(manifest: Manifest) -> BgpFilter:
    """The filter of a BGPFilter object."""
    spec = json_fields.mapping(manifest, "spec")
    exports = (
        (family, tuple(map(_rule, json_fields.entries(spec, f"exportV{family.version}"))))
        for family in Family
    )
    return BgpFilter(json_fields.name(manifest), tuple((f, rules) for f, rules in exports if rules))


def kept_back(
    filters: Iterable[BgpFilter], ranges: Mapping[str, Sequence[IPNetwork]]
) -> Mapping[Family, tuple[str, ...]]:
    """What these filters keep from a peer, by family: the names in `ranges` of which no route of
    that family passes although there is a range."""
    passing = tuple(filters)
    found: dict[Family, list[str]] = {family: [] for family in Family}
    for name, networks in ranges.items():
        for family in Family:
            mine = [n for n in networks if Family.of(n) is family]
            if mine and all(any(one.rejects(n) for one in passing) for n in mine):
                found[family].append(name)
    return {family: tuple(names) for family, names in found.items()}


def _rule(entry: Manifest) -> FilterRule:
    cidr = json_fields.networks([json_fields.text(entry, "cidr")])
    return FilterRule(
        accepts=json_fields.text(entry, "action") == "Accept",
        operator=json_fields.text(entry, "matchOperator"),
        cidr=cidr[0] if cidr else None,
        narrowed=any(entry.get(key) for key in _NARROWING),
    )
