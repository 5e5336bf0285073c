"""Credentials that no header can carry are refused in one line, and never shown."""

from __future__ import annotations

import pytest

from sixproof.errors import ClusterUnreachable
from sixproof.kube.access.credentials import bearer


@pytest.mark.parametrize("token", ["se\ncret", "se cret", "se\x00cret", "s€cret"])
def test_a_token_that_no_header_carries_is_refused_and_not_shown(token: str) -> None:
    """HTTP libraries raise it in full, and a CI log would keep it."""
    with pytest.raises(ClusterUnreachable) as caught:
        bearer(token, "the token of user 'u'")
    assert str(caught.value).startswith("the token of user 'u' is no token")
    assert token not in str(caught.value)
    assert "cret" not in str(caught.value)


def test_a_token_becomes_its_header() -> None:
    """As RFC 6750 section 2.1 writes it."""
    assert bearer("abc.DEF-1", "a token") == "Bearer abc.DEF-1"
