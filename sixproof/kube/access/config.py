"""Where the API server is and who we are: kubeconfig files and the service account of a pod.

Every error in a kubeconfig becomes one line that says what to do, before anything is created on a
cluster.
"""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import urllib3
from kubernetes.client.configuration import Configuration
from kubernetes.config.config_exception import ConfigException
from kubernetes.config.incluster_config import SERVICE_TOKEN_FILENAME, load_incluster_config

from sixproof import yaml_text
from sixproof.errors import ClusterUnreachable
from sixproof.kube.access import api_server, certificates, kubeconfig
from sixproof.kube.access.api_server import Proxy
from sixproof.kube.access.credentials import (
    Credentials,
    Fixed,
    FromPlugin,
    TokenFile,
    basic,
    bearer,
)
from sixproof.kube.access.exec_plugin import Plugin, Say, cluster_info
from sixproof.kube.access.kubeconfig import Chosen, Kubeconfig
from sixproof.kube.access.oidc import OidcToken
from sixproof.kube.access.private_files import PrivateFiles
from sixproof.kube.api.json_fields import one_line


@dataclasses.dataclass(frozen=True, slots=True)
class Access:
    """How to reach one API server.

    `source` is what errors call it: ``context 'kind-dual' of ~/.kube/config``. `kubeconfig` and
    `context` lead another process to the same cluster; both are "" for a pod's service account.
    """

    configuration: Configuration
    credentials: Credentials
    proxy: Proxy | None
    name: str
    source: str
    kubeconfig: str = ""
    context: str = ""
    files: PrivateFiles = dataclasses.field(default_factory=PrivateFiles)

    @property
    def server(self) -> str:
        """The URL of the API server."""
        return str(self.configuration.host)

    @property
    def verified(self) -> bool:
        """Whether the API server must prove who it is."""
        return bool(self.configuration.verify_ssl)


def load(path: Path | None, context: str | None, say: Say | None = None) -> Access:
    """The access that a kubeconfig gives, or the service account where there is no kubeconfig.

    Without `path` the files named by $KUBECONFIG are read, else ~/.kube/config. A pipe is read once
    and kept, so that other processes can read it too. A credential plugin's messages go to `say`.

    Raises:
        ClusterUnreachable: no file, a broken file, an unknown context, a failed credential plugin.
    """
    listed = "" if path else os.environ.get("KUBECONFIG", "")
    wanted = str(path) if path else listed or "~/.kube/config"
    # As kubectl: a list is taken apart and nothing in it expanded, which is the shell's to do.
    try:
        paths = _list(listed) if listed else _paths(wanted)
        found = any(p.exists() for p in paths)
    except (OSError, ValueError, RuntimeError) as error:  # no home, no right, too long
        raise ClusterUnreachable(
            f"no kubeconfig: {one_line(wanted, 200)}: {one_line(error, 200)}"
        ) from error
    if found:
        return _from_files(paths, wanted, context or "", say)
    if path is None and not context and Path(SERVICE_TOKEN_FILENAME).is_file():
        return _from_service_account()
    where = "" if path else " and this is not a pod with a service account"
    what = f"{one_line(wanted)} does not exist" if paths else "KUBECONFIG lists no file"
    raise ClusterUnreachable(
        f"no kubeconfig: {what}{where}; name one with --six-kubeconfig or KUBECONFIG"
    )


def _paths(wanted: str) -> list[Path]:
    whole = Path(wanted).expanduser()
    if whole.exists():
        return [whole]
    return [path.expanduser() for path in _list(wanted)]


def _list(paths: str) -> list[Path]:
    return [Path(p) for p in paths.split(os.pathsep) if p]


def _from_files(paths: list[Path], wanted: str, context: str, say: Say | None) -> Access:
    files = PrivateFiles()
    paths = [_lasting(p, number, files) for number, p in enumerate(paths)]
    config = kubeconfig.read(paths, one_line(wanted, 300))
    chosen = config.choose(context)
    configuration, proxy = _transport(chosen, files)
    credentials = _credentials(chosen, config, files, say)
    if isinstance(credentials, FromPlugin) and credentials.certificate:
        configuration.cert_file = configuration.key_file = str(credentials.certificate)
    return Access(
        configuration,
        credentials,
        proxy,
        chosen.context,
        f"context {one_line(repr(chosen.context), 120)} of {config.where}",
        # Absolute: a reader may have another working directory.
        os.pathsep.join(str(p.absolute()) for p in paths),
        chosen.context,
        files,
    )


