"""Untrusted YAML: whatever the text, an answer or one kind of error, and at once."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sixproof import yaml_text
from sixproof.errors import TextError
from sixproof.yaml_text import LONGEST_NUMBER, MOST_ALIASED


def laughs(first: str = "[x, x, x, x, x, x, x, x, x, x]", last: str = "{}") -> str:
    """Ten aliases of ten aliases, nine times over: a billion values in 400 bytes."""
    lines = [f"a0: &a0 {first}"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    return "\n".join([*lines, last.format("*a8")])


MERGES = "\n".join([
    "m0: &m0 {k: v}",
    *(f"m{i}: &m{i} {{<<: [{', '.join([f'*m{i - 1}'] * 10)}]}}" for i in range(1, 9)),
])  # fmt: skip

REFUSED = {
    "a megabyte of brackets": ("[" * 1_000_000, "document 1, line 1: nests more than 64 levels"),
    "a megabyte of dashes": ("- " * 500_000, "levels deep"),
    "objects in objects": ("{a: " * 200_000, "levels deep"),
    "a control character": ("a: 1\n---\nb: \x07", "line 3: unacceptable character #x0007"),
    "half a character": ("a: \ud800", "surrogates not allowed"),
    "not closed": ("{", "did not find expected"),
    "not closed, later": ("a: 1\n---\nb: 2\nc: {", "document 2, line "),
    "a foreign tag": ("a: 1\nb: !!python/object:os.system x", "line 2: could not determine a con"),
    "a tag of YAML's own": ("!!set {a, b}", "could not determine a constructor"),
    "bytes": ("a: !!binary aaaa", "could not determine a constructor"),
    "an unknown alias": ("a: *x", "undefined alias"),
    "keys that are lists": ("? [a]\n: b", "unhashable key"),
    "a billion laughs": (laughs(), "line 5: its aliases expand to more than 100000 values"),
    "laughs as kind": (laughs(last="kind: {}"), "aliases expand to more"),
    "laughs as label": (laughs(last="metadata: {{labels: {{a: {}}}}}"), "aliases expand to more"),
    "laughs of long texts": (laughs(f"['{'x' * 6000}']"), "aliases expand to more"),
    "laughs at the top": ("- &a [1,1]\n" + "".join(
        f"- &{chr(98 + i)} [*{chr(97 + i)}, *{chr(97 + i)}]\n" for i in range(24)), "aliases"),
    "merge keys that multiply": (MERGES, "aliases expand to more"),
    "merge keys in a chain": ("m0: &m0 {k: v}\n" + "".join(
        f"m{i}: &m{i} {{<<: *m{i - 1}}}\n" for i in range(1, 99)), "levels deep"),
    "merge keys without end": (f"a: &a {{}}\nb: {{{'<<: *a, ' * 99_999}}}", "merges more than 100"),
    "an anchor in itself": ("a: 1\nb: &x [*x, *x]", "line 2: anchor x holds itself"),
    "an anchor in its own object": ("&x {a: {b: *x}}", "anchor x holds itself"),
    "an anchor that merges itself": ("&x {<<: *x}", "anchor x holds itself"),
    "an anchor twice": ("[&x 1, &x 2, &y [&y 1, *y]]", "duplicate anchor"),
    "many decimal digits": (f"a: {'1' * 5000}", "a number of 5000 characters, at most 100 are"),
    "many hexadecimal digits": (f"a: 0x{'f' * 5000}", "a number of 5002 characters"),
    "many binary digits": (f"a: 0b{'1' * 50_000}", "a number of 50002 characters"),
    "many octal digits": (f"a: 0{'7' * 5000}", "a number of 5001 characters"),
    "many digits behind a point": (f"a: 1.{'0' * 5000}", "a number of 5002 characters"),
    "in an annotation": (f"metadata: {{annotations: {{a: 0x{'f' * 5000}}}}}", "a number of 5002"),
    "no timestamp": ("a: !!timestamp x", "line 1: 'x' is no timestamp"),
    "no boolean": ("a:\n  !!bool x", "line 2: 'x' is neither true nor false"),
    "no boolean but an object": ("a: !!bool {}", "expected a scalar node"),
    "no integer": ('a: !!int ""', "'' is no integer"),
    "no hexadecimal number": ("a: !!int 0xg", "'0xg' is no integer"),
    "no number": ('a: !!float ""', "'' is no number"),
    "no number but text": ("a: !!float x", "'x' is no number"),
    "a raw template": ("{{- if .Values.on }}\nkind: X\n{{- end }}", "render it first"),
    "a template as value": ("a: 1\n---\nmetadata:\n  name: {{ .Release.Name }}\n",
                            "document 2, line 4: is a Helm template"),
    "a template in an object": ("a: 1\nb: {c: {{ .Values.c }}, d: 1}\n", "render it first"),
    "a template elsewhere": ("a: '{{ $labels.x }}'\n" + "b: 1\n" * 5 + "c: {", "did not f"),
    "a template in a list": ("a:\n  - {{ include \"x\" . }}\nb: {", "render it first"),
}  # fmt: skip


@pytest.mark.timeout(20)
@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_read_is_one_kind_of_error(what: str) -> None:
    text, said = REFUSED[what]
    with pytest.raises(TextError) as refused:
        yaml_text.documents(text)
    assert said in str(refused.value)
    assert len(str(refused.value)) < 400
    assert "\n" not in str(refused.value)


@pytest.mark.timeout(20)
def test_what_multiplies_costs_no_time() -> None:
    before = time.process_time()
    for text in (laughs(), MERGES, "&a [" + "*a, " * 100_000 + "]"):
        with pytest.raises(TextError):
            yaml_text.read(text)
    assert time.process_time() - before < 5


@pytest.mark.timeout(20)
def test_errors_quote_little_of_a_text() -> None:
    long = "x" * 1_000_000
    for text in (f"a: !<{long}> b", f"!!bool {long}", f"[*{long}]", f"&{long} [*{long}]",
                 f"a: '{long}\n{{"):  # fmt: skip
        with pytest.raises(TextError) as refused:
            yaml_text.read(text)
        assert len(str(refused.value)) < 400


READ: dict[str, tuple[str, Any]] = {
    "empty": ("", []),
    "comments alone": ("# nothing\n# at all\n", []),
    "separators alone": ("---\n---\n# nothing\n", []),
    "documents, empty ones left out": ("a: 1\n---\n---\n- b\n", [{"a": 1}, ["b"]]),
    "aliases": ("a: &x [1]\nb: *x", [{"a": [1], "b": [1]}]),
    "an alias of a text": ("a: &x t\nb: [*x, *x]", [{"a": "t", "b": ["t", "t"]}]),
    "merged objects": ("a: &x {k: v}\nb: {<<: *x, l: w}", [{"a": {"k": "v"},
                                                           "b": {"k": "v", "l": "w"}}]),
    "anchors of another document": ("a: &x 1\n---\nb: &x 2\nc: *x", [{"a": 1}, {"b": 2, "c": 2}]),
    "dates": ("a: 2026-01-01\nb: 2020-13-45\nc: !!timestamp 2026-01-01",
              [{"a": "2026-01-01", "b": "2020-13-45", "c": "2026-01-01"}]),
    "base 60": ("a: 1:30\nb: 1:30.5\nc: 22:10:00",
                [{"a": "1:30", "b": "1:30.5", "c": "22:10:00"}]),
    "signs that PyYAML keeps for itself": ("a: [=, <<]", [{"a": ["=", "<<"]}]),
    "integers of 64 bits": (f"a: {2**64 - 1}\nb: {-(2**63)}", [{"a": 2**64 - 1, "b": -(2**63)}]),
    "integers beyond": (f"a: {2**64}\nb: 0x{'f' * 90}", [{"a": 2.0**64, "b": float(16**90)}]),
    "numbers": ("a: 1.5\nb: 0x1f\nc: 1_000\nd: 010", [{"a": 1.5, "b": 31, "c": 1000, "d": 8}]),
    "as long as a number may be": (f"a: 1{'0' * (LONGEST_NUMBER - 1)}",
                                   [{"a": 10.0 ** (LONGEST_NUMBER - 1)}]),
    "booleans": ("[yes, off, True]", [[True, False, True]]),
    "quoted templates": ('a: "{{ .Values.x }}"\nb: x-{{ .y }}',
                         [{"a": "{{ .Values.x }}", "b": "x-{{ .y }}"}]),
}  # fmt: skip


@pytest.mark.parametrize("what", READ)
def test_values_are_read_as_kubernetes_reads_them(what: str) -> None:
    text, values = READ[what]
    assert yaml_text.documents(text) == values


def test_aliases_may_stand_for_as_many_values_as_the_bound_says() -> None:
    hundred = f"- &a [{', '.join(['x'] * 99)}]\n"
    assert yaml_text.documents(hundred + "- *a\n" * (MOST_ALIASED // 100))
    with pytest.raises(TextError, match="expand to more than"):
        yaml_text.documents(hundred + "- *a\n" * (MOST_ALIASED // 100 + 1))


def test_values_are_bounded_whatever_their_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each costs memory: a million of plain ones would be nobody's manifest."""
    monkeypatch.setattr(yaml_text, "MOST_VALUES", 100)
    assert yaml_text.documents("- 1\n" * 99)
    for text in ("- 1\n" * 100, "---\n- 1\n" * 51, "- a: {b: c}\n" * 20):
        with pytest.raises(TextError, match="holds more than 100 values"):
            yaml_text.read(text)


