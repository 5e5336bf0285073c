"""The resolver of the stock image, as applications call it: getaddrinfo."""

from __future__ import annotations

import pytest

from sixproof.checks.dns.resolvers import Resolvers
from sixproof.checks.dns.truth import Truth
from sixproof.model import Family
from sixproof.reporting.diagnosis.evidence import require_none
from sixproof.workloads.probe_pods.topology import ProbeTopology

pytestmark = [pytest.mark.feature("DNS"), pytest.mark.covers("D1")]

CALLS = 40


@pytest.mark.story("resolver")
def test_nameservers_are_of_a_family_that_the_pod_has(
    topology: ProbeTopology, all_resolvers: Resolvers
) -> None:
    """Every pod has at least one nameserver of a family that the pod has.

    Why: a pod with IPv6 only and an IPv4 nameserver resolves nothing, and the other way round.
    """
    settings = all_resolvers.settings()
    unusable = {
        f"{pod.name} has {' and '.join(sorted(pod.families()))}, its nameservers are "
        f"{', '.join(map(str, settings[pod.name].nameservers)) or 'none'}": pod.subject()
        for pod in topology.pods
        if not pod.families() & settings[pod.name].families()
    }
    require_none(unusable)


@pytest.mark.story("resolver")
def test_every_nameserver_of_every_pod_answers(
    topology: ProbeTopology, truth: Truth, all_resolvers: Resolvers
) -> None:
    """Each nameserver in a pod's resolv.conf answers that pod, over UDP and TCP.

    Why: if the first one is dead, the resolver waits for seconds at every name.
    """
    all_resolvers.must_have_answering_nameservers(
        truth.every_address(truth.cluster_ip), topology.pods
    )


@pytest.mark.quick
@pytest.mark.story("resolver")
def test_lookups_bring_the_families_that_are_asked_for(truth: Truth, resolvers: Resolvers) -> None:
    """getaddrinfo returns every address of a service for AF_UNSPEC, and those of one family for
    AF_INET and AF_INET6 or an error if there are none, over nameservers of each family.

    Why: applications choose among the returned addresses; a family that is missing here is never
    tried.
    """
    services = (*truth.cluster_ip, *truth.headless)
    resolvers.must_find("lookups", truth.found(services, [None, *Family]))


@pytest.mark.story("resolver")
def test_no_lookup_has_to_ask_again(truth: Truth, resolvers: Resolvers) -> None:
    """Of many lookups that ask for both families at once, none waits for the resolver's time-out.

    Why: A and AAAA queries leave one socket at the same moment; if connection tracking loses one,
    the resolver asks again after 5 s (kubernetes/kubernetes#56903).
    """
    first = truth.cluster_ip[:1]
    resolvers.must_not_ask_again(truth.found(first, [None]), CALLS)
