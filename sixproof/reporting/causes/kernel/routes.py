"""Routes: a node's kernel refuses packets to another node's pods, or sends them elsewhere."""

from __future__ import annotations

import dataclasses
import errno
import os
from collections.abc import Iterator, Sequence

from sixproof.agent.protocol.node import KIND_ROUTES, KIND_RULES, NodeSeen, RouteHeld
from sixproof.model import EndpointKind, Family, Flow, IPAddress, MatrixKind
from sixproof.probes.nodes import fib
from sixproof.probes.nodes.fib import RouteLookup
from sixproof.reporting.conclusion.cause import (
    NAMED,
    Cause,
    CauseRule,
    Command,
    Confidence,
    Trait,
    few,
    log_of,
    since,
)
from sixproof.reporting.conclusion.reach import carried_over, sends, surely_sends
from sixproof.reporting.conclusion.situation import Situation
from sixproof.reporting.diagnosis.merged import behind
from sixproof.reporting.diagnosis.pattern import said_list, said_some


@dataclasses.dataclass
class _WrongWay:
    """Addresses that one node sends the same wrong way, by one or several such routes, each with
    its way.

    `senders` are the addresses of the node's own pods whose packets go so, where only theirs do.
    """

    ways: list[tuple[IPAddress, RouteLookup]] = dataclasses.field(default_factory=list)
    nodes: dict[str, None] = dataclasses.field(default_factory=dict)
    senders: set[IPAddress] = dataclasses.field(default_factory=set)

    @property
    def way(self) -> RouteLookup:
        """One of them, which represents all."""
        return self.ways[0][1]

    @property
    def addresses(self) -> frozenset[IPAddress]:
        """All of them."""
        return frozenset(address for address, _ in self.ways)

    @property
    def example(self) -> IPAddress:
        """One that goes by the route that represents all."""
        return min((a for a, w in self.ways if w.route == self.way.route), key=str)

    @property
    def routes(self) -> list[RouteHeld]:
        """The routes, that which represents all first."""
        return list({w.route.destination: w.route for _, w in self.ways if w.route}.values())

    @property
    def sender(self) -> IPAddress | None:
        """One of the senders, None where all packets of the node go so."""
        return min(self.senders, key=str, default=None)

    def refused(self, packets: str, *, brief: bool = False) -> str:
        """What becomes of them, with how many more such routes there are."""
        more = len(self.routes) - 1
        said = self.way.refused(packets, brief=brief)
        return f"{said}, and {more} more such" if more > 0 else said


def find(situation: Situation) -> Iterator[Cause]:
    """Refused routes, then those that lead elsewhere than all other nodes' do."""
    for family in Family:
        usual = _routes_are_usual(situation, family)
        for node in situation.nodes:
            groups: dict[object, _WrongWay] = {}
            for end in situation.endpoints:
                address = end.address(family)
                if end.node == node or address is None:
                    continue
                for sender, found in _ways(situation, node, address):
                    if _is_wrong(found, end.kind, usual):
                        group = groups.setdefault((_kind(found), sender is None), _WrongWay())
                        group.ways.append((address, found))
                        group.nodes.setdefault(end.node)
                        group.senders |= {sender} if sender else set()
            for group in groups.values():
                yield _cause(situation, node, family, group)


def _ways(
    situation: Situation, node: str, address: IPAddress
) -> Iterator[tuple[IPAddress | None, RouteLookup]]:
    """The way of a node's packets to an address, and where policy rules go by the source those of
    its pods that take another one, with their addresses."""
    seen, family = situation.nodes[node], Family.of(address)
    usual = fib.way(seen, address)
    yield None, usual
    if any(rule.source for rule in seen.rules if rule.family == family.value):
        for end in situation.endpoints:
            own = end.address(family)
            if end.node == node and end.kind is EndpointKind.POD and own is not None:
                way = fib.way(seen, address, own)
                if (way.rule, way.route) != (usual.rule, usual.route):
                    yield own, way


def _routes_are_usual(situation: Situation, family: Family) -> bool:
    """Whether some node has a route of its own, not only the default one, to another's pod."""
    return any(
        way.open and not way.by_default
        for node, seen in situation.nodes.items()
        for end in situation.endpoints
        if end.kind is EndpointKind.POD and end.node != node and (a := end.address(family))
        for way in [fib.way(seen, a)]
    )


def _is_wrong(way: RouteLookup, kind: EndpointKind, usual: bool) -> bool:
    """Whether it ends at the node, or is the default route where others have one of their own."""
    lost = kind is EndpointKind.POD and way.by_default and usual
    return lost or not way.open


def _by_rule(way: RouteLookup) -> bool:
    """Whether a rule that is not the kernel's own led there."""
    return way.rule is not None and not fib.is_usual(way.rule)


def _kind(way: RouteLookup) -> object:
    """Ways of one kind are one cause: the same rule, the same sort of route in the same table."""
    rule = way.rule.priority if way.rule else None
    return rule, (way.route.kind, way.route.table) if way.route else None


