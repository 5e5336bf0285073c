"""What is done to the packets, one destination address a scene, so that all can be seen at once."""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Mapping

from sixproof.model import Endpoint, EndpointKind, Family, IPAddress, Outcome, Protocol

A, D, J, R, U, L, M = (
    Outcome.ALLOWED,
    Outcome.DROPPED,
    Outcome.REJECTED,
    Outcome.REFUSED,
    Outcome.UNROUTABLE,
    Outcome.REPLY_LOST,
    Outcome.MISROUTED,
)
PROTOCOLS = (Protocol.TCP, Protocol.UDP, Protocol.ICMP)
OPEN, ONLY_V4, ONLY_V6, CLOSED = 8080, 8084, 8086, 8099
PORT_SPECS = (
    f"tcp/{OPEN}",
    f"udp/{OPEN}",
    f"tcp4/{ONLY_V4}",
    f"udp4/{ONLY_V4}",
    f"tcp6/{ONLY_V6}",
    f"udp6/{ONLY_V6}",
)

MAIN, NARROW = "main", "narrow"
CUT_HERE, CUT_THERE, CUT_THERE_QUICK = "cut here", "cut there", "cut there, quick neighbours"
NARROW_MTU = 1400


@dataclasses.dataclass(frozen=True)
class Scene:
    """One fault on the way to one server address, and what it must come to.

    `router` are nftables rules of the router's forward hook and `client` of the client's output
    hook; ``{ip}`` stands for ``ip``/``ip6`` and ``{there}`` for the scene's address. `route` is
    the type of the router's route to the address, `own_route` of the client's; None leaves it
    reachable and "" leaves it out. `near` and `far` name the link that the client and the router
    use; `masked` hides the client behind the router, `mute` swallows the router's ICMP errors.
    `because` is in the reason of every outcome but ALLOWED.
    """

    name: str
    outcomes: Mapping[Protocol, Outcome]
    port: int = OPEN
    router: tuple[str, ...] = ()
    client: tuple[str, ...] = ()
    route: str | None = None
    own_route: str | None = None
    near: str = MAIN
    far: str = MAIN
    masked: bool = False
    mute: bool = False
    because: str = ""
    except_in: Mapping[tuple[Family, Protocol], Outcome] = dataclasses.field(default_factory=dict)

    def outcome(self, family: Family, protocol: Protocol) -> Outcome:
        """What the scene must come to."""
        return self.except_in.get((family, protocol), self.outcomes[protocol])

    def reason(self, family: Family, protocol: Protocol) -> str:
        """What the reason must speak of."""
        return "" if self.outcome(family, protocol) is A else self.because

    def __str__(self) -> str:
        return self.name


def every(outcome: Outcome) -> dict[Protocol, Outcome]:
    """The same for every protocol."""
    return dict.fromkeys(PROTOCOLS, outcome)


def each(tcp: Outcome, udp: Outcome, icmp: Outcome) -> dict[Protocol, Outcome]:
    """One for each protocol."""
    return dict(zip(PROTOCOLS, (tcp, udp, icmp), strict=True))


IN_ONE_FAMILY = {
    family: {(family.other, Protocol.TCP): R, (family.other, Protocol.UDP): R} for family in Family
}

