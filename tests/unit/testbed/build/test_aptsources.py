from pathlib import Path

import pytest

from testbed.build import aptsources
from testbed.build.aptsources import Source
from testbed.errors import BedError

STANZAS = """\
Types: deb
# the snapshot of the day
URIs: http://mirror.test/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /keys/debian.gpg

Types: deb deb-src
URIs: http://mirror.test/debian-security
 http://second.test/debian-security
Suites: bookworm-security
Components: main contrib

Types: deb-src
URIs: http://mirror.test/sources
Suites: bookworm
Components: main

Types: deb
Enabled: no
URIs: http://off.test/debian
Suites: bookworm
Components: main
"""


def test_deb822_stanzas_are_read_without_comments_sources_and_disabled_ones() -> None:
    found = list(aptsources.parse_stanzas(STANZAS))
    assert [(s.uri, s.suites, s.components) for s in found] == [
        ("http://mirror.test/debian", ("bookworm", "bookworm-updates"), ("main",)),
        ("http://mirror.test/debian-security", ("bookworm-security",), ("main", "contrib")),
        ("http://second.test/debian-security", ("bookworm-security",), ("main", "contrib")),
    ]
    assert found[0].keyring == "/keys/debian.gpg"
    assert found[1].keyring == aptsources.KEYRING


def test_an_embedded_key_is_replaced_by_debians_keyring() -> None:
    text = "Types: deb\nURIs: http://m.test\nSuites: bookworm\nSigned-By:\n -----BEGIN PGP\n"
    assert next(aptsources.parse_stanzas(text)).keyring == aptsources.KEYRING


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("deb http://m.test/debian bookworm main", ("bookworm", ("main",), aptsources.KEYRING)),
        (
            "deb [arch=amd64 signed-by=/k.gpg] http://m.test/debian bookworm main contrib # x",
            ("bookworm", ("main", "contrib"), "/k.gpg"),
        ),
        (
            "deb [ signed-by=/k.gpg ] http://m.test/debian bookworm main",
            ("bookworm", ("main",), "/k.gpg"),
        ),
    ],
)
def test_one_line_sources_are_read(line: str, expected: tuple[str, tuple[str, ...], str]) -> None:
    (source,) = aptsources.parse_lines(line)
    assert (source.suites[0], source.components, source.keyring) == expected


@pytest.mark.parametrize("line", ["", "# deb http://m.test/debian bookworm main", "deb-src a b c"])
def test_lines_that_are_no_binary_source_give_none(line: str) -> None:
    assert list(aptsources.parse_lines(line)) == []


def test_only_the_release_of_the_bed_is_chosen() -> None:
    sources = [
        Source("http://m.test/debian", ("bookworm", "bookworm-backports", "trixie"), ("main",)),
        Source("http://m.test/node", ("nodistro",), ("main",)),
        Source("http://m.test/extra", ("bookworm",), ("contrib",)),
    ]
    (chosen,) = aptsources.debian(sources)
    assert chosen.suites == ("bookworm",)
    assert list(chosen.lines()) == [
        f"deb [signed-by={aptsources.KEYRING}] http://m.test/debian bookworm main"
    ]


def test_on_a_machine_without_the_release_the_error_says_what_to_add() -> None:
    with pytest.raises(BedError, match="bookworm") as caught:
        aptsources.debian([Source("http://m.test", ("noble",), ("main",))])
    assert "SIX_IMAGES=pull" in caught.value.remedy


def test_both_kinds_of_files_are_collected(tmp_path: Path) -> None:
    parts = tmp_path / "sources.list.d"
    parts.mkdir()
    (tmp_path / "sources.list").write_text("deb http://one.test/debian bookworm main\n")
    (parts / "a.sources").write_text(
        "Types: deb\nURIs: http://two.test\nSuites: bookworm\nComponents: main\n"
    )
    (parts / "b.list").write_text("deb http://three.test bookworm main\n")
    (parts / "c.list.save").write_text("deb http://four.test bookworm main\n")
    assert [s.uri for s in aptsources.configured(tmp_path)] == [
        "http://one.test/debian",
        "http://two.test",
        "http://three.test",
    ]
