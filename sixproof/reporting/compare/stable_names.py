"""Names that mean the same in two runs: without run ids, generated pod names and addresses."""

from __future__ import annotations

import dataclasses
import ipaddress
import re
from collections.abc import Iterable, Iterator

from sixproof.model import Endpoint, EndpointKind, IPAddress, IPNetwork
from sixproof.reporting.results.results_json import Results

ANY = "*"
"""What stands for a part of a name that differs from run to run."""

_GENERATED = "[bcdfghjklmnpqrstvwxz2456789]"
"""The characters of names that Kubernetes generates (k8s.io/apimachinery, util/rand). A word such
as https consists of them, too: without the hash of a ReplicaSet there must be a digit."""
_LETTERS = "[b-df-hj-np-tvwxz]"
_WORD = "[A-Za-z0-9]"
_NODE_PORTS = re.compile(r"(?<=/)(?:3[01]\d{3}|32[0-6]\d{2}|327[0-5]\d|3276[0-7])(?!\d)")
"""Ports of the range in which NodePorts are allocated (30000 to 32767), behind a protocol."""


@dataclasses.dataclass(frozen=True)
class StableNames:
    """How the names of one run are read.

    `run` is its id, `nodes` are names that stay as they are; `addresses` are those of pods and
    clusterIPs, `networks` the ranges that such addresses are given from. `covered` are the nodes of
    the endpoints that took part.
    """

    run: str = ""
    nodes: frozenset[str] = frozenset()
    addresses: frozenset[IPAddress] = frozenset()
    networks: tuple[IPNetwork, ...] = ()
    covered: frozenset[str] = frozenset()
    _known: dict[str, str] = dataclasses.field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, results: Results) -> StableNames:
        """The names of a run."""
        facts = results.facts
        ends = list(_ends(results))
        nodes = {node.name for node in facts.nodes} if facts else set()
        networks = (*facts.service_cidrs, *facts.pod_cidrs) if facts else ()
        of_nodes = tuple(n for node in facts.nodes for n in node.pod_cidrs) if facts else ()
        return cls(
            results.run.id,
            frozenset(filter(None, {*nodes, *(end.node for end in ends)})),
            frozenset(address for end in ends if _is_given(end) for address in end.addresses),
            (*networks, *of_nodes),
            frozenset(end.node for end in ends if end.node),
        )

    def stable(self, text: str) -> str:
        """The text with ``*`` for each part that differs from run to run."""
        known = self._known.get(text)
        if known is None:
            known = self._known[text] = self._pattern.sub(self._replaced, text)
        return known

    def port(self, port_spec: str) -> str:
        """The same of a service's port with its question: NodePorts are allocated."""
        return _NODE_PORTS.sub(ANY, self.stable(port_spec))

    def test(self, nodeid: str) -> str:
        """The node id of a test, whatever directory pytest was started for."""
        before, suites, rest = nodeid.partition("suites/")
        return f"{suites}{rest}" if suites and (not before or before.endswith("/")) else nodeid

    @property
    def _pattern(self) -> re.Pattern[str]:
        made = _PATTERNS.get((self.run, self.nodes))
        if made is None:
            made = _PATTERNS[self.run, self.nodes] = _pattern(self.run, self.nodes)
        return made

    def _replaced(self, found: re.Match[str]) -> str:
        text = found[0]
        if found.lastgroup == "node":
            return text
        if found.lastgroup != "address":
            return f"-{ANY}" if found.lastgroup == "generated" else ANY
        core = text if text.endswith("::") else text.rstrip(".:")
        try:
            address = ipaddress.ip_address(core)
        except ValueError:
            return text
        return f"{ANY}{text[len(core) :]}" if self._is_ephemeral(address) else text

    def _is_ephemeral(self, address: IPAddress) -> bool:
        return address in self.addresses or any(address in network for network in self.networks)


_PATTERNS: dict[tuple[str, frozenset[str]], re.Pattern[str]] = {}


def _pattern(run: str, nodes: Iterable[str]) -> re.Pattern[str]:
    """What is looked for; names of nodes come first, which may look like anything else."""
    longest = sorted(nodes, key=lambda name: (-len(name), name))
    parts = [
        rf"(?P<node>(?<![\w.-])(?:{'|'.join(map(re.escape, longest))})(?![\w-]))"
        if longest
        else "",
        rf"(?P<run>(?<!{_WORD}){re.escape(run)}(?!{_WORD}))" if run else "",
        rf"(?P<process>(?<!{_WORD})(?:gw\d+|master|main)(?!{_WORD}))",
        r"(?P<address>(?<![\w.:])(?:[0-9A-Fa-f]*:[0-9A-Fa-f:.]+|\d+(?:\.\d+){3})(?![\w/]))",
        rf"(?P<generated>(?<={_WORD})(?:-{_GENERATED}{{8,10}}|(?=-{_LETTERS}{{0,4}}\d))"
        rf"-{_GENERATED}{{5}}(?![\w-]))",
    ]
    return re.compile("|".join(filter(None, parts)))


def _is_given(end: Endpoint) -> bool:
    """Whether its addresses are given to it anew in each run."""
    if end.kind is EndpointKind.SERVICE:
        return not end.node
    return end.kind is EndpointKind.POD


def _ends(results: Results) -> Iterator[Endpoint]:
    """The endpoints of all matrices, each once."""
    seen: set[int] = set()
    for measured in results.matrices:
        for observation in measured.matrix.cells.values():
            for end in (observation.flow.source, observation.flow.destination):
                if id(end) not in seen:
                    seen.add(id(end))
                    yield end
