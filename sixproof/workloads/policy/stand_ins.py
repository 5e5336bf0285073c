"""Stand-ins for the namespaces and pods that the user's own policies select.

Each namespace of a policy gets a stand-in, and so does each that a selector means and for which no
other fits. Each has pods with the fewest labels that each selector needs, and one pod without
labels. They serve the ports that the policies name, and one that none names.
"""

from __future__ import annotations

import copy
import dataclasses
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from typing import Protocol as Shape

from sixproof.errors import UsageError
from sixproof.model import Protocol
from sixproof.policy.calico.selector import Both, Compare, Either, Has, Not, Within
from sixproof.policy.calico.selector_text import parse_selector
from sixproof.policy.kubernetes.labels import Operator, read_label_selector
from sixproof.policy.manifests.manifest import Field
from sixproof.policy.snapshot.snapshot import NamedPort
from sixproof.workloads.policy.cases import Manifest
from sixproof.workloads.policy.files import Given, home_of
from sixproof.workloads.probe_pods.ports import PortSpec

STANDS_FOR = "sixproof.dev/stands-for"
"""The label of stand-ins and their pods: the namespace's own name, for policies that go by name."""
BYSTANDER, ELSEWHERE = "somebody", "(elsewhere)"
MOST_PODS, MOST_PORTS = 24, 6

_BY_NAME = ("kubernetes.io/metadata.name", "projectcalico.org/name", "projectcalico.org/namespace")
_SIDES = {"from": "k8s", "to": "k8s", "source": "calico", "destination": "calico"}
Labels = Mapping[str, str]


class Selects(Shape):
    """A selector of either API."""

    def matches(self, labels: Labels) -> bool:
        """Whether labels are selected."""


@dataclasses.dataclass(frozen=True)
class Home:
    """A stand-in: the name of the namespace that it replaces, its labels, its pods' by name."""

    name: str
    labels: Labels
    pods: Mapping[str, Labels]


@dataclasses.dataclass(frozen=True)
class StandIns:
    """The stand-ins, their pods' ports, the named ones, and ports left out for lack of room."""

    homes: tuple[Home, ...]
    port_specs: tuple[PortSpec, ...]
    named: tuple[NamedPort, ...]
    left_out: tuple[int, ...] = ()


@dataclasses.dataclass(frozen=True)
class _Role:
    """A peer or subject of a policy: a pod that `pod` selects, in a namespace that `home` selects,
    or in the policy's own namespace."""

    own: str
    home: tuple[Selects, tuple[tuple[str, str], ...]] | None
    pod: tuple[Selects, tuple[tuple[str, str], ...]] | None


def build(given: Given, known: Mapping[str, Labels]) -> StandIns:
    """The stand-ins for these policies; `known` are labels of namespaces that the cluster has.

    Raises:
        UsageError: it would need more pods than `MOST_PODS`.
    """
    policies = [translated(p) for p in given.policies]
    names = sorted({home_of(p) for p in given.policies})
    homes = {n: {**known.get(n, {}), **given.namespaces.get(n, {}), STANDS_FOR: n} for n in names}
    roles = [role for policy in policies for role in _roles(policy)]
    for role in roles:
        if role.home and not any(role.home[0].matches(labels) for labels in homes.values()):
            wanted = _fewest(*role.home)
            if wanted is not None:
                name = wanted.get(STANDS_FOR, f"(peer-{len(homes) + 1 - len(names)})")
                homes[name] = {**known.get(name, {}), **given.namespaces.get(name, {}), **wanted}
    homes[ELSEWHERE] = {}
    pods: dict[str, dict[str, Labels]] = {name: {BYSTANDER: {}} for name in homes}
    for role in roles:
        wanted = _fewest(*role.pod) if role.pod else None
        for name, labels in homes.items():
            here = role.home[0].matches(labels) if role.home else name == role.own
            if wanted and here and wanted not in pods[name].values():
                pods[name][_called(wanted, len(pods[name]))] = wanted
    if (count := sum(map(len, pods.values()))) > MOST_PODS:
        raise UsageError(f"the policies mean {count} pods, {MOST_PODS} are the most: split them")
    stand_ins = tuple(Home(name, labels, pods[name]) for name, labels in homes.items())
    return StandIns(stand_ins, *_ports(policies))


def translated(policy: Manifest) -> Manifest:
    """The policy with its spec only, with namespace names replaced by a label."""
    text = {"name": policy["metadata"]["name"], "namespace": home_of(policy)}
    spec = _renamed(copy.deepcopy(policy["spec"]))
    return {k: policy[k] for k in ("apiVersion", "kind")} | {"metadata": text, "spec": spec}


