"""Untrusted YAML: whatever the text, an answer or one kind of error, and at once."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sixproof.policy import yaml_text

REFUSED = {
    "a megabyte of brackets": ("[" * 1_000_000, "levels deep"),
    "a megabyte of dashes": ("- " * 500_000, "levels deep"),
    "objects in objects": ("{a: " * 200_000, "levels deep"),
    "a date that no calendar has": ("a: 2020-13-45", "month"),
    "a control character": ("a: \x07", "control characters"),
    "not closed": ("{", "did not find expected"),
    "a foreign tag": ("!!python/object:os.system x", "constructor"),
    "an alias": ("a: &x 1\nb: *x", "uses YAML aliases"),
}


@pytest.mark.timeout(10)
@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_read_is_one_kind_of_error(what: str) -> None:
    text, said = REFUSED[what]
    with pytest.raises(yaml.YAMLError, match=said):
        yaml_text.documents(text, aliases=False)


def test_documents_are_read_and_empty_ones_left_out() -> None:
    assert yaml_text.documents("a: 1\n---\n---\n- b\n") == [{"a": 1}, ["b"]]
    assert yaml_text.documents("a: &x [1]\nb: *x") == [{"a": [1], "b": [1]}]
    assert yaml_text.documents("") == []


def test_a_text_as_deep_as_may_be() -> None:
    deepest = yaml_text.DEEPEST
    assert yaml_text.documents("[" * deepest + "]" * deepest)
    with pytest.raises(yaml.YAMLError, match="levels deep"):
        yaml_text.documents("[" * (deepest + 1) + "]" * (deepest + 1))


def test_one_document_is_wanted() -> None:
    assert yaml_text.document("a: 1") == {"a": 1}
    assert yaml_text.document("") is None
    with pytest.raises(yaml.YAMLError, match="2 documents"):
        yaml_text.document("a: 1\n---\nb: 2")


@settings(deadline=None, max_examples=200)
@given(st.text(alphabet="ab01:-[]{}&*!|>'\"#%\n\t ,?\x00\u2028é", max_size=60))
def test_no_text_raises_anything_else(text: str) -> None:
    try:
        found = yaml_text.documents(text)
    except yaml.YAMLError:
        return
    assert None not in found
