"""Findings of one check about one place are one finding."""

from __future__ import annotations

import dataclasses

from sixproof.model import Finding, Severity, merged_findings

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
