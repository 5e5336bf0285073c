"""Calico's selector language."""

from __future__ import annotations

import pytest

from sixproof.policy.calico.selector_text import parse_selector

A, AB, NONE = {"a": "x"}, {"a": "x", "b": "y"}, dict[str, str]()

MATCHES: dict[str, tuple[list[dict[str, str]], list[dict[str, str]]]] = {
    "": ([A, NONE], []),
    " \t": ([A, NONE], []),
    "all()": ([A, NONE], []),
    "all( )": ([A, NONE], []),
    "global()": ([A, NONE], [{"projectcalico.org/namespace": "n"}]),
    "a == 'x'": ([A, AB], [NONE, {"a": "y"}]),
    'a=="x"': ([A], [NONE]),
    "a != 'x'": ([NONE, {"a": "y"}], [A]),
    "a contains 'm'": ([{"a": "smart"}], [A, NONE]),
    "a starts with 's'": ([{"a": "smart"}], [{"a": "as"}, NONE]),
    "a startswith 's'": ([{"a": "smart"}], [{"a": "as"}]),
    "a ends with 't'": ([{"a": "smart"}], [{"a": "ta"}, NONE]),
    "a in {'x', \"y\"}": ([A, {"a": "y"}], [NONE, {"a": "z"}]),
    "a in {'x',}": ([A], [NONE]),
    "a in {}": ([], [A, NONE]),
    "a not in {'x'}": ([NONE, {"a": "y"}], [A]),
    "a notin {'x'}": ([NONE], [A]),
    "a not  in {}": ([A, NONE], []),
    "has(a)": ([A], [NONE]),
    "has( a )": ([A], [NONE]),
    "!has(a)": ([NONE], [A]),
    "! !has(a)": ([A], [NONE]),
    "!!!has(a)": ([NONE], [A]),
    "!a == 'x'": ([NONE, {"a": "y"}], [A]),
    "has(a) && has(b)": ([AB], [A, NONE]),
    "has(a) || has(b)": ([A, {"b": ""}], [NONE]),
    "has(b) || has(a) && has(c)": ([{"b": ""}, {"a": "", "c": ""}], [A]),
    "(has(b) || has(a)) && has(c)": ([{"a": "", "c": ""}], [{"b": ""}]),
    "!(has(a) || has(b))": ([NONE], [A, AB]),
    "all == 'x'": ([{"all": "x"}], [NONE]),
    "in in {'x'}": ([{"in": "x"}], [NONE]),
    "contains contains 'x'": ([{"contains": "xx"}], [NONE]),
    "kubernetes.io/metadata.name == 'n'": ([{"kubernetes.io/metadata.name": "n"}], [NONE]),
}


@pytest.mark.parametrize(("text", "sides"), MATCHES.items(), ids=repr)
def test_selectors_match(
    text: str, sides: tuple[list[dict[str, str]], list[dict[str, str]]]
) -> None:
    for found in (parse_selector(text), parse_selector(str(parse_selector(text)))):
        assert all(found.matches(labels) for labels in sides[0])
        assert not any(found.matches(labels) for labels in sides[1])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a", "an operator after a at character 2"),
        ("a b", "an operator after a"),
        ("a == b", "expected quoted text after == at character 5"),
        ("a =", "an operator after a"),
        ("'x' == a", "expected a label"),
        ("a == 'x", "expected quoted text"),
        ("a in 'x'", "expected { at character 5"),
        ("a in {'x' 'y'}", "expected }"),
        ("a in {x}", "expected }"),
        ("has(a) &&", "expected a label"),
        ("has(a) & has(b)", "expected && or ||"),
        ("has(a) has(b)", "expected && or ||"),
        ("has (a)", "an operator after has"),
        ("has()", "an operator after has"),
        ("(has(a)", "expected ) at character 8"),
        (")", "expected a label"),
        ("!", "expected a label"),
        ("%", "expected a label"),
        ("all()\n", "expected && or ||"),
        ("(" * 51, "more than 50 parentheses"),
    ],
)
def test_what_is_no_selector_says_what_was_expected_where(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=r"at character \d+") as caught:
        parse_selector(text)
    assert why in str(caught.value)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("", "all()"),
        (" (all() )", "all()"),
        ("! (has( b)||! has(a ))", "!(has(b) || !has(a))"),
        ("a in {'d', 'a', 'd'}", 'a in {"a", "d"}'),
        ("a not in {'d'}", 'a not in {"d"}'),
        ("a == '\"'", "a == '\"'"),
        ("a startswith 's'", 'a starts with "s"'),
        ("global()", "global()"),
    ],
)
def test_selectors_print_in_one_form(text: str, canonical: str) -> None:
    assert str(parse_selector(text)) == canonical


def test_scoped_selectors_ask_for_inherited_labels() -> None:
    text = "a == 'x' && b in {'y'} && !has(c) || all() || global()"
    scoped = parse_selector(text).in_scope("pcns.", parse_selector("has(n)"))
    wanted = '((pcns.a == "x" && pcns.b in {"y"} && !has(pcns.c)) || has(n) || global())'
    assert str(scoped) == wanted
