from pathlib import Path

import pytest

from testbed import teardown
from testbed.errors import BedError
from testbed.host import progress as progress_module
from testbed.host.command import Result
from testbed.host.engine import Engine
from testbed.host.paths import Cache
from testbed.network import bridge
from testbed.variants import variant


class FakeEngine(Engine):
    """An engine that answers from a list of (words, answers) and notes its commands."""

    def __init__(self, answers: dict[str, list[Result]]) -> None:
        super().__init__("unix:///fake")
        object.__setattr__(self, "answers", answers)
        object.__setattr__(self, "commands", [])

    def attempt(self, *words: str | Path, stdin: str | None = None, timeout: float = 600) -> Result:
        del stdin, timeout
        line = " ".join(str(word) for word in words)
        self.commands.append(line)  # type: ignore[attr-defined]
        for start, left in self.answers.items():  # type: ignore[attr-defined]
            if line.startswith(start) and left:
                return left.pop(0)  # type: ignore[no-any-return]
        return Result((), 0, "", "")

    def run(self, *words: str | Path, stdin: str | None = None, timeout: float = 600) -> str:
        result = self.attempt(*words, stdin=stdin, timeout=timeout)
        if not result.ok:
            raise BedError(" ".join(str(word) for word in words))
        return result.out


def said(text: str) -> Result:
    return Result((), 0, text, "")


FAILED = Result((), 1, "", "has active endpoints")


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    found = Cache(tmp_path / "sixproof")
    found.prepare()
    return found


def test_an_engine_with_strangers_containers_is_not_stopped(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = FakeEngine({"ps": [said("six-worker\nsomebody\n")]})
    monkeypatch.setattr("testbed.host.engine.own", lambda _: engine)
    monkeypatch.setattr("testbed.host.engine.stop", lambda _: pytest.fail("it was stopped"))
    with pytest.raises(BedError, match="seen: six-worker, somebody"):
        teardown.stop(cache, progress_module.Progress())


def test_the_changed_limit_is_given_back_once(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[str] = []
    monkeypatch.setattr("testbed.host.machine.restore_inotify", given.append)
    (cache.root / "inotify").write_text("128")
    for _ in range(2):
        teardown.stop(cache, progress_module.Progress())
    assert given == ["128"]


def test_purge_removes_what_the_bed_made_and_nothing_else(cache: Cache) -> None:
    (cache.binaries / "kube").touch()
    (cache.root / "lock").touch()
    (cache.root / "thesis.txt").touch()
    teardown.purge(cache)
    assert [path.name for path in cache.root.iterdir()] == ["thesis.txt"]


def test_purge_removes_a_folder_of_its_own(cache: Cache) -> None:
    teardown.purge(cache)
    assert not cache.root.exists()


def test_a_network_with_stale_endpoints_is_removed_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("testbed.network.bridge.present", lambda _: False)
    engine = FakeEngine(
        {
            "network inspect --format": [said("six-worker gone ")],
            "network rm": [FAILED, said("six-net")],
        }
    )
    bridge.remove(engine, variant.load())
    assert engine.commands[2:] == [  # type: ignore[attr-defined]
        "network inspect --format {{range .Containers}}{{.Name}} {{end}} six-net",
        "network disconnect --force six-net six-worker",
        "network disconnect --force six-net gone",
        "network rm six-net",
    ]


def test_a_network_that_cannot_be_removed_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("testbed.network.bridge.present", lambda _: False)
    engine = FakeEngine({"network rm": [FAILED, FAILED]})
    with pytest.raises(BedError, match="network rm six-net"):
        bridge.remove(engine, variant.load())