SCENES = (
    Scene("nothing in the way", every(A)),
    Scene("request dropped", every(D), router=("{ip} daddr {there} drop",), because="no a"),
    Scene(
        "answer dropped",
        each(L, L, D),  # no server without a privilege knows which echo requests arrived
        router=("{ip} saddr {there} drop",),
        because="arrived",
    ),
    Scene(
        "answer dropped once connected",
        each(L, A, A),
        router=("{ip} saddr {there} tcp flags & (syn | psh) == psh drop",),
        because="the request arrived",
    ),
    Scene(
        "request dropped once connected",
        each(D, A, A),
        router=("{ip} daddr {there} tcp flags & (syn | psh) == psh drop",),
        because="the handshake completed, then no arrival",
    ),
    Scene("port closed", each(R, R, A), port=CLOSED, because="no listener"),
    Scene(
        "server listens on IPv4 only",
        every(A),
        port=ONLY_V4,
        except_in=IN_ONE_FAMILY[Family.IPV4],
        because="no listener",
    ),
    Scene(
        "server listens on IPv6 only",
        every(A),
        port=ONLY_V6,
        except_in=IN_ONE_FAMILY[Family.IPV6],
        because="no listener",
    ),
    Scene(
        "reset by a filter",
        each(J, A, A),
        router=("{ip} daddr {there} meta l4proto tcp reject with tcp reset",),
        because="on the way (ECONNREFUSED) although the server listens",
    ),
    Scene(
        "rejected with port unreachable",
        every(J),
        router=("{ip} daddr {there} reject with icmpx port-unreachable",),
        because="on the way",
    ),
    Scene(
        "rejected as prohibited",
        every(J),
        router=("{ip} daddr {there} reject with icmpx admin-prohibited",),
        because="prohibited",
    ),
    Scene("blackhole route on the router", every(D), route="blackhole", because="no a"),
    Scene(
        "unreachable route on the router",
        every(U),
        route="unreachable",
        because="Destination Unreachable: ",
    ),
    Scene("prohibit route on the router", every(J), route="prohibit", because="prohibited"),
    Scene("no route on the router", every(U), route="", because="Destination Unreachable: "),
    Scene("no route on the client", every(U), own_route="", because="source has no route"),
    Scene(
        "blackhole route on the client",
        every(U),
        own_route="blackhole",
        because="a blackhole route of the source drops it: EINVAL",
    ),
    Scene(
        "unreachable route on the client", every(U), own_route="unreachable", because="EHOSTUNREACH"
    ),
    Scene(
        "prohibit route on the client",
        every(U),
        own_route="prohibit",
        because="source has no route: EACCES",
    ),
    Scene("client's own filter drops", every(D), client=("{ip} daddr {there} drop",)),
    Scene("client's link shut", every(U), near=CUT_HERE, because="source has no route"),
    Scene("client's link cut beyond", every(D), near=CUT_THERE, because="no a"),
    Scene(
        "client's link cut beyond, noticed", every(U), near=CUT_THERE_QUICK, because="EHOSTUNREACH"
    ),
    Scene(
        "server's link shut at the router",
        every(U),
        far=CUT_HERE,
        because="Destination Unreachable: ",
    ),
    Scene("server's link cut beyond", every(D), far=CUT_THERE, because="no a"),
    Scene(
        "server's link cut beyond, noticed", every(U), far=CUT_THERE_QUICK, because="EHOSTUNREACH"
    ),
    Scene("client masked by the router", every(A), masked=True),
    Scene("narrow path", every(A), far=NARROW),
    Scene("narrow path, forbidding fragments", every(A), far=NARROW),
    Scene("narrow path that is asked once", every(A), far=NARROW),
    Scene("narrow path that does not say so", every(A), far=NARROW, mute=True),
)


def scene(name: str) -> int:
    """The index of a scene."""
    return [s.name for s in SCENES].index(name)


def address(index: int, family: Family) -> IPAddress:
    """The server's address of a scene."""
    text = f"198.51.100.{index + 1}" if family is Family.IPV4 else f"2001:db8:2::{index + 1:x}"
    return ipaddress.ip_address(text)


def source(index: int, family: Family) -> IPAddress:
    """The client's address towards a scene.

    One a scene, since an IPv4 router reports missing routes to one source five times at once and
    then once a second (net.ipv4.route.error_burst, error_cost; only the first namespace has them).
    """
    text = f"192.0.2.{index + 192}" if family is Family.IPV4 else f"2001:db8:4::{index + 1:x}"
    return ipaddress.ip_address(text)


def server_of(index: int) -> Endpoint:
    """The server under the address of a scene."""
    return Endpoint(
        name=f"server: {SCENES[index]}",
        kind=EndpointKind.POD,
        addresses=tuple(address(index, f) for f in Family),
        namespace="lab",
        pod="server",
        node="there",
    )
