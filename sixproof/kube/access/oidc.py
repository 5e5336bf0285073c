"""The only auth-provider that Kubernetes still supports (``oidc``), by the client library."""

from __future__ import annotations

import threading
from collections.abc import Callable

import urllib3.exceptions
from kubernetes.client.configuration import Configuration
from kubernetes.config.config_exception import ConfigException
from kubernetes.config.kube_config import ConfigNode, KubeConfigLoader
from oauthlib.oauth2 import OAuth2Error

from sixproof.errors import ClusterUnreachable
from sixproof.kube.api import json_fields
from sixproof.kube.api.json_fields import Manifest, one_line

_REMOVED = {
    "gcp": "gke-gcloud-auth-plugin",
    "azure": "kubelogin",
}
# What the library raises for a provider that is incomplete or does not answer.
_BROKEN = (
    ConfigException,
    OAuth2Error,
    urllib3.exceptions.HTTPError,
    OSError,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
)


class OidcToken:
    """A token that is renewed at its issuer. The new one is written into the kubeconfig, as kubectl
    does: losing a rotated refresh token would lock the user out."""

    def __init__(self, user: str, provider: Manifest, keep: Callable[[], None]) -> None:
        """`provider` is the kubeconfig's own ``auth-provider``; `keep` writes it back.

        Raises:
            ClusterUnreachable: the provider was removed from Kubernetes, or it fails.
        """
        name = json_fields.text(provider, "name")
        if name != "oidc":
            known = _REMOVED.get(name)
            raise ClusterUnreachable(
                f"user {one_line(repr(user), 120)} has the auth-provider "
                f"{one_line(repr(name), 80)}, which was removed from Kubernetes 1.26; use an exec "
                f"credential plugin{f' ({known})' if known else ''}"
            )
        self._user = user
        self._lock = threading.Lock()
        self._configuration = Configuration(host="")
        config = {
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {}}],
            "users": [{"name": "u", "user": {"auth-provider": provider}}],
        }
        with self._lock:
            self._token = self._call(
                lambda: KubeConfigLoader(  # type: ignore[no-untyped-call]
                    ConfigNode("kubeconfig", config, ""),  # type: ignore[no-untyped-call]
                    active_context="c",
                    config_base_path="",
                    config_persister=keep,
                ).load_and_set(self._configuration)
            )

    def header(self) -> str:
        """The token, renewed where it expires soon."""
        with self._lock:
            return self._call(lambda: None)

    def refused(self, header: str) -> bool:  # noqa: ARG002 - the protocol's name
        """An expired token was renewed already."""
        return False

    def _call(self, prepare: Callable[[], object]) -> str:
        try:
            prepare()
            token = self._configuration.get_api_key_with_prefix("BearerToken")
        except _BROKEN as error:
            raise ClusterUnreachable(self._failure(one_line(error))) from error
        if not token:
            raise ClusterUnreachable(self._failure("its id-token is none"))
        return str(token)

    def _failure(self, why: str) -> str:
        return f"auth-provider oidc of user {one_line(repr(self._user), 120)} cannot log in: {why}"
