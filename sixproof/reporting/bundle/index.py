"""index.md: what is in a bundle, and what is wrong by it; the page that a person reads first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from sixproof.explain import markdown
from sixproof.kube.api.json_fields import one_line
from sixproof.model import Severity
from sixproof.reporting.bundle import scrubbed
from sixproof.reporting.bundle.contents import Written
from sixproof.reporting.bundle.evidence import RunEvidence
from sixproof.reporting.bundle.judged import Judged, State

NAME = "index.md"
MOST = 200
"""Findings, and files, that the page names."""
_PLACES = 12
"""Places of an item that are named."""
_LONGEST = 600
"""Characters of one cell."""


def page(evidence: RunEvidence, judged: Sequence[Judged], files: Sequence[Written]) -> str:
    """The page, in Markdown."""
    sections = (
        (f"sixproof diagnostics of run {evidence.run_id}", _head(evidence, judged)),
        ("Check-list", _check_list(judged)),
        ("Findings", _findings(evidence)),
        ("Files", _files(files)),
        ("What is missing", _missing(files)),
        ("What is never here", _never()),
    )
    return "\n".join(
        f"{'#' if number == 0 else '##'} {title}\n\n{''.join(body)}"
        for number, (title, body) in enumerate(sections)
    )


def _head(evidence: RunEvidence, judged: Sequence[Judged]) -> Iterator[str]:
    facts = evidence.facts
    taken = evidence.taken.isoformat(timespec="seconds")
    when = "after the last test" if evidence.examination else "when the run began"
    yield (
        f"Taken {taken}, after the last test and before what the run made was removed. "
        f"What nodes say of themselves here was read {when}.\n\n"
    )
    counts = Counter(one.state for one in judged)
    wrong = Counter(finding.severity for finding in evidence.findings)
    yield (
        f"Check-list: {', '.join(f'{counts[state]} {state}' for state in State if counts[state])}. "
        f"Findings: {', '.join(f'{wrong[s]} {s}' for s in Severity if wrong[s]) or 'none'}.\n\n"
    )
    rows = (
        ("sixproof", evidence.harness),
        ("Kubernetes", facts.version or "not known"),
        ("Nodes", f"{len(facts.nodes)}, kubelet {_each(n.kubelet for n in facts.nodes)}"),
        ("Kernel", _each(n.kernel for n in facts.nodes)),
        ("CNI", f"{facts.cni or 'not known'} {facts.cni_version}".strip()),
        ("Dataplane", facts.dataplane or "not known"),
        ("kube-proxy", facts.kube_proxy_mode or "not known"),
        ("Pods have", _each(facts.families())),
        ("Services have", _each(facts.service_families)),
    )
    yield _table(("what", "seen"), rows)


def _check_list(judged: Iterable[Judged]) -> Iterator[str]:
    rows = []
    for one in judged:
        seen = "; ".join(one.seen[:_PLACES])
        if len(one.seen) > _PLACES:
            seen += f"; and {len(one.seen) - _PLACES} more, see check-list.json"
        rows.append((one.state, one.title, seen, one.remedy, ", ".join(one.where)))
    yield _table(("result", "what must hold", "seen", "what to do", "values"), rows)


def _findings(evidence: RunEvidence) -> Iterator[str]:
    order = list(Severity)
    found = sorted(evidence.findings, key=lambda f: (order.index(f.severity), f.code, f.subject))
    if not found:
        yield "None.\n"
        return
    rows = [
        (f.severity, f.code, f.subject, f"{f.seen}{f', wanted {f.wanted}' if f.wanted else ''}",
         f.remedy)
        for f in found[:MOST]
    ]  # fmt: skip
    yield _table(("severity", "finding", "where", "seen", "what to do"), rows)
    if len(found) > MOST:
        yield f"\n{len(found) - MOST} more in findings.json.\n"


def _files(files: Sequence[Written]) -> Iterator[str]:
    rows = [
        (f.content.path, f.content.what, str(f.entries), f.content.command) for f in files[:MOST]
    ]
    yield _table(("file", "what", "entries", "by hand"), rows)
    if len(files) > MOST:
        yield f"\n{len(files) - MOST} more files.\n"


def _missing(files: Iterable[Written]) -> Iterator[str]:
    """Each reason once, however many files it concerns."""
    lines = []
    for file in files:
        if file.entries < file.of:
            lines.append(f"{file.content.path}: cut, {file.entries} of {file.of} entries fit")
        if file.content.cut:
            lines.append(f"{file.content.path}: the cluster has more than were read")
        lines += file.content.notes
    reasons = dict.fromkeys(lines)
    yield from (f"- {_cell(line)}\n" for line in reasons)
    if not reasons:
        yield "Nothing: all parts were read, and none was cut.\n"


def _never() -> Iterator[str]:
    yield (
        "Secrets, tokens, keys, certificates, values of variables and fields that are called like "
        f"them (`{scrubbed.LEFT_OUT}` in their place), what `kubectl apply` noted, managedFields.\n"
    )


def _each(values: Iterable[str]) -> str:
    return ", ".join(sorted({str(value) for value in values if value})) or "not known"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return markdown.table(head, [[_cell(cell) for cell in row] for row in rows])


def _cell(value: str) -> str:
    """A text of the cluster's in one cell: no markup, no line end, no secret."""
    cell = one_line(scrubbed.text(value), _LONGEST) if value else ""
    for sign in ("\\", "|", "<", "`", "*", "["):
        cell = cell.replace(sign, f"\\{sign}")
    return cell
