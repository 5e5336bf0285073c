"""Family policies: what each wish must be granted, by the families that a cluster offers."""

from __future__ import annotations

import pytest

from sixproof.model import Family
from sixproof.workloads.services.families import GRANTABLE, WISHES, FamilyPolicy, FamilyWish

OF = {"4": Family.IPV4, "6": Family.IPV6}


def families(digits: str) -> tuple[Family, ...]:
    """``64`` is IPv6 first, then IPv4."""
    return tuple(OF[d] for d in digits)


# policy, families asked for: granted by clusters that offer 46, 64, 4, 6; "-" is a refusal
TABLE = """
unset   any   4  6  4  6
unset   4     4  4  4  -
unset   6     6  6  -  6
unset   46    -  -  -  -
single  any   4  6  4  6
single  4     4  4  4  -
single  6     6  6  -  6
single  64    -  -  -  -
prefer  any   46 64 4  6
prefer  4     46 46 4  -
prefer  6     64 64 -  6
prefer  46    46 46 -  -
prefer  64    64 64 -  -
require any   46 64 -  -
require 4     46 46 -  -
require 6     64 64 -  -
require 46    46 46 -  -
require 64    64 64 -  -
"""
POLICIES = {
    p.removesuffix("Stack").removesuffix("Dual").lower() or "unset": p for p in FamilyPolicy
}
OFFERS = ("46", "64", "4", "6")
CASES = [
    pytest.param(policy, asked, offer, wanted, id=f"{policy} {asked} of {offer}")
    for line in TABLE.strip().splitlines()
    for policy, asked, *answers in [line.split()]
    for offer, wanted in zip(OFFERS, answers, strict=True)
]


@pytest.mark.parametrize(("policy", "asked", "offer", "wanted"), CASES)
def test_granted(policy: str, asked: str, offer: str, wanted: str) -> None:
    wish = FamilyWish(POLICIES[policy], families(asked.replace("any", "")))
    assert wish.granted(families(offer)) == (None if wanted == "-" else families(wanted))


def test_a_cluster_that_offers_nothing_grants_nothing() -> None:
    assert not any(wish.granted(()) for wish in WISHES)


def test_every_policy_is_tried_with_every_order() -> None:
    assert len(set(WISHES)) == len(FamilyPolicy) * 5
    assert len({wish.name for wish in WISHES}) == len(WISHES)
    assert {len(w.granted(families("46")) or ()) for w in GRANTABLE} == {1, 2}
    assert set(WISHES) - set(GRANTABLE) == {
        FamilyWish(policy, families(order))
        for policy in (FamilyPolicy.UNSET, FamilyPolicy.SINGLE)
        for order in ("46", "64")
    }


def test_what_is_left_out_is_not_in_the_spec() -> None:
    assert FamilyWish(FamilyPolicy.UNSET).spec() == {}
    wish = FamilyWish(FamilyPolicy.PREFER, families("64"))
    assert wish.spec() == {"ipFamilyPolicy": "PreferDualStack", "ipFamilies": ["IPv6", "IPv4"]}
    assert (wish.name, str(wish)) == ("prefer-64", "PreferDualStack-IPv6,IPv4")
