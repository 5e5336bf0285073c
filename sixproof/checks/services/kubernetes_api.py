"""The Kubernetes API behind its service, and which clients may reach it."""

from __future__ import annotations

import dataclasses

from sixproof.errors import NotAsked
from sixproof.kube.api import resources
from sixproof.kube.api.client import Cluster
from sixproof.model import Endpoint, EndpointKind, Expectation, Family, Flow
from sixproof.workloads.existing.policies import ExistingPolicies, Expect
from sixproof.workloads.existing.service_gates import Gate
from sixproof.workloads.services import slices
from sixproof.workloads.services.manifests import Service, service


def endpoint(cluster: Cluster, family: Family) -> Endpoint:
    """The Kubernetes API at ``kubernetes.default``, in a family that it offers.

    Raises:
        NotAsked: it has no address of the family.
    """
    found = _service(cluster)
    offered = dataclasses.replace(found.endpoint(), name="kubernetes.default")
    if offered.address(family) is None:
        families = " and ".join(found.families)
        reason = f"kubernetes.default has no {family} clusterIP, it is {found.policy} {families}"
        raise NotAsked(reason, "an API server whose service range starts with that family")
    return offered


def answers(cluster: Cluster, policies: ExistingPolicies) -> Expect:
    """The API server must answer at its service: everything in the cluster depends on it. The
    cluster owner's policies may keep pods from it."""
    behind = slices.listed(cluster, _service(cluster))
    own = Expectation.allowed("kubernetes.default is the service of the API server")

    def expected(flow: Flow) -> Expectation:
        judged = [
            policies.judge(
                dataclasses.replace(
                    flow,
                    destination=Endpoint(str(one.address), EndpointKind.OUTSIDE, (one.address,)),
                    address=one.address,
                    port=one.port,
                )
            )
            for one in behind
            if one.family is flow.family
        ]
        return Gate(tuple(judged)).expectation(own)

    return expected


def _service(cluster: Cluster) -> Service:
    return service(cluster.get(resources.SERVICE, "kubernetes", "default"))
