"""Judging Calico's settings: what is or will be a problem, with the reason and the remedy."""

from __future__ import annotations

from collections.abc import Iterator

from sixproof.calico import node_audit, pool_audit
from sixproof.calico.bgp import audit as bgp_audit
from sixproof.calico.felix import audit as felix_audit
from sixproof.calico.felix import modes
from sixproof.calico.state import CalicoState
from sixproof.errors import Subject
from sixproof.kube.facts.discovery import CALICO_API
from sixproof.model import ClusterFacts, Family, Finding, FindingType, Severity

API = FindingType("calico-api", "Calico's API is available", "Calico API reference")
UNKNOWN = FindingType("calico-unknown", "Calico's settings can be read")
OPERATOR = FindingType(
    "calico-operator",
    "The operator's components are available and the pools match the Installation",
    "Calico API reference: Installation, TigeraStatus",
)

_NETWORK = "calico"
"""The component that networks pods; others are its API server, its user interface and the like."""


def audit(
    state: CalicoState, facts: ClusterFacts, *, underlay: int | None = None
) -> tuple[Finding, ...]:
    """What is wrong with Calico's settings.

    `underlay` is the MTU of the nodes' interfaces in bytes, None where it was not measured.
    """
    return (
        *_api(state, facts),
        *pool_audit.audit(state, facts),
        *bgp_audit.audit(state, facts),
        *felix_audit.audit(state, underlay),
        *modes.audit(state, facts),
        *node_audit.audit(state, facts),
        *_operator(state),
    )


def _api(state: CalicoState, facts: ClusterFacts) -> Iterator[Finding]:
    if state.api != CALICO_API and state.no_answer:
        yield API.found(
            Severity.NOTE,
            "Calico",
            f"{CALICO_API} is served, and could not be read ({state.no_answer}); read from "
            f"{state.api}",
            CALICO_API,
            "Calico's own policies cannot be tested: run again once the API server answers, and "
            "see kubectl get apiservice v3.projectcalico.org",
        )
    elif state.api != CALICO_API and facts.calico_api:
        yield API.found(
            Severity.NOTE,
            "Calico",
            f"{CALICO_API} is served, but does not answer; read from {state.api}",
            CALICO_API,
            "Calico's own policies cannot be tested: see its API server's pods, and kubectl get "
            "apiservice v3.projectcalico.org",
        )
    elif state.api != CALICO_API:
        yield API.found(
            Severity.NOTE,
            "Calico",
            f"{CALICO_API} is not served; read from {state.api}",
            CALICO_API,
            "Calico's own policies cannot be tested: install its API server, or its v3 CRDs",
        )
    for reason in state.unknown:
        yield UNKNOWN.found(Severity.NOTE, "Calico", f"not readable: {reason}")


def _operator(state: CalicoState) -> Iterator[Finding]:
    if not state.installation:
        return
    for status in state.installation.statuses:
        if not status.available:
            yield OPERATOR.found(
                Severity.ERROR,
                Subject("TigeraStatus", status.component),
                f"not available: {status.message or 'no reason given'}",
                "Available",
                "see kubectl describe tigerastatus",
                families=Family if status.component == _NETWORK else (),
            )
    pools = {str(pool.cidr): pool for pool in state.pools}
    for asked in state.installation.pools:
        found, wanted = pools.get(str(asked.cidr)), asked.encapsulation
        if found and found.encapsulation != wanted:
            yield OPERATOR.found(
                Severity.WARNING,
                Subject("IPPool", found.name),
                f"encapsulation {found.encapsulation}",
                f"{wanted}, as the Installation says",
                "the operator does not change pools that exist: patch the IPPool",
            )
