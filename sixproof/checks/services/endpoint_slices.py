"""EndpointSlices: the endpoints behind a service, followed until they are as they should be."""

from __future__ import annotations

from collections.abc import Mapping

from sixproof.errors import VerdictError
from sixproof.kube.api import wait
from sixproof.kube.api.client import Cluster
from sixproof.reporting.diagnosis import evidence
from sixproof.reporting.diagnosis.category import Category, one_family
from sixproof.workloads.services import slices as services_slices
from sixproof.workloads.services.manifests import Service
from sixproof.workloads.services.slices import Behind, ListingSlice


class SlicesOf:
    """The endpoints behind services."""

    def __init__(self, cluster: Cluster, settle: float) -> None:
        self._cluster = cluster
        self._settle = settle

    def must_list_the_ready_pods(self, found: Service) -> None:
        """The EndpointSlices of a service must list what its ready pods say, and nothing else.

        Raises:
            VerdictError: they do not, though they had the settle time-out to do so.
        """
        waited = wait.until(
            lambda: (
                services_slices.sources(self._cluster, found),
                services_slices.wanted(self._cluster, found),
            ),
            lambda pair: set(pair[0]) == pair[1],
            timeout=self._settle,
        )
        if not waited.accepted:
            listed, wanted = waited.value
            raise _blamed(found, listed, wanted)

    def listed(self, found: Service) -> frozenset[Behind]:
        """What the EndpointSlices of a service list now."""
        return services_slices.listed(self._cluster, found)


def _blamed(
    found: Service, listed: Mapping[Behind, ListingSlice], wanted: frozenset[Behind]
) -> VerdictError:
    strays = sorted(set(listed) - wanted)
    missing = sorted(wanted - set(listed))
    said = [
        f"EndpointSlices of {found.name} do not list its ready pods and nothing else:",
        *(f"{entry} is listed by {listed[entry]}, no ready pod has it" for entry in strays),
        *(f"{entry} is listed nowhere, though its pod is ready" for entry in missing),
    ]
    wrong = {entry.family for entry in (*strays, *missing)}
    blamed = one_family(wrong, found.families) or Category.BOTH
    subjects = [*(listed[entry].subject for entry in strays), *([found.subject()] * bool(missing))]
    return evidence.wrong("\n  ".join(said), wrong, blamed, subjects=subjects)
