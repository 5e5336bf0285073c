import pytest

from testbed.build import registry
from testbed.build.registry import Mode
from testbed.errors import BedError


def no_probe(host: str) -> bool:
    raise AssertionError(f"{host} was asked although the user decided")


@pytest.mark.parametrize("wish", ["pull", "build"])
def test_the_users_word_decides_without_asking_anybody(wish: str) -> None:
    assert registry.choose({"SIX_IMAGES": wish}, no_probe) == (Mode(wish), f"SIX_IMAGES={wish}")


def test_an_unknown_word_is_an_error() -> None:
    with pytest.raises(BedError, match="seen: fetch"):
        registry.choose({"SIX_IMAGES": "fetch"}, no_probe)


def test_registries_that_all_answer_are_pulled_from() -> None:
    assert registry.choose({}, lambda _: True)[0] is Mode.PULL


def test_one_silent_registry_means_building_and_is_named() -> None:
    silent = registry.HOSTS[-1]
    mode, why = registry.choose({}, lambda host: host != silent)
    assert mode is Mode.BUILD
    assert f"no answer from {silent} within" in why