def _cause(situation: Situation, node: str, family: Family, group: _WrongWay) -> Cause:
    to, senders = group.addresses, frozenset(group.senders)
    names = tuple(group.nodes)
    many = f"{len(names)} nodes" if len(names) > 1 else said_list(names)
    of = " of its pods" if senders else ""
    pods, few_pods = (f"{family} packets{of} to pods of {n}" for n in (said_list(names), many))

    def sent(flow: Flow) -> bool:
        ends = {end.address(family) for end in (flow.source, flow.destination) if end.node == node}
        return not senders or bool(ends & senders)

    route = group.way.route
    do: tuple[Command, ...] = ()
    briefer: tuple[str, ...]
    if not group.way.open:
        what = group.refused(pods)
        briefer = group.refused(few_pods), group.refused(few_pods, brief=True)
        if _by_rule(group.way):
            pref = group.way.rule.priority if group.way.rule else ""
            remedy = "Find out who made it, or it comes back; then remove it"
            do = (
                Command.ip(family, "rule", "show", on=node),
                Command.ip(family, "rule", "del", "pref", pref, on=node),
                *_flushes(situation.nodes[node], node, family, group.way),
            )
        elif len(group.routes) > 1:
            remedy = "Find out who made them, or they come back; then remove them"
            do = _removals(node, family, group.routes)
        elif route is not None:
            remedy = "Find out who made it, or it comes back; then remove it"
            do = (_removal(node, family, route),)
        else:
            remedy = f"See why calico-node or the routing daemon on {node} makes no route"
            do = _daemon_log(situation, node)
    else:
        gateway = route.gateway if route else "elsewhere"
        what = f"no route to them but the default route: {pods} leave for {gateway}"
        briefer = (what.replace(pods, few_pods),)
        remedy = f"See why calico-node or the routing daemon on {node} makes no route"
        do = _daemon_log(situation, node)
    drawn = _drawn(situation, node, to)
    followers = _followers(situation, node, to)

    def passes(flow: Flow) -> bool:
        """From elsewhere to one of these pods, or its answers, by this node. Behind a service may
        be one of them."""
        follows = flow.source.node in followers or (bool(drawn) and not flow.source.node)
        if behind(flow.destination) and follows:
            return carried_over(flow) is family
        ends = {flow.address, flow.source.address(family)}
        return bool(drawn & ends) and flow.source.node != flow.destination.node

    return Cause(
        "route",
        f"node {node}",
        what,
        remedy,
        (family,),
        Confidence.SHOWN,
        hits=lambda wrong: (
            (sends(wrong.observation.flow, node, family, to) and sent(wrong.observation.flow))
            or passes(wrong.observation.flow)
        ),
        must=lambda flow: surely_sends(flow, node, family, to) and sent(flow),
        evidence=tuple(_evidence(situation, node, family, group, len(drawn))),
        do=do,
        briefer=briefer,
        details=tuple(_details(group, names)),
        see=(_seen_by(situation.nodes[node], node, family, group),),
        since=_since(situation, node, group),
        traits=frozenset({Trait.POLICY_RULE} if _by_rule(group.way) else ()),
    )


def _daemon_log(situation: Situation, node: str) -> tuple[Command, ...]:
    """How to read the log of a node's calico-node, where it has one."""
    return tuple(map(log_of, situation.examination.of("calico-node", node)[:1]))


def _removal(node: str, family: Family, route: RouteHeld) -> Command:
    """The command that removes a route."""
    prefix = fib.said_prefix(route.destination)
    what = ("route", "del", route.kind, prefix, *_table(route))
    return Command.ip(family, *what, on=node)


def _table(route: RouteHeld) -> tuple[str, ...]:
    """What commands say of a route's table, nothing for the main one."""
    return () if route.table == fib.MAIN else ("table", fib.table_name(route.table))


def _removals(node: str, family: Family, routes: Sequence[RouteHeld]) -> tuple[Command, ...]:
    """The commands that list and remove routes of one kind and table."""
    what = ("route", "show", *_table(routes[0]), "type", routes[0].kind)
    listing = Command.ip(family, *what, on=node)
    return few([_removal(node, family, route) for route in routes], "route", listing)


def _flushes(seen: NodeSeen, node: str, family: Family, way: RouteLookup) -> Iterator[Command]:
    """The command that empties the table of a rule, where it only refuses packets or leaves them to
    later rules, and no other rule looks it up."""
    if way.rule is None or way.route is None or way.route.table in fib.TABLES:
        return
    if seen.lacks(*KIND_ROUTES, KIND_RULES):
        return  # what was not read may need the table
    table = way.route.table
    asking = [r for r in seen.rules if r.family == family.value and r.table == table]
    kinds = {r.kind for r in fib.routes_of(seen, family, table)}
    if asking == [way.rule] and kinds <= {*fib.REFUSALS, "throw"}:
        what = ("route", "flush", "table", table)
        note = "no other rule looks it up"
        yield Command.ip(family, *what, on=node, note=note)


