"""Whether images can be pulled, or must be built here. SIX_IMAGES overrides the choice."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum

from testbed.errors import BedError

SECONDS = 3.0
# The registries of pull mode; all of them must answer.
HOSTS = ("registry-1.docker.io", "registry.k8s.io", "quay.io")


class Mode(StrEnum):
    PULL = "pull"
    BUILD = "build"


def answers(host: str) -> bool:
    """Whether an HTTPS server proves to be `host` within SECONDS."""
    try:
        with (
            socket.create_connection((host, 443), SECONDS) as plain,
            ssl.create_default_context().wrap_socket(plain, server_hostname=host),
        ):
            return True
    except OSError:
        return False


def choose(
    env: Mapping[str, str] = os.environ, probe: Callable[[str], bool] = answers
) -> tuple[Mode, str]:
    """The mode and the reason for it."""
    wish = env.get("SIX_IMAGES", "")
    if wish in tuple(Mode):
        return Mode(wish), f"SIX_IMAGES={wish}"
    if wish:
        raise BedError(
            "SIX_IMAGES to be pull or build", seen=wish, remedy="correct or unset the variable"
        )
    with ThreadPoolExecutor(len(HOSTS)) as pool:
        silent = [host for host, ok in zip(HOSTS, pool.map(probe, HOSTS), strict=True) if not ok]
    if silent:
        return Mode.BUILD, f"no answer from {', '.join(silent)} within {SECONDS:.0f} s"
    return Mode.PULL, "every image registry answered"