def test_a_text_as_deep_as_may_be() -> None:
    deepest = yaml_text.DEEPEST
    assert yaml_text.documents("[" * deepest + "]" * deepest)
    with pytest.raises(TextError, match="levels deep"):
        yaml_text.documents("[" * (deepest + 1) + "]" * (deepest + 1))


def test_documents_know_their_place() -> None:
    text = "# first\na: 1\n---\n# empty\n---\n\n# third\nb:\n  c: 1\n"
    found = yaml_text.read(text)
    assert [(d.number, d.line, d.value) for d in found] == [
        (1, 2, {"a": 1}),
        (3, 8, {"b": {"c": 1}}),
    ]


def test_a_key_that_is_given_twice_is_reported() -> None:
    text = "a: 1\n---\nspec:\n  ports: [{x: 1, y: x, x: 2}]\nother: spec\nspec: {}\n'on': 1\n"
    _, second = yaml_text.read(text)
    assert [str(repeated) for repeated in second.repeated] == [
        "line 4: key 'x' is given twice, the last one counts",
        "line 6: key 'spec' is given twice, the last one counts",
    ]
    assert second.value == {"spec": {}, "other": "spec", "on": 1}


def test_what_is_merged_is_no_repetition() -> None:
    text = "a: &a {k: 1}\nb: &b {k: 2}\nc: {<<: *a, <<: *b, k: 3}\nd: [k, k]\n? [x]\n"
    with pytest.raises(TextError, match="unhashable"):
        yaml_text.read(text)
    (found,) = yaml_text.read(text.removesuffix("? [x]\n"))
    assert found.repeated == ()