def _details(group: _WrongWay, nodes: Sequence[str]) -> Iterator[str]:
    """What a first line may have no room for."""
    if _by_rule(group.way) and group.way.rule:
        yield fib.said_rule(group.way.rule)
    if len(nodes) > 1:
        yield f"to pods of {said_some(nodes, NAMED)}"


def _drawn(situation: Situation, node: str, to: frozenset[IPAddress]) -> frozenset[IPAddress]:
    """Those of these addresses for which a router outside sends packets to this node."""
    own = {address for address, holder in situation.holders.items() if holder == node}
    return frozenset(
        seen.flow.address
        for seen in situation.seen_of(MatrixKind.ROUTES)
        if seen.next_hop in own and seen.flow.address in to
    )


def _followers(situation: Situation, node: str, to: frozenset[IPAddress]) -> frozenset[str]:
    """The other nodes whose kernels send packets for one of these addresses to this node, since it
    announces a route for them."""
    own = {address for address, holder in situation.holders.items() if holder == node}
    gateways = {str(address) for address in own}
    return frozenset(
        other
        for other, seen in situation.nodes.items()
        if other != node
        and any(w.route and w.route.gateway in gateways for a in to if (w := fib.way(seen, a)))
    )


def _since(situation: Situation, node: str, group: _WrongWay) -> str:
    """Whether it was so when the run began."""
    earlier = situation.earlier.get(node)
    if earlier is None:
        return ""
    before = fib.way(earlier, group.example, group.sender)
    return since(before.open == group.way.open)


def _evidence(
    situation: Situation, node: str, family: Family, group: _WrongWay, drawn: int
) -> Iterator[str]:
    if drawn:
        yield f"it announces them: the router outside sends packets for {drawn} addresses to {node}"
    seen = situation.nodes[node]
    address = group.example
    others = [fib.said_prefix(held.destination) for held in group.routes[1:]]
    if others and not group.way.open:
        kind = group.way.route.kind if group.way.route else ""
        yield f"the other {kind} routes: {said_some(others, NAMED)}"
    if _by_rule(group.way):
        route = fib.way(dataclasses.replace(seen, rules=[]), address).route
        if route is not None and route.kind == "unicast":
            yield (
                f"table main of {node} has a route for them ({fib.said_prefix(route.destination)} "
                f"dev {route.device}), which is never used"
            )
        yield from _spared(situation, node, family, group)
    other = family.other
    twins = [
        twin
        for end in situation.endpoints
        if end.address(family) in group.addresses and (twin := end.address(other))
    ]
    if twins and not group.senders and all(fib.way(seen, twin).open for twin in twins):
        yield f"over {other} {node} has a route to each of the same pods"
    if group.way.doubtful:
        yield (
            "a policy rule there asks for a mark, a device or a protocol: such packets may go "
            "another way"
        )


def _spared(situation: Situation, node: str, family: Family, group: _WrongWay) -> Iterator[str]:
    """Why the rule spares packets to the node's own pods, where it does."""
    seen, rule = situation.nodes[node], group.way.rule
    if rule is None or rule.inverted:
        return
    own = [
        address
        for end in situation.endpoints
        if end.node == node and end.kind is EndpointKind.POD and (address := end.address(family))
    ]
    ways = {address: fib.way(seen, address, group.sender) for address in own}
    if not ways or not all(way.open for way in ways.values()):
        return
    held = [fib.found(seen, rule.table, address) for address in own]
    thrown = {fib.said_prefix(route.destination) for route in held if route is not None}
    if rule.destination and not any(a in fib.network(rule.destination) for a in own):
        yield f"its own pods are spared: they are not in {rule.destination}"
    elif all(route is not None and route.kind == "throw" for route in held):
        yield (
            f"its own pods are spared: table {fib.table_name(rule.table)} leaves "
            f"{said_list(sorted(thrown))} to later rules (throw)"
        )
    elif all(way.rule and way.rule.priority < rule.priority for way in ways.values()):
        yield "its own pods are spared: the routes to them are found by an earlier rule"


def _seen_by(seen: NodeSeen, node: str, family: Family, group: _WrongWay) -> Command:
    """The command that shows the way of one of the addresses."""
    address = group.example
    answer = "" if group.way.open else f"answers: {_answer(group.way)}"
    by = ("from", str(group.sender), "iif", _device(seen, group.sender)) if group.sender else ()
    what = ("route", "get", str(address), *by)
    return Command.ip(family, *what, on=node, note=answer)


def _device(seen: NodeSeen, address: IPAddress) -> str:
    """The device by which a node reaches one of its pods."""
    route = fib.way(seen, address).route
    return route.device if route else "DEVICE"


def _answer(way: RouteLookup) -> str:
    """The kernel's error for a way that is not open."""
    kind = way.route.kind if way.route else way.rule.action if way.rule else ""
    return os.strerror(getattr(errno, fib.ERRORS.get(kind, "ENETUNREACH")))


RULES = (
    CauseRule(
        "route",
        "A node has no route to another node's pods, or one that refuses them",
        "policy rules and all routing tables of the node, for each address that was measured",
        find,
        ("I10", "R2", "R2F", "B4"),
        "ip-rule(8), ip-route(8)",
    ),
)
