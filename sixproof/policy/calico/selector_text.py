"""Reading Calico's selector language.

Grammar, as libcalico-go's parser accepts it: ``||`` binds weaker than ``&&``, ``!`` strongest;
words after a label (``contains``, ``starts with``, ``ends with``, ``in``, ``not in``) may be
written together; only blanks and tabs separate; text is quoted either way, without escapes.
"""

from __future__ import annotations

import dataclasses
import re

from sixproof.policy.calico.selector import (
    All,
    Both,
    Compare,
    Comparison,
    Either,
    Global,
    Has,
    Not,
    Selector,
    Within,
)
from sixproof.policy.manifests.manifest import Field, shown

_DEEPEST = 50

_TOKEN = re.compile(
    r"""[ \t]*(?:
      (?P<text>"[^"]*"|'[^']*')
    | has\([ \t]*(?P<has>[\w./-]+)[ \t]*\)
    | (?P<call>all|global)\([ \t]*\)
    | (?P<sign>==|!=|&&|\|\||[!(){},])
    | (?P<label>[\w./-]+)
    )""",
    re.VERBOSE | re.ASCII,
)

_OPERATOR = re.compile(
    r"[ \t]*(==|!=|contains|starts[ \t]*with|ends[ \t]*with|not[ \t]*in|in)", re.ASCII
)

_CALLS: dict[str, Selector] = {"all": All(), "global": Global()}

_COMPARISONS = {c.value.replace(" ", ""): c for c in Comparison}


class _Bad(Exception):
    """Why the text is no selector, and where."""

    def __init__(self, wanted: str, at: int) -> None:
        super().__init__(f"{wanted} at character {at + 1}")


@dataclasses.dataclass(slots=True)
class _Cursor:
    """A cursor over selector text."""

    text: str
    at: int = 0
    depth: int = 0

    def peek(self) -> re.Match[str] | None:
        """The next token, None where there is none."""
        return _TOKEN.match(self.text, self.at)

    def take(self, sign: str) -> bool:
        """Whether that sign comes next; if so, step over it."""
        token = self.peek()
        if token is None or token["sign"] != sign:
            return False
        self.at = token.end()
        return True

    def need(self, sign: str) -> None:
        """Step over a sign that must come next."""
        if not self.take(sign):
            raise _Bad(f"expected {sign}", self.at)

    def quoted(self) -> str | None:
        """The next token if it is quoted text, else None."""
        token = self.peek()
        if token is None or token["text"] is None:
            return None
        self.at = token.end()
        return token["text"][1:-1]

    def either(self) -> Selector:
        """Expressions joined by ``||``."""
        operands = [self.both()]
        while self.take("||"):
            operands.append(self.both())
        return operands[0] if len(operands) == 1 else Either(tuple(operands))

    def both(self) -> Selector:
        """Expressions joined by ``&&``."""
        operands = [self.operation()]
        while self.take("&&"):
            operands.append(self.operation())
        return operands[0] if len(operands) == 1 else Both(tuple(operands))

    def operation(self) -> Selector:
        """One expression, with the ``!`` before it."""
        negated = False
        while self.take("!"):
            negated = not negated
        found = self.plain()
        if not negated:
            return found
        return found.operand if isinstance(found, Not) else Not(found)

    def plain(self) -> Selector:
        """One expression without ``!``."""
        if self.take("("):
            self.depth += 1
            if self.depth > _DEEPEST:
                raise _Bad(f"more than {_DEEPEST} parentheses within each other", self.at)
            found = self.either()
            self.need(")")
            self.depth -= 1
            return found
        token = self.peek()
        if token is not None and token["has"] is not None:
            self.at = token.end()
            return Has(token["has"])
        if token is not None and token["call"] is not None:
            self.at = token.end()
            return _CALLS[token["call"]]
        if token is not None and token["label"] is not None:
            self.at = token.end()
            return self.comparison(token["label"])
        raise _Bad("expected a label, has(…), all() or (", self.at)

    def comparison(self, label: str) -> Selector:
        """What follows a label."""
        operator = _OPERATOR.match(self.text, self.at)
        if operator is None:
            raise _Bad(f"expected an operator after {label}", self.at)
        self.at = operator.end()
        word = re.sub(r"[ \t]", "", operator[1])
        if word in ("in", "notin"):
            return Within(label, self.texts(), negated=word == "notin")
        text = self.quoted()
        if text is None:
            raise _Bad(f"expected quoted text after {operator[1]}", self.at)
        return Compare(label, _COMPARISONS[word], text)

    def texts(self) -> tuple[str, ...]:
        """A set of quoted texts; a comma may end it."""
        self.need("{")
        found: set[str] = set()
        while (text := self.quoted()) is not None:
            found.add(text)
            if not self.take(","):
                break
        self.need("}")
        return tuple(sorted(found))


def parse_selector(text: str) -> Selector:
    """The selector that the text writes; empty text selects everything.

    Raises:
        ValueError: the text is no selector; the message says what was expected where.
    """
    if not text.strip(" \t"):
        return All()
    reader = _Cursor(text)
    try:
        found = reader.either()
        if text[reader.at :].strip(" \t"):
            raise _Bad("expected && or ||", reader.at)
    except _Bad as bad:
        raise ValueError(str(bad)) from None
    return found


def read_selector(field: Field | None, *, may_be_global: bool = False) -> Selector | None:
    """The selector here; None where it is absent or empty.

    Raises:
        ManifestError: the text is no selector, or uses ``global()`` where it has no place.
    """
    if field is None or not field.text():
        return None
    try:
        found = parse_selector(field.text())
    except ValueError as bad:
        raise field.error(f"{shown(field.text())} is not a selector: {bad}") from None
    if "global(" in field.text() and not (may_be_global and isinstance(found, Global)):
        raise field.error("global() must be alone, and only in the namespaceSelector of an entity")
    return found
