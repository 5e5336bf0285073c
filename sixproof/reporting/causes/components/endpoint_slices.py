"""EndpointSlices: a service's traffic is sent to an address that no pod has."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from ipaddress import ip_address

from sixproof.kube.facts.components import StrayEndpoint
from sixproof.model import Disagreement, Family
from sixproof.reporting.conclusion.cause import Cause, CauseRule, Command, Confidence
from sixproof.reporting.conclusion.situation import Situation
from sixproof.reporting.diagnosis.pattern import said_some

SLICE = "endpointslice"


def find(situation: Situation) -> Iterator[Cause]:
    """Each slice with such addresses that are no node's either."""
    nodes = {str(a) for those in situation.node_addresses.values() for a in those}
    groups: dict[tuple[str, str, str], list[StrayEndpoint]] = defaultdict(list)
    for stray in situation.examination.strays:
        if stray.address not in nodes:
            groups[stray.namespace, stray.slice, stray.service].append(stray)
    for (namespace, name, service), strays in groups.items():
        families = tuple(
            f for f in Family if any(Family.of(ip_address(s.address)) is f for s in strays)
        )
        kept = strays[0].kept_by
        yield Cause(
            "endpoint-slice",
            f"EndpointSlice {namespace}/{name}",
            f"it sends {' and '.join(families)} traffic of Service {service} to "
            f"{said_some([s.address for s in strays], 3)}, which no pod has",
            f"See why {kept} lists an address that is gone" if kept else "Delete it",
            families,
            Confidence.SHOWN,
            hits=_to(service, families),
            evidence=(f"{kept or 'no controller'} keeps it",),
            see=(Command.kubectl(namespace, "get", SLICE, name, "-o", "yaml"),),
            do=() if kept else (Command.kubectl(namespace, "delete", SLICE, name),),
        )


def _to(service: str, families: tuple[Family, ...]) -> Callable[[Disagreement], bool]:
    """Flows to the service, by its name or through one of its ways (``NodePort of web``)."""

    def hits(wrong: Disagreement) -> bool:
        flow = wrong.observation.flow
        named = flow.destination.name == service or service in flow.destination.name.split()
        return named and Family.of(flow.address) in families

    return hits


RULES = (
    CauseRule(
        "endpoint-slice",
        "An EndpointSlice sends traffic of a service to an address that no pod has",
        "EndpointSlices and pods of the run's namespaces",
        find,
        ("S2",),
        "Kubernetes API reference: EndpointSlice",
    ),
)
