"""A and AAAA records of services: exactly the addresses that the API shows, family by family.

Why: the Kubernetes DNS specification (schema 1.1.0) requires a record for each clusterIP and each
ready endpoint, of its family; RFC 4074 section 3 says how a missing family is answered.
"""

from __future__ import annotations

import pytest

from sixproof.checks.dns.resolution import Resolution
from sixproof.checks.dns.truth import Truth
from sixproof.model import Family
from sixproof.probes.dns import records
from sixproof.probes.dns.servers import ClusterDns
from sixproof.probes.dns.truth import TrueService

pytestmark = [pytest.mark.feature("DNS"), pytest.mark.covers("D1")]


@pytest.mark.quick
@pytest.mark.story("services")
def test_a_service_name_has_exactly_its_cluster_ips(
    ip_family: Family, truth: Truth, resolution: Resolution
) -> None:
    """A service's name resolves to its clusterIP of the family and to nothing else; if the service
    has none of the family, the name exists without data (NODATA).

    Why: specification 2.3.1. NXDOMAIN for the missing family would make resolvers drop the other
    family's answer too (RFC 4074 section 4.2).
    """
    expected = truth.addresses(truth.cluster_ip, ip_family)
    beside = truth.addresses(truth.cluster_ip, ip_family.other)
    resolution.must_answer("ClusterIP services", expected, beside=beside)


@pytest.mark.story("services")
def test_the_api_servers_own_name_has_exactly_its_cluster_ips(
    ip_family: Family, kubernetes: TrueService, cluster_dns: ClusterDns, resolution: Resolution
) -> None:
    """kubernetes.default resolves to the clusterIPs of the API server's service."""
    expected = records.addresses([kubernetes], cluster_dns.zone, ip_family)
    beside = records.addresses([kubernetes], cluster_dns.zone, ip_family.other)
    resolution.must_answer("the API server's service", expected, beside=beside)


@pytest.mark.story("services")
def test_an_unknown_name_does_not_exist(
    ip_family: Family, truth: Truth, resolution: Resolution
) -> None:
    """A name that no service has gets NXDOMAIN in both families, not an empty answer.

    Why: resolvers continue with their search list after NXDOMAIN and stop at NODATA; RFC 2308.
    """
    names = [truth.fqdn("hosts").replace("hosts-", "nobody-"), f"nobody.{truth.fqdn('hosts')}"]
    expected = records.unknown(names, ip_family, "no service and no endpoint has this name")
    resolution.must_answer("names that do not exist", expected)


@pytest.mark.story("services")
def test_a_denial_says_how_long_it_may_be_kept(
    ip_family: Family, truth: Truth, resolution: Resolution
) -> None:
    """Negative answers carry the zone's SOA, which says how long they may be cached.

    Why: without it resolvers ask again for every connection (RFC 2308 section 3).
    """
    unknown = truth.fqdn("hosts").replace("hosts-", "nobody-")
    expected = records.unknown([unknown], ip_family, "no service has this name")
    seen = resolution.must_answer("a denial", expected)
    lacking = "the negative answer has no SOA and cannot be cached (RFC 2308 section 3)"
    bare = (f"{o.query}: {lacking}" for o in seen if not (o.answer and o.answer.has_soa))
    resolution.none_wrong(bare, ip_family)


@pytest.mark.story("headless services")
def test_a_headless_name_has_exactly_its_ready_pods(
    ip_family: Family, truth: Truth, resolution: Resolution
) -> None:
    """A headless service's name resolves to the addresses of all its ready pods, in each of its
    families.

    Why: specification 2.4.1.
    """
    expected = truth.addresses(truth.headless, ip_family)
    beside = truth.addresses(truth.headless, ip_family.other)
    resolution.must_answer("headless services", expected, beside=beside)


@pytest.mark.story("headless services")
def test_an_endpoint_is_found_under_its_host_name(
    ip_family: Family, truth: Truth, resolution: Resolution
) -> None:
    """HOSTNAME.SERVICE resolves to the endpoint with this host name, in each family that it has.

    Why: members of a StatefulSet find each other this way (specification 2.4.1).
    """
    expected = records.hostnames(truth.of("hosts"), truth.zone, ip_family)
    beside = records.hostnames(truth.of("hosts"), truth.zone, ip_family.other)
    resolution.must_answer("endpoints with a host name", expected, beside=beside)


@pytest.mark.story("aliases")
def test_an_external_name_is_an_alias(truth: Truth, resolution: Resolution) -> None:
    """An ExternalName service's name is a CNAME of its target (specification 2.5)."""
    expected = records.aliases(truth.of("alias"), truth.zone)
    resolution.must_answer("ExternalName services", expected)


@pytest.mark.story("every server")
def test_every_dns_pod_gives_the_same_answers(
    ip_family: Family, truth: Truth, cluster_dns: ClusterDns, resolution: Resolution
) -> None:
    """Each DNS pod, asked directly, answers as the API says.

    Why: a pod that lost its watch answers with outdated addresses; behind the service this shows
    only now and then.
    """
    services = (*truth.cluster_ip, *truth.headless)
    expected = truth.addresses(services, ip_family)
    beside = truth.addresses(services, ip_family.other)
    resolution.must_answer(
        "every DNS pod by itself", expected, servers=cluster_dns.pods, beside=beside
    )
