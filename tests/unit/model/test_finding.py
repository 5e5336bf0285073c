"""Findings of one check about one place are one finding."""

from __future__ import annotations

import dataclasses

import pytest

from sixproof.errors import Subject
from sixproof.model import Finding, Severity, finding, merged_findings
from sixproof.model.finding import FindingType

ONE = Finding("dns.replica", Severity.ERROR, "replica a", "NXDOMAIN to AAAA; b is right", "", "log")


def test_what_several_tests_found_of_one_place_is_said_once() -> None:
    """Each clause once, what all share last."""
    other = dataclasses.replace(ONE, seen="SERVFAIL to PTR; b is right")
    assert merged_findings([ONE, other, ONE]) == (
        dataclasses.replace(ONE, seen="NXDOMAIN to AAAA; SERVFAIL to PTR; b is right"),
    )


def test_what_differs_in_anything_else_stays_apart() -> None:
    """Another place, check, weight or remedy is another finding, in their order."""
    others = [
        dataclasses.replace(ONE, subject="replica b"),
        dataclasses.replace(ONE, code="dns.service"),
        dataclasses.replace(ONE, severity=Severity.NOTE),
        dataclasses.replace(ONE, remedy="delete"),
    ]
    assert merged_findings([ONE, *others]) == (ONE, *others)


def test_a_code_is_declared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The list of all is in the order of the codes; two checks cannot share one."""
    monkeypatch.setattr(finding, "_DECLARED", {})
    later, earlier = FindingType("b.code", "later"), FindingType("a.code", "earlier", "RFC 8200")
    with pytest.raises(ValueError, match=r"the finding a\.code is declared twice"):
        FindingType("a.code", "another")
    assert finding.declared() == (earlier, later)
    assert earlier.found(Severity.NOTE, "node a", "seen").source == "RFC 8200"


def test_it_is_about_an_object_or_about_what_a_text_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """An object keeps kind and name; of either, `node` says where it does harm."""
    monkeypatch.setattr(finding, "_DECLARED", {})
    code = FindingType("a.code", "a")
    pool = code.found(Severity.NOTE, Subject("IPPool", "six"), "seen", node="w1")
    assert (pool.subject, pool.about) == ("IPPool six", Subject("IPPool", "six", "w1"))
    assert code.found(Severity.NOTE, Subject.of_node("w1"), "seen").about == Subject.of_node("w1")
    text = code.found(Severity.NOTE, "Felix, VXLAN", "seen")
    assert (text.object, text.about.place) == (None, "Felix, VXLAN")
