"""A name is found in every valid spelling."""

from __future__ import annotations

import dataclasses

import pytest

from sixproof.checks.dns.resolution import Resolution
from sixproof.checks.dns.resolvers import Resolvers
from sixproof.checks.dns.truth import Truth
from sixproof.model import Family

pytestmark = [pytest.mark.feature("DNS"), pytest.mark.covers("D1")]

FORMS = (
    "{name}",
    "{name}.{ns}",
    "{name}.{ns}.svc",
    "{name}.{ns}.svc.{zone}",
    "{name}.{ns}.svc.{zone}.",
)


@pytest.mark.story("spelling")
def test_names_in_mixed_case_are_found_and_repeated_as_spelt(
    ip_family: Family, truth: Truth, resolution: Resolution
) -> None:
    """A query in mixed case gets the same records, and the answer repeats the name as it was spelt.

    Why: RFC 4343; resolvers mix case on purpose and treat another spelling as a forgery.
    """
    expected = {
        dataclasses.replace(question, name=mixed(question.name)): wanted
        for question, wanted in truth.addresses(truth.cluster_ip, ip_family).items()
    }
    seen = resolution.must_answer("questions in mixed case", expected)
    respelt = (
        f"{o.query}: came back as {o.answer.question_name}"
        for o in seen
        if o.answer and o.answer.question_name != o.query.question.name
    )
    resolution.none_wrong(respelt, ip_family)


@pytest.mark.story("spelling")
def test_a_service_is_found_by_every_partial_form_of_its_name(
    truth: Truth, resolvers: Resolvers
) -> None:
    """A pod's resolver finds a service by every partial form of its name.

    Why: the search list and ndots of resolv.conf provide for it; a server that denies one step of
    the search wrongly (SERVFAIL, NODATA) ends the search early.
    """
    wanted = {
        asked: expected
        for form in FORMS
        for asked, expected in truth.found(truth.cluster_ip, tuple(Family), form).items()
    }
    resolvers.must_find("partial names", wanted)


def mixed(name: str) -> str:
    """Every other letter in upper case."""
    return "".join(c.upper() if i % 2 else c for i, c in enumerate(name))
