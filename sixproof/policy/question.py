"""A question asked by hand: policies, two endpoints and a port, as a user writes them."""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Mapping

from sixproof.errors import UsageError
from sixproof.model import Endpoint, EndpointKind, Family, Flow, IPAddress
from sixproof.policy.intake import take
from sixproof.policy.judgement import Judgement
from sixproof.policy.oracle import Oracle
from sixproof.policy.provider import CALICO, ProviderProfile
from sixproof.policy.scene import Described, parse_endpoint, parse_lane, read_world
from sixproof.policy.shelf import objects
from sixproof.policy.world import Service, World


@dataclasses.dataclass(frozen=True, slots=True)
class Question:
    """What is asked: endpoints by name or inline, a lane (``tcp/80``), and how.

    `via` is the address dialled where it is not the destination's, `family` one family instead of
    all that fit, `namespace` that of policies which name none.
    """

    source: str
    to: str
    port: str
    via: str = ""
    family: str = ""
    namespace: str = "default"
    profile: ProviderProfile = CALICO


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """The judgements, one a family, the policies they follow from, and what was left out."""

    oracle: Oracle
    policies: tuple[Mapping[str, object], ...]
    judgements: tuple[Judgement, ...]
    skipped: tuple[str, ...]


def answer(question: Question, values: list[object], world: object) -> Answer:
    """The answer to a question about these objects, in the world of a file (see `read_world`).

    Raises:
        UsageError: the question cannot be read, or a manifest is wrong.
    """
    values = list(objects(values))
    scene = _Scene.of(values, question, read_world(world))
    intake = take(values, question.namespace)
    oracle = Oracle.of(intake.policies, scene.world, question.profile)
    judgements = tuple(map(oracle.judge, scene.flows(question)))
    skipped = tuple(f"{left.kind} {left.name}" for left in intake.left)
    return Answer(oracle, intake.policies, judgements, skipped)


@dataclasses.dataclass(frozen=True, slots=True)
class _Scene:
    """The world asked about, with the two endpoints in it."""

    world: World
    source: Endpoint
    destination: Endpoint

    @classmethod
    def of(cls, values: list[object], question: Question, world: World) -> _Scene:
        """The scene of a question, with the labels of Namespace objects."""
        source, destination = _find(question.source, world), _find(question.to, world)
        labels = {**_namespaces(values), **world.namespaces}
        ports = dict(world.ports)
        for one in (source, destination):
            space = one.endpoint.namespace
            if one.namespace_labels:
                labels[space] = {**labels.get(space, {}), **dict(one.namespace_labels)}
            if one.ports:
                ports[space, one.endpoint.pod] = one.ports
        return cls(
            World.of(
                labels,
                ports=ports,
                nodes=world.nodes.values(),
                services=world.services,
                service_accounts=world.service_accounts,
                endpoints=world.endpoints,
            ),
            source.endpoint,
            destination.endpoint,
        )

    def flows(self, question: Question) -> list[Flow]:
        """The flow in every family that fits.

        Raises:
            UsageError: none does.
        """
        protocol, port = parse_lane(question.port)
        dialled = [_address(question.via)] if question.via else self.destination.addresses
        flows = [
            Flow(self.source, self.destination, address, protocol, port)
            for address in sorted(dialled, key=lambda a: a.version)
            if self.source.address(Family.of(address)) is not None
            and question.family in ("", Family.of(address))
        ]
        if not flows:
            names = f"{self.source.name} and {question.via or self.destination.name}"
            family = f"of {question.family}" if question.family else "of the same family"
            raise UsageError(
                f"{names} do not both have an address {family}: give them one, as in "
                "shop/web,10.244.1.2,fd00:10:244::2"
            )
        return flows


def _address(text: str) -> IPAddress:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        raise UsageError(f"--via {text}: is not an IP address") from None


def _find(text: str, world: World) -> Described:
    """An endpoint by name, a service by name, or one described inline."""
    named = {endpoint.name: endpoint for endpoint in world.endpoints}
    if text in named:
        return Described(named[text])
    if text.startswith("svc:"):
        namespace, _, name = text.removeprefix("svc:").partition("/")
        service = world.service(namespace, name)
        if service is None:
            raise UsageError(f"{text}: the world file has no such service")
        return Described(_service_endpoint(service))
    if "/" not in text and ":" not in text and not text.startswith("outside"):
        known = ", ".join(named) or "none"
        raise UsageError(f"{text!r} is no endpoint of the world file (known: {known})")
    return parse_endpoint(text)


def _service_endpoint(service: Service) -> Endpoint:
    return Endpoint(service.name, EndpointKind.SERVICE, service.addresses, service.namespace)


def _namespaces(values: list[object]) -> dict[str, dict[str, str]]:
    """The labels of the Namespace objects."""
    found = {}
    for value in values:
        if isinstance(value, Mapping) and value.get("kind") == "Namespace":
            meta = value.get("metadata")
            meta = meta if isinstance(meta, Mapping) else {}
            labels = meta.get("labels")
            pairs = labels.items() if isinstance(labels, Mapping) else ()
            found[str(meta.get("name"))] = {str(k): str(v) for k, v in pairs}
    return found
