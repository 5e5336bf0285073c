"""Family policies: what a service asks for, and what the API server must make of it (KEP-563)."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Sequence

from sixproof.model import Family


class FamilyPolicy(enum.StrEnum):
    """`spec.ipFamilyPolicy`; UNSET leaves the field out."""

    UNSET = ""
    SINGLE = "SingleStack"
    PREFER = "PreferDualStack"
    REQUIRE = "RequireDualStack"


@dataclasses.dataclass(frozen=True, slots=True)
class FamilyWish:
    """What a service asks for: a policy and `spec.ipFamilies`, empty where it leaves them out."""

    policy: FamilyPolicy
    asked: tuple[Family, ...] = ()

    @property
    def name(self) -> str:
        """The wish as part of an object's name: ``prefer-64``, ``single-6``, ``unset-any``."""
        word = {"": "unset"}.get(self.policy, self.policy.removesuffix("Stack"))
        order = "".join(str(f.version) for f in self.asked) or "any"
        return f"{word.removesuffix('Dual').lower()}-{order}"

    def __str__(self) -> str:
        return f"{self.policy or 'unset'}-{','.join(self.asked) or 'any'}"

    def spec(self) -> dict[str, object]:
        """The fields of the service's `spec`."""
        fields: dict[str, object] = {}
        if self.policy:
            fields["ipFamilyPolicy"] = self.policy.value
        if self.asked:
            fields["ipFamilies"] = [f.value for f in self.asked]
        return fields

    def granted(self, offered: Sequence[Family]) -> tuple[Family, ...] | None:
        """The families of the service, in order, None where the API server must refuse it.

        `offered` are the families of the cluster's service ranges, the default one first. The first
        family is the one asked for first, else the default. PreferDualStack adds the other where
        the cluster has it, RequireDualStack insists on it; no policy means SingleStack, for which
        two families are a contradiction.
        """
        dual = self.policy in (FamilyPolicy.PREFER, FamilyPolicy.REQUIRE)
        if not offered or set(self.asked) - set(offered) or (len(self.asked) == 2 and not dual):
            return None
        if self.policy is FamilyPolicy.REQUIRE and len(set(offered)) < 2:
            return None
        first = self.asked[0] if self.asked else offered[0]
        return (first, first.other) if dual and first.other in offered else (first,)


_ORDERS: tuple[tuple[Family, ...], ...] = (
    (),
    (Family.IPV4,),
    (Family.IPV6,),
    (Family.IPV4, Family.IPV6),
    (Family.IPV6, Family.IPV4),
)

WISHES = tuple(FamilyWish(policy, order) for policy in FamilyPolicy for order in _ORDERS)
"""Every policy with every order of families, including those that no cluster grants."""

GRANTABLE = tuple(wish for wish in WISHES if wish.granted((Family.IPV4, Family.IPV6)))
"""Those that a dual-stack cluster grants."""