def test_few_of_many_repetitions_are_reported_and_briefly() -> None:
    key = "k" * 1000
    (found,) = yaml_text.read(f"{key}: 1\n" * 100)
    assert len(found.repeated) == yaml_text.MOST_REPEATED
    assert len(str(found.repeated[0])) < 200


def test_one_document_is_wanted() -> None:
    assert yaml_text.document("a: 1") == {"a": 1}
    assert yaml_text.document("") is None
    with pytest.raises(TextError, match="document 2, line 3: 2 documents"):
        yaml_text.document("a: 1\n---\nb: 2")


def test_what_is_written_is_read_back_in_its_order() -> None:
    values = [{"b": "2026-01-01", "a": [1, None, "1:30"]}, {"c": "é\n"}]
    text = yaml_text.written(values)
    assert yaml_text.documents(text) == values
    assert text.startswith("b: ")


def test_what_has_no_name_in_yaml_is_not_written() -> None:
    with pytest.raises(TypeError, match="cannot represent an object"):
        yaml_text.written([{"a": object()}])


@settings(deadline=None, max_examples=300)
@given(
    st.text(alphabet="ab01:-[]{}&*!|>'\"#%\n\t ,?\x00\u2028é<~.", max_size=60)
    | st.lists(
        st.sampled_from(["&a", "*a", "&b", "*b", "<<:", "- ", "? ", ": ", "[", "]", "{", "}", ",",
                         "!!int", "!!float", "!!bool", "!!timestamp", "!!str", "!!map", "!!null",
                         "!!seq", "!!binary", "0x", "0b1", "1:30", ".inf", "2026-01-01", "x", "\n",
                         "\n  ", "\n---\n", " ", "''", "{{", "}}"]),
        max_size=25,
    ).map("".join)
)  # fmt: skip
def test_no_text_raises_anything_else(text: str) -> None:
    try:
        found = yaml_text.read(text)
    except TextError as error:
        raised = error
    else:
        lines = [document.line for document in found]
        assert lines == sorted(lines)
        assert None not in [document.value for document in found]
        return
    assert min(raised.document, raised.line) >= 1
    assert len(str(raised)) < 400


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"a: 1\nb: \x80\n", "line 2 is no UTF-8 text (byte 0x80)"),
        (b"\xff\xfea\x00", "line 1 is no UTF-8 text (byte 0xff)"),
    ],
)
def test_bytes_that_are_no_text_are_named_by_their_line(raw: bytes, why: str) -> None:
    """A UTF-16 file of an editor, a binary."""
    with pytest.raises(ValueError, match=re.escape(why)):
        yaml_text.decoded(raw)


def test_a_byte_order_mark_is_no_content() -> None:
    """As editors on Windows write it."""
    assert yaml_text.decoded(b"\xef\xbb\xbfa: \xc3\xa4") == "a: \u00e4"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r'{"a": "\ud83d\ude00"}', "\U0001f600"),
        (r'{"a": "x\\\ud83d\ude00"}', "x\\\U0001f600"),
        (r'{"a": "\\ud83d\\ude00"}', r"\ud83d\ude00"),
    ],
)
def test_json_escapes_characters_beyond_16_bits_by_pairs(text: str, value: str) -> None:
    """RFC 8259 section 7: what programs write that print ASCII. A backslash of its own is none."""
    (found,) = yaml_text.documents(text)
    assert found == {"a": value} == json.loads(text)
