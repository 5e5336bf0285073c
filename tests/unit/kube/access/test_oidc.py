"""OpenID Connect: the one auth-provider that is left, renewed and written back as kubectl does."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes.config.kube_config import KubeConfigLoader

from sixproof.errors import ClusterUnreachable
from sixproof.kube.api.client import Cluster
from tests.unit.kube.server import FakeApi, Reply, free_port, kubeconfig, serve


def token(ends: float) -> str:
    """A token that ends at this time, in seconds since 1970."""
    parts = [json.dumps({"alg": "none"}), json.dumps({"exp": ends}), "x"]
    return ".".join(base64.urlsafe_b64encode(p.encode()).decode().rstrip("=") for p in parts)


def provider(id_token: str, issuer: str = "http://127.0.0.1:9", **more: str) -> dict[str, Any]:
    config = {
        "id-token": id_token,
        "refresh-token": "r",
        "client-id": "c",
        "client-secret": "s",
        "idp-issuer-url": issuer,
        **more,
    }
    return {"auth-provider": {"name": "oidc", "config": config}}


def test_token_that_lives_is_sent(api: FakeApi, tmp_path: Path) -> None:
    """As it stands in the kubeconfig."""
    good = token(time.time() + 3600)
    with serve(api) as url:
        Cluster.connect(kubeconfig(tmp_path / "k", url, user=provider(good))).close()
    assert api.seen[0].headers["authorization"] == f"Bearer {good}"


def test_renewed_token_is_kept_in_its_own_file(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rotated refresh token that is lost would lock the user out; nothing else is changed."""
    good = token(time.time() + 3600)

    def renew(_: object, auth_provider: Any) -> None:
        auth_provider["config"].value["id-token"] = good
        auth_provider["config"].value["refresh-token"] = "rotated"

    monkeypatch.setattr(KubeConfigLoader, "_refresh_oidc", renew)
    with serve(api) as url:
        clusters = kubeconfig(tmp_path / "clusters", url)
        content = json.loads(clusters.read_text())
        users = tmp_path / "users"
        old = {**content, "clusters": [], "contexts": []}
        old["users"] = [{"name": "u", "user": provider(token(1))}]
        users.write_text(json.dumps(old))
        clusters.write_text(json.dumps({**content, "users": []}))
        before = clusters.read_bytes()
        monkeypatch.setenv("KUBECONFIG", f"{clusters}:{users}")
        Cluster.connect().close()
    assert api.seen[0].headers["authorization"] == f"Bearer {good}"
    assert clusters.read_bytes() == before
    kept = yaml.safe_load(users.read_text())
    config = kept["users"][0]["user"]["auth-provider"]["config"]
    assert (config["id-token"], config["refresh-token"]) == (good, "rotated")
    assert kept["current-context"] == old["current-context"]


@pytest.mark.parametrize(
    ("user", "words"),
    [
        (provider("no-token"), "its id-token is none"),
        ({"auth-provider": {"name": "oidc"}}, "its id-token is none"),
        ({"auth-provider": {"name": "oidc", "config": {}}}, "id-token"),
        (provider(token(1), f"http://127.0.0.1:{free_port()}"), "refused"),
    ],
    ids=["token", "config", "empty", "issuer"],
)
def test_provider_that_cannot_log_in(tmp_path: Path, user: dict[str, Any], words: str) -> None:
    """One line that names the user."""
    path = kubeconfig(tmp_path / "k", "http://127.0.0.1:9", user=user)
    with pytest.raises(ClusterUnreachable) as caught:
        Cluster.connect(path)
    assert "auth-provider oidc of user 'u' cannot log in" in str(caught.value)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_issuer_that_is_not_safe(api: FakeApi, tmp_path: Path) -> None:
    """OAuth's own errors are no traceback either."""
    with serve(api) as issuer:
        endpoint = Reply({"token_endpoint": f"{issuer}/token"})
        api.on("GET", "/.well-known/openid-configuration", endpoint)
        path = kubeconfig(tmp_path / "k", issuer, user=provider(token(1), issuer))
        with pytest.raises(
            ClusterUnreachable, match=r"cannot log in: .*OAuth 2 MUST utilize https"
        ):
            Cluster.connect(path)
