"""Where the API server is and who we are: kubeconfig files and the service account of a pod.

Parsing is left to the client library, which knows credential plugins, `proxy-url` and `NO_PROXY`;
here every way in which it can fail becomes one line that says what to do.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import urllib3
import yaml
from kubernetes.client.configuration import Configuration
from kubernetes.config.config_exception import ConfigException
from kubernetes.config.incluster_config import SERVICE_TOKEN_FILENAME, load_incluster_config
from kubernetes.config.kube_config import KubeConfigMerger, load_kube_config

from sixproof.errors import ClusterUnreachable
from sixproof.kube.fields import one_line

# What the library raises for files that are no kubeconfig: it indexes into them unchecked.
_BROKEN = (
    ConfigException,
    yaml.YAMLError,
    OSError,
    ValueError,
    TypeError,
    AttributeError,
    KeyError,
)


@dataclasses.dataclass(frozen=True, slots=True)
class Access:
    """A configuration of the client and what to call it: ``context kind-dual of ~/.kube/config``"""

    configuration: Any  # kubernetes.client.Configuration
    name: str
    source: str

    @property
    def server(self) -> str:
        """The URL of the API server."""
        return str(self.configuration.host)


def load(kubeconfig: Path | None, context: str | None) -> Access:
    """The access that a kubeconfig gives, or the service account where there is no kubeconfig.

    Without `kubeconfig` the files named by $KUBECONFIG are taken, else ~/.kube/config.

    Raises:
        ClusterUnreachable: no file, a broken file, an unknown context, a failed credential plugin.
    """
    wanted = str(kubeconfig) if kubeconfig else os.environ.get("KUBECONFIG") or "~/.kube/config"
    paths = [Path(p).expanduser() for p in wanted.split(os.pathsep) if p]
    if any(path.is_file() for path in paths):
        return _from_files(os.pathsep.join(map(str, paths)), context)
    if kubeconfig is None and context is None and Path(SERVICE_TOKEN_FILENAME).is_file():
        return _from_service_account()
    where = "" if kubeconfig else " and this is not a pod with a service account"
    raise ClusterUnreachable(
        f"no kubeconfig: {wanted} does not exist{where}; "
        "name one with --six-kubeconfig or KUBECONFIG"
    )


def _from_files(paths: str, context: str | None) -> Access:
    try:
        known, current = _contexts(paths)
    except _BROKEN as error:
        raise ClusterUnreachable(f"{paths} is not a kubeconfig: {one_line(error)}") from error
    chosen = context or current
    listed = ", ".join(known)
    if not known:
        raise ClusterUnreachable(f"{paths} holds no context: no cluster was ever written to it")
    if not chosen:
        raise ClusterUnreachable(
            f"{paths} has no current context; choose one with --six-context: {listed}"
        )
    if chosen not in known:
        raise ClusterUnreachable(f"no context {chosen!r} in {paths}; it has: {listed}")
    configuration = _fresh()
    with _logged_errors() as complaints:
        try:
            # Refreshed OIDC tokens are written back as kubectl does: a rotated refresh token that
            # is not kept would lock the user out.
            load_kube_config(  # type: ignore[no-untyped-call]
                paths, context=chosen, client_configuration=configuration
            )
        except _BROKEN as error:
            raise ClusterUnreachable(
                f"context {chosen!r} of {paths} cannot be used: {one_line(error)}"
            ) from error
    if complaints and not configuration.api_key:
        # The library logs what a credential plugin said and goes on as an anonymous user.
        raise ClusterUnreachable(
            f"no credentials for context {chosen!r} of {paths}: {one_line(complaints[0])}"
        )
    return Access(configuration, chosen, f"context {chosen!r} of {paths}")


def _contexts(paths: str) -> tuple[list[str], str]:
    """The names of all contexts, and the current one, "" where none is set."""
    merged = KubeConfigMerger(paths).config  # type: ignore[no-untyped-call]
    if merged is None:
        raise ValueError("it is empty")
    known = [str(entry["name"]) for entry in merged["contexts"].value]
    return known, str(merged.value.get("current-context") or "")


def _from_service_account() -> Access:
    configuration = _fresh()
    try:
        load_incluster_config(configuration)  # type: ignore[no-untyped-call]
    except (ConfigException, OSError, ValueError) as error:
        raise ClusterUnreachable(
            f"the pod's service account cannot be used: {one_line(error)}"
        ) from error
    return Access(configuration, "in-cluster", "the pod's service account")


def _fresh() -> Configuration:
    configuration = Configuration()
    # Retries are ours (rest.py): the library's would multiply every time-out by four.
    configuration.retries = urllib3.Retry(0, redirect=False)
    configuration.keep_alive = True
    return configuration


@contextlib.contextmanager
def _logged_errors() -> Iterator[list[str]]:
    """The error messages logged meanwhile; they do not reach the terminal."""
    seen: list[str] = []
    logger = logging.getLogger()

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(record.getMessage())

    collector = Collect(logging.ERROR)
    logger.addHandler(collector)
    try:
        yield seen
    finally:
        logger.removeHandler(collector)
