"""Addresses that a service must have, and those that it must not have."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sixproof.errors import Subject, VerdictError
from sixproof.model import Family
from sixproof.reporting.diagnosis.evidence import require_none
from sixproof.workloads.services.families import FamilyWish
from sixproof.workloads.services.manifests import Service
from sixproof.workloads.services.slices import Behind


def must_be_granted(wish: FamilyWish, service: Service | None, offered: Sequence[Family]) -> None:
    """The service of a wish has the families that the API promises, in that order, as `ipFamilies`
    and as those of its clusterIPs; None, where the API server refused it, is right where these
    `offered` families cannot grant it.

    Raises:
        VerdictError: it is otherwise.
    """
    wanted = wish.granted(offered) or ()
    listed = service.families if service else ()
    served = tuple(Family.of(ip) for ip in service.cluster_ips) if service else ()
    if listed == wanted == served:
        return
    text = (
        f"{wish}: expected {_said(wanted)}, "
        f"the API server gave {_said(listed)} as ipFamilies, {_said(served)} as clusterIPs"
    )
    wrong = set(wanted) ^ set(listed) | set(wanted) ^ set(served)
    about = [service.subject()] if service else []
    raise VerdictError(text, wrong or set(wanted), subjects=about)


def must_have_only(service: Service, listed: Collection[Behind], *families: Family) -> None:
    """A service has clusterIPs of exactly these families, and so have its EndpointSlices, in which
    `listed` are.

    Raises:
        VerdictError: one lacks a family, or has another.
    """
    wrong: dict[str, Subject] = {}
    odd: set[Family] = set()
    for what, found in (
        ("clusterIPs", {Family.of(ip) for ip in service.cluster_ips}),
        ("EndpointSlices", {one.family for one in listed}),
    ):
        if found != set(families):
            said = f"{_said(sorted(found))}, expected {_said(families)}"
            wrong[f"Service {service.name}: {what} of {said}"] = service.subject(what)
            odd |= found ^ set(families)
    require_none(wrong, *sorted(odd))


def must_be_headless(service: Service) -> None:
    """A service asks for no clusterIP, and has none.

    Raises:
        VerdictError: it does, or has one.
    """
    given = ", ".join(map(str, service.cluster_ips)) or "no clusterIP, and does not say None"
    wrong = not service.headless or service.cluster_ips
    require_none(
        {f"Service {service.name} is to be headless: it has {given}": service.subject()}
        if wrong
        else {},
        *sorted({Family.of(ip) for ip in service.cluster_ips}),
    )


def _said(families: Sequence[Family]) -> str:
    return " and ".join(families) or "no family"
