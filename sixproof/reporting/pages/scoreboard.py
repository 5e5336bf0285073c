"""The scoreboard: how each concern of a run ended, family by family."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping
from pathlib import PurePosixPath
from types import MappingProxyType

from sixproof.model import Family
from sixproof.reporting.diagnosis.verdicts import Word, verdicts
from sixproof.reporting.pages.styled_text import Tone
from sixproof.reporting.results.results_json import Results
from sixproof.reporting.results.test_record import CaseOutcome

NAMES: Mapping[str, str] = MappingProxyType(
    {
        "preflight": "Preflight",
        "pods": "Pods",
        "nodes": "Nodes",
        "every_node": "Every node",
        "services": "Services",
        "loadbalancer": "Load balancers",
        "dns": "DNS",
        "mtu": "Path MTU",
        "policy": "Policies",
        "calico": "Calico",
        "bgp": "BGP",
        "felix": "Felix",
        "applications": "Your applications",
    }
)
"""What readers call a suite, in the order of the scoreboard; other suites follow by their names."""
PASSED, NOT_ASKED = "passed", "not asked"
"""What is said of a family of which no packet crossed the network: that all checks passed (of
objects, of addresses), or that none was made."""

TONES: Mapping[str, Tone] = MappingProxyType(
    {
        Word.WORKS: Tone.GOOD,
        Word.FAULTY: Tone.BAD,
        Word.BROKEN: Tone.BAD,
        Word.UNPROVEN: Tone.UNSURE,
        Word.UNMEASURED: Tone.UNSURE,
        PASSED: Tone.GOOD,
        NOT_ASKED: Tone.QUIET,
    }
)
"""The tone of each word in lines."""
CLASSES: Mapping[str, str] = MappingProxyType(
    {
        Word.WORKS: "good",
        Word.FAULTY: "bad",
        Word.BROKEN: "bad",
        PASSED: "good",
        NOT_ASKED: "",
    }
)
"""Its class in pages, ``unsure`` for the others."""


@dataclasses.dataclass(frozen=True, slots=True)
class Concern:
    """One suite: its `tests` by outcome, and what it says of each family, a `Word`, PASSED or
    NOT_ASKED."""

    name: str
    tests: Counter[CaseOutcome]
    words: Mapping[Family, str]


def scoreboard(results: Results) -> tuple[Concern, ...]:
    """The concerns of which a test was selected."""
    suites = dict.fromkeys(map(_suite, (case.nodeid for case in results.cases)))
    order = list(NAMES)
    named = sorted(suites, key=lambda s: (order.index(s) if s in NAMES else len(order), s))
    return tuple(_concern(results, suite) for suite in named)


def _concern(results: Results, suite: str) -> Concern:
    part = dataclasses.replace(
        results,
        cases=tuple(case for case in results.cases if _suite(case.nodeid) == suite),
        matrices=tuple(m for m in results.matrices if _suite(m.test) == suite),
    )
    words = {
        one.family: _unmeasured(part, one.family) if one.word is Word.UNMEASURED else str(one.word)
        for one in verdicts(part, results.families())
    }
    return Concern(NAMES.get(suite, suite), part.counts(), words)


def _unmeasured(part: Results, family: Family) -> str:
    passed = any(
        case.outcome is CaseOutcome.PASSED and case.family in (None, family) for case in part.cases
    )
    return PASSED if passed else NOT_ASKED


def _suite(nodeid: str) -> str:
    """The folder of a test below ``suites``, else the first of its path."""
    folders = PurePosixPath(nodeid.partition("::")[0]).parts[:-1]
    if "suites" in folders[:-1]:
        return folders[folders.index("suites") + 1]
    return folders[0] if folders else ""
