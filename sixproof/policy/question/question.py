"""A question asked by hand: policies, two endpoints and a port, as a user writes them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from sixproof.errors import UsageError
from sixproof.model import EndpointKind, Family, Flow, IPAddress
from sixproof.policy.engine.judgement import Judgement
from sixproof.policy.engine.oracle import Oracle
from sixproof.policy.engine.provider import CALICO, ProviderProfile
from sixproof.policy.manifests.inventory import Inventory
from sixproof.policy.manifests.manifest_compiler import described
from sixproof.policy.manifests.placed import Placed, Refusals
from sixproof.policy.question.endpoint_text import parse_port
from sixproof.policy.question.ends import End, Known, dialled, lend, staged
from sixproof.policy.question.premises import (
    Looks,
    all_inert,
    looks_of,
    not_enforced,
    premises,
    unnamed,
)
from sixproof.policy.question.snapshot_file import read_snapshot
from sixproof.policy.snapshot.address import read_address
from sixproof.policy.snapshot.snapshot import ClusterSnapshot


@dataclasses.dataclass(frozen=True, slots=True)
class Question:
    """What is asked: endpoints by name or inline, a port (``tcp/80``), and how.

    `via` is the address dialled where it is not the destination's, `family` one family instead of
    all that fit, `namespace` that of objects which name none (``default`` where it is not said).
    `no_policies`: a cluster without any is meant, so that none is no mistake.
    """

    source: str
    to: str
    port: str
    via: str = ""
    family: str = ""
    namespace: str = ""
    profile: ProviderProfile = CALICO
    no_policies: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Explanation:
    """The judgements, one per family; the policies that they follow from; the premises that were
    assumed; and remarks about the files."""

    oracle: Oracle
    policies: tuple[Mapping[str, object], ...]
    judgements: tuple[Judgement, ...]
    premises: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def decided(self) -> bool:
        """Whether some policy or profile could have decided: what none can is no answer that
        anything was expected to give."""
        sides = [side for j in self.judgements for side in (j.egress, j.ingress)]
        enforced = any(not policy.inert for policy in self.oracle.policies)
        return enforced or any(side.policy is not None for side in sides)


def answer(
    question: Question,
    values: Iterable[Placed],
    snapshot: Placed | None = None,
    *,
    unread: Sequence[str] = (),
) -> Explanation:
    """The answer to a question about these objects, in the cluster that they and a file describe
    (see `read_snapshot`). `unread` says why some files could not be read.

    Raises:
        UsageError: the question cannot be read, there is nothing to judge, or objects are wrong:
            then the message holds every reason, one per line.
    """
    home = question.namespace or "default"
    stock = Inventory.of(values, home)
    written, violation = _written(snapshot)
    if wrong := (*unread, *violation, *stock.wrong(question.profile)):
        raise Refusals(wrong)
    _check_not_empty(stock, question)
    policies = tuple(one.value for one in stock.policies if isinstance(one.value, Mapping))
    known = Known.of(written, stock.roster)
    ends = known.find(question.source, home), known.find(question.to, home)
    looks = looks_of(policies, ends)
    place, ends, lent = _placed(known.snapshot, ends, looks)
    place = staged(place, ends)
    oracle = Oracle.of(policies, place, question.profile)
    judgements = tuple(map(oracle.judge, _flows(question, ends, place)))
    notes = (
        *unnamed(() if question.namespace else (*stock.intake.defaulted, *_homeless(stock, ends))),
        *premises(looks, ends, place),
        *lent,
        *not_enforced(policies, question.profile),
        *all_inert(oracle.policies),
    )
    return Explanation(oracle, policies, judgements, tuple(dict.fromkeys(notes)), stock.left_out())


def _homeless(stock: Inventory, ends: Iterable[End]) -> list[str]:
    """The ends of the question whose objects name no namespace."""
    names = [(end.endpoint.namespace, end.said.name or end.endpoint.pod) for end in ends]
    known = stock.roster.homeless
    return [known[name] for name in names if name in known]


def _written(snapshot: Placed | None) -> tuple[ClusterSnapshot, tuple[str, ...]]:
    """The cluster of a file, and what is wrong with it."""
    if snapshot is None:
        return ClusterSnapshot.of(), ()
    try:
        return read_snapshot(snapshot.value), ()
    except UsageError as bad:
        return ClusterSnapshot.of(), (f"{snapshot.place}: {bad}",)


def _check_not_empty(stock: Inventory, question: Question) -> None:
    if stock.intake.count and question.no_policies:
        named = described(stock.policies[0].value)
        raise UsageError(f"--no-policies, but the files hold some: {named}")
    if not stock.intake.count and not question.no_policies:
        left = "; ".join(stock.left_out())
        raise UsageError(
            f"nothing to judge: no file holds a policy{f' ({left})' if left else ''}; "
            "--no-policies asks about a cluster without any"
        )


def _placed(
    snapshot: ClusterSnapshot, ends: tuple[End, End], looks: Looks
) -> tuple[ClusterSnapshot, tuple[End, End], tuple[str, ...]]:
    """The cluster with addresses in place of unknown ones, where they decide nothing.

    Raises:
        UsageError: an end has no address, and a policy matches addresses.
    """
    without = [end.endpoint for end in ends if not end.endpoint.addresses]
    outside = [e for e in without if e.kind not in _HAVE_IDENTITY]
    if not without:
        return snapshot, ends, ()
    if looks.networks or outside:
        names = " and ".join(dict.fromkeys(e.name for e in without))
        why = f", and {looks.networks} goes by networks" if looks.networks else ""
        raise UsageError(
            f"no address is known of {names}{why}: give one of each family behind it, as in "
            "shop/web,10.244.1.2,fd00:10:244::2"
        )
    snapshot, both = lend(snapshot, ends)
    names = " and ".join(dict.fromkeys(e.name for e in without))
    note = f"no address is known of {names}: any will do, since no policy looks at networks"
    return snapshot, (both[0], both[1]), (note,)


_HAVE_IDENTITY = (EndpointKind.POD, EndpointKind.SERVICE)


def _flows(question: Question, ends: Sequence[End], snapshot: ClusterSnapshot) -> list[Flow]:
    """The flow in every family that fits.

    Raises:
        UsageError: none does.
    """
    source, destination = (end.endpoint for end in ends)
    protocol, port = dialled(parse_port(question.port), ends[1], snapshot)
    addresses = [_address(question.via)] if question.via else destination.addresses
    flows = [
        Flow(source, destination, address, protocol, port)
        for address in sorted(addresses, key=lambda a: a.version)
        if source.address(Family.of(address)) is not None
        and question.family in ("", Family.of(address))
    ]
    if not flows:
        names = f"{source.name} and {question.via or destination.name}"
        family = f"of {question.family}" if question.family else "of the same family"
        raise UsageError(
            f"{names} do not both have an address {family}: give them one, as in "
            "shop/web,10.244.1.2,fd00:10:244::2"
        )
    return flows


def _address(text: str) -> IPAddress:
    try:
        return read_address(text)
    except ValueError as bad:
        raise UsageError(f"--via: {bad}") from None
