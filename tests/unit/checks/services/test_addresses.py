"""The addresses of services: what is wrong is said with its families, and with the service."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from ipaddress import ip_address

import pytest

from sixproof.checks.services import addresses
from sixproof.errors import VerdictError
from sixproof.model import Family, Protocol
from sixproof.workloads.services.families import FamilyPolicy, FamilyWish
from sixproof.workloads.services.manifests import Service
from sixproof.workloads.services.slices import Behind

V4, V6 = Family.IPV4, Family.IPV6
IPS = {V4: ip_address("10.96.0.7"), V6: ip_address("fd00:10:96::7")}
BOTH = FamilyWish(FamilyPolicy.REQUIRE, (V6, V4))


def service(*families: Family) -> Service:
    """A service with a clusterIP of each of these families."""
    ips = tuple(IPS[family] for family in families)
    return Service("web", "shop", "ClusterIP", "RequireDualStack", families, ips, ())


def behind(family: Family) -> Behind:
    """An address in an EndpointSlice."""
    return Behind(family, Protocol.TCP, 8080, IPS[family])


def error_of(check: Callable[[], None]) -> VerdictError:
    """What a check that fails raises."""
    with pytest.raises(VerdictError) as caught:
        check()
    return caught.value


def test_a_wish_that_is_granted_in_order() -> None:
    addresses.must_be_granted(BOTH, service(V6, V4), (V4, V6))


def test_a_wish_that_is_rightly_refused() -> None:
    addresses.must_be_granted(BOTH, None, (V4,))


@pytest.mark.parametrize(
    ("found", "families"),
    [
        (service(V6), {V4}),
        (service(V4, V6), {V4, V6}),
        (None, {V4, V6}),
        (dataclasses.replace(service(V6, V4), cluster_ips=(IPS[V4],)), {V6}),
    ],
    ids=["one lacks", "in another order", "refused", "no clusterIP"],
)
def test_families_other_than_promised(found: Service | None, families: set[Family]) -> None:
    error = error_of(lambda: addresses.must_be_granted(BOTH, found, (V4, V6)))
    assert error.families == families
    assert "expected IPv6 and IPv4" in str(error)
    assert [s.place for s in error.subjects] == (["Service shop/web"] if found else [])


def test_a_wish_that_had_to_be_refused() -> None:
    error = error_of(lambda: addresses.must_be_granted(BOTH, service(V6, V4), (V4,)))
    assert "expected no family" in str(error)


def test_one_family_alone() -> None:
    addresses.must_have_only(service(V6), [behind(V6)], V6)
    error = error_of(lambda: addresses.must_have_only(service(V6), [behind(V6), behind(V4)], V6))
    assert str(error) == "Service web: EndpointSlices of IPv4 and IPv6, expected IPv6"
    assert error.families == {V4}


def test_neither_address_nor_backend() -> None:
    addresses.must_have_only(service(), [])
    error = error_of(lambda: addresses.must_have_only(service(V4), []))
    assert str(error) == "Service web: clusterIPs of IPv4, expected no family"


def test_headless() -> None:
    addresses.must_be_headless(dataclasses.replace(service(), headless=True))
    error = error_of(lambda: addresses.must_be_headless(service(V6)))
    assert error.families == {V6}
    assert "fd00:10:96::7" in str(error)
    assert "does not say None" in str(error_of(lambda: addresses.must_be_headless(service())))