def _lasting(path: Path, number: int, files: PrivateFiles) -> Path:
    """The file, or a copy of a pipe's content, which can be read only once."""
    if not path.is_fifo():
        return path
    try:
        return files.write(f"kubeconfig-{number}", kubeconfig.text_of(path).encode())
    except (OSError, ValueError) as error:
        raise ClusterUnreachable(f"{path} is not a kubeconfig: {one_line(error)}") from error


def _transport(chosen: Chosen, files: PrivateFiles) -> tuple[Configuration, Proxy | None]:
    """Everything about the connection except credentials that are renewed."""
    cluster, name = chosen.cluster, chosen.cluster_name
    insecure = cluster.value.get("insecure-skip-tls-verify") or False
    if not isinstance(insecure, bool):
        raise ClusterUnreachable(
            f"insecure-skip-tls-verify of cluster {name!r} is neither true nor false"
        )
    authority = certificates.authority(cluster, name, files)
    if insecure and authority:
        raise ClusterUnreachable(
            f"cluster {name!r} has a certificate-authority and insecure-skip-tls-verify: "
            "kubectl refuses that too; remove one of them"
        )
    pair = certificates.client(chosen.user, chosen.user_name, files) if chosen.user else None
    host = api_server.server(
        cluster.text("server"), name, secured=bool(authority or pair or insecure)
    )
    configuration = _fresh(host)
    configuration.verify_ssl = not insecure
    configuration.ssl_ca_cert = str(authority) if authority else None
    configuration.tls_server_name = _tls_name(cluster.text("tls-server-name"), name)
    if pair:
        configuration.cert_file, configuration.key_file = map(str, pair)
    proxy = api_server.proxy(host, cluster.text("proxy-url"), name)
    if proxy:
        configuration.proxy = proxy.url
        configuration.proxy_headers = proxy.headers
    return configuration, proxy


def _tls_name(text: str, cluster: str) -> str | None:
    if text and not api_server.is_host_name(text):
        raise ClusterUnreachable(
            f"tls-server-name of cluster {cluster!r} is {one_line(repr(text), 120)}; "
            "wanted is the name in the API server's certificate"
        )
    return text or None


def _credentials(
    chosen: Chosen, config: Kubeconfig, files: PrivateFiles, say: Say | None
) -> Credentials:
    """Who we are, in client-go's order: a file, a token, a plugin, a password."""
    user, name = chosen.user, chosen.user_name
    if user is None:
        return Fixed()
    if any(user.value.get(key) for key in ("as", "as-uid", "as-groups", "as-user-extra")):
        raise ClusterUnreachable(
            f"user {name!r} impersonates another user (as: …), which is not supported; "
            "use a kubeconfig with that one's own credentials"
        )
    if provider := user.mapping("auth-provider"):
        return OidcToken(name, provider, lambda: _write_back(config, user.file))
    if path := user.path("tokenFile"):
        return TokenFile(path)
    if token := user.text("token").strip():
        return Fixed(bearer(token, f"the token of user {name!r}"))
    if user.mapping("exec"):
        return FromPlugin(Plugin.of(name, user, cluster_info(chosen.cluster)), files, say)
    if user.text("username"):
        return Fixed(basic(user.text("username"), user.text("password")))
    return Fixed()


def _write_back(config: Kubeconfig, path: Path) -> None:
    path.write_text(yaml_text.written([config.documents[path]]))


def _from_service_account() -> Access:
    configuration = _fresh("")
    try:
        load_incluster_config(configuration)  # type: ignore[no-untyped-call]
    except (ConfigException, OSError, ValueError) as error:
        raise ClusterUnreachable(
            f"the pod's service account cannot be used: {one_line(error)}"
        ) from error
    configuration.refresh_api_key_hook = None
    configuration.api_key = {}
    proxy = api_server.proxy(configuration.host, "", "")
    if proxy:
        configuration.proxy, configuration.proxy_headers = proxy.url, proxy.headers
    return Access(
        configuration,
        TokenFile(Path(SERVICE_TOKEN_FILENAME)),
        proxy,
        "in-cluster",
        "the pod's service account",
    )


def _fresh(host: str) -> Configuration:
    """A configuration without a proxy: the library chooses one differently from kubectl."""
    configuration = Configuration(host=host, no_proxy="")
    configuration.proxy = None
    # Retries are ours (rest.py): the library's would multiply every time-out by four.
    configuration.retries = urllib3.Retry(0, redirect=False)
    configuration.keep_alive = True
    return configuration