def _renamed(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {STANDS_FOR if k in _BY_NAME else k: _renamed(v, k) for k, v in value.items()}
    if isinstance(value, list):
        return [_renamed(item, key) for item in value]
    if key == "key" and value in _BY_NAME:
        return STANDS_FOR
    if isinstance(value, str) and key.lower().endswith("selector"):
        return re.sub("|".join(map(re.escape, _BY_NAME)), STANDS_FOR, value)
    return value


def _roles(policy: Manifest) -> Iterator[_Role]:
    """The subject, and the peers of every rule."""
    spec, own = policy["spec"], policy["metadata"]["namespace"]
    subject = spec.get("podSelector", spec.get("selector"))
    yield _Role(own, None, _selector(subject))
    for rule in (*(spec.get("ingress") or ()), *(spec.get("egress") or ())):
        for side, api in _SIDES.items():
            peers = rule.get(side) or ()
            for peer in peers if api == "k8s" else [peers]:
                pod = peer.get("podSelector", peer.get("selector")) if peer else None
                home = peer.get("namespaceSelector") if peer else None
                if pod is not None or home is not None:
                    yield _Role(own, _selector(home), _selector(pod))


def _selector(value: Any) -> tuple[Selects, tuple[tuple[str, str], ...]] | None:
    """A selector, and the labels that it names."""
    if value is None:
        return None
    if isinstance(value, str):
        parsed = parse_selector(value)
        return parsed, tuple(dict.fromkeys(_spoken(parsed)))
    found = read_label_selector(Field(value))
    pairs = []
    for wish in found.requirements:
        if wish.operator is Operator.IN:
            pairs += [(wish.key, value) for value in wish.values]
        elif wish.operator is Operator.EXISTS:
            pairs.append((wish.key, "any"))
    return found, tuple(dict.fromkeys(pairs))


def _spoken(node: object) -> Iterator[tuple[str, str]]:
    match node:
        case Has(label=label):
            yield label, "any"
        case Compare(label=label, text=text):
            yield label, text
        case Within(label=label, texts=texts):
            yield from ((label, text) for text in texts)
        case Not(operand=operand):
            yield from _spoken(operand)
        case Both(operands=operands) | Either(operands=operands):
            for operand in operands:
                yield from _spoken(operand)


def _fewest(selector: Selects, pairs: Sequence[tuple[str, str]]) -> dict[str, str] | None:
    """The smallest set of the labels named in a selector that it selects, None if there is none."""
    for size in range(5):
        for chosen in itertools.combinations(pairs[:12], size):
            labels = dict(chosen)
            if len(labels) == size and selector.matches(labels):
                return labels
    return None


def _called(labels: Labels, number: int) -> str:
    text = re.sub(r"[^a-z0-9]+", "-", "-".join(labels.values()).lower())[:40].strip("-")
    return f"{text or 'pod'}-{number}"


def _ports(
    policies: Iterable[Manifest],
) -> tuple[tuple[PortSpec, ...], tuple[NamedPort, ...], tuple[int, ...]]:
    """What to serve: the ports that policies name, bounds of ranges, and one that none names."""
    numbers: dict[int, None] = {}
    names: dict[str, Protocol] = {}
    for port, protocol in (found for p in policies for found in _named_by(p["spec"], "TCP")):
        if isinstance(port, int):
            numbers[port] = None
        elif re.fullmatch(r"\d+(:\d+)?", port):
            numbers |= dict.fromkeys(map(int, port.split(":")))
        else:
            names.setdefault(port, Protocol.UDP if protocol == "UDP" else Protocol.TCP)
    dialled = [n for n in numbers if 0 < n < 65536]
    kept, left_out = dialled[:MOST_PORTS], dialled[MOST_PORTS:]
    free = iter(n for n in range(9001, 9100) if n not in numbers)
    named = tuple(NamedPort(name, protocol, next(free)) for name, protocol in names.items())
    kept += [next(free), *(port.number for port in named[:MOST_PORTS])]
    port_specs = tuple(
        PortSpec(protocol, n) for n in kept for protocol in (Protocol.TCP, Protocol.UDP)
    )
    return port_specs, named[:MOST_PORTS], tuple(left_out)


def _named_by(value: Any, protocol: str) -> Iterator[tuple[int | str, str]]:
    """Every port that a spec names, with its protocol."""
    if isinstance(value, list):
        for item in value:
            yield from _named_by(item, protocol)
    if not isinstance(value, dict):
        return
    protocol = str(value.get("protocol", protocol))
    for key, item in value.items():
        if key in ("port", "endPort") and isinstance(item, int | str):
            yield item, protocol
        elif key in ("ports", "notPorts") and isinstance(item, list):
            yield from ((i, protocol) for i in item if isinstance(i, int | str))
            yield from _named_by([i for i in item if isinstance(i, dict)], protocol)
        else:
            yield from _named_by(item, protocol)
