"""The archive: the same bytes for the same evidence, of a bounded size, whole or not there."""

from __future__ import annotations

import dataclasses
import json
import random
import time
from pathlib import Path
from typing import Any

import pytest

from sixproof.kube.facts.components import EndedPod
from sixproof.kube.facts.diagnostics import Part
from sixproof.model import Finding, Severity
from sixproof.probes.nodes.examination import NodeReading
from sixproof.reporting.bundle import archive
from sixproof.reporting.bundle.contents import Content, written
from tests.unit.reporting.bundle.made import evidence
from tests.unit.reporting.bundle.unpacked import unpacked
from tests.unit.reporting.conclusion.cluster import examined, node
from tests.unit.reporting.samples import NODES

NODE = {"metadata": {"name": "worker"}, "spec": {"podCIDRs": ["fd00::/64"]}}


def test_a_green_run_s_files_stand_in_order_with_the_index_first() -> None:
    files = unpacked(archive.archived(evidence()).body)
    first, *rest = files
    assert first == "index.md"
    assert rest == sorted(rest)
    assert {f"node-facts/{name}.json" for name in NODES} <= set(files)
    assert json.loads(files["node-facts/worker.json"])["sysctls"]["net/ipv4/ip_forward"] == "1"
    assert json.loads(files["calico/blockaffinities.json"])[0]["spec"]["node"] == "control-plane"
    assert json.loads(files["check-list.json"])[0]["state"] == "ok"
    assert not [path for path in files if path.startswith("packet-filters/")]


def test_a_red_run_s_has_what_the_examination_saw() -> None:
    ended = EndedPod("six-x", "a-1", "worker", "OOMKilled, exit status 137")
    files = unpacked(archive.archived(evidence(examination=examined(ended=[ended]))).body)
    assert {f"packet-filters/{name}.json" for name in NODES} <= set(files)
    seen = json.loads(files["run/examination.json"])
    assert seen["ended"][0]["how"] == "OOMKilled, exit status 137"
    assert "settings" not in seen, "texts of ConfigMaps are shown without secrets, as such"
    assert "after the last test |" in files["index.md"]


def test_the_same_evidence_gives_the_same_bytes() -> None:
    first = archive.archived(evidence(examination=examined()))
    time.sleep(1.1)  # gzip and tar note times in seconds
    assert archive.archived(evidence(examination=examined())) == first


def noise(number: int, length: int) -> dict[str, Any]:
    """An object that does not compress."""
    chance = random.Random(number)
    return {"metadata": {"name": f"o{number:05}"}, "spec": {"x": chance.randbytes(length).hex()}}


def test_whatever_a_cluster_holds_an_archive_is_below_its_limit() -> None:
    """Twelve parts of 300 large objects without any pattern: cut, and the index says where."""
    objects = tuple(noise(n, 3500) for n in range(300))
    parts = tuple(Part(f"calico/kind{n:02}", "", objects) for n in range(12))
    made = archive.archived(evidence(parts=parts))
    assert len(made.body) < archive.LARGEST
    files = unpacked(made.body)
    assert json.loads(files["calico/kind00.json"])
    assert "- calico/kind00.json: cut, " in files["index.md"]
    assert " of 300 entries fit" in files["index.md"]


def test_many_nodes_with_many_routes_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each gets its share of the whole, small files are spared; nodes beyond 64 have no file."""
    monkeypatch.setattr(archive, "LARGEST_TOTAL", 2_000_000)
    big = node("worker")
    big = dataclasses.replace(big, routes=big.routes * 20)
    readings = tuple(NodeReading(f"n{number:03}", big) for number in range(70))
    made = archive.archived(evidence(readings=readings))
    files = unpacked(made.body)
    assert len(made.body) < archive.LARGEST
    assert sum(map(len, files.values())) < archive.LARGEST_TOTAL * 1.2
    facts = {path: json.loads(text) for path, text in files.items() if "node-facts/" in path}
    assert len(facts) == 64
    assert {0 < len(one["routes"]) < len(big.routes) for one in facts.values()} == {True}
    assert len(json.loads(files["components/pods.json"])) == 9


def test_of_an_object_what_is_small_is_kept_whole() -> None:
    value = {
        "routes": [{"destination": f"fd00::{n:x}"} for n in range(5000)],
        "sysctls": {"a": "1"},
    }
    made = written(Content("x.json", "", value), 3000)
    shown = json.loads(made.body)
    assert shown["sysctls"] == {"a": "1"}
    assert 10 < len(shown["routes"]) < 100
    assert shown["routes"] == value["routes"][: len(shown["routes"])]  # type: ignore[index]
    assert len(made.body) < 3500
    assert (made.whole, made.of) == (False, 5001)


def test_what_no_file_system_and_no_encoding_takes_does_no_harm() -> None:
    """Names that lead elsewhere, lone surrogates, markup of the index."""
    readings = (NodeReading("../../etc/passwd", node("worker")), NodeReading("\ud800", None, "x"))
    odd = Part("nodes", "", ({"metadata": {"name": "\ud800 \u202e"}},), problems=("a | b\nc",))
    finding = Finding("c", Severity.ERROR, "a|b", "<script>\n# top", "\ud800")
    made = archive.archived(evidence(readings=readings, parts=(odd,), findings=(finding,)))
    files = unpacked(made.body)
    assert "node-facts/_.._etc_passwd.json" in files
    assert all(".." not in path.split("/") and not path.startswith("/") for path in files)
    assert "| error | c | a\\|b | \\<script> # top" in files["index.md"]
    assert "- a \\| b c\n" in files["index.md"]


def test_it_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error and Ctrl-C leave what was there before."""
    path = tmp_path / "diagnostics.tar.gz"
    archive.write(path, b"first")

    for raised in (OSError("disk full"), KeyboardInterrupt()):

        def fails(draft: Path, _: bytes, raised: BaseException = raised) -> int:
            draft.touch()
            raise raised

        with monkeypatch.context() as patched:
            patched.setattr(Path, "write_bytes", fails)
            with pytest.raises(type(raised)):
                archive.write(path, b"second")
        assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {path.name: b"first"}
