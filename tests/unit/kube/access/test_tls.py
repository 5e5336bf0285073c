"""TLS: what is wrong between a kubeconfig and a server is said in words, never as ``_ssl.c``."""

from __future__ import annotations

import base64
import shutil
import socket
import warnings
from pathlib import Path
from typing import Any

import pytest

from sixproof.errors import ClusterUnreachable
from sixproof.kube.api import resources
from sixproof.kube.api.client import Cluster
from tests.unit.kube.access.authority import Authority
from tests.unit.kube.server import FakeApi, Reply, kubeconfig, listed, refused, serve

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl")


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ours"), "ours")


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("theirs"), "theirs")


def trusting(authority: Authority) -> dict[str, Any]:
    data = base64.b64encode(authority.certificate.read_bytes()).decode()
    return {"certificate-authority-data": data}


def failure(path: Path) -> str:
    with pytest.raises(ClusterUnreachable) as caught:
        Cluster.connect(path, timeout=2.0)
    message = str(caught.value)
    assert "\n" not in message
    assert "_ssl" not in message
    assert "SSL" not in message
    return message


def test_server_of_the_kubeconfig_s_ca_is_trusted(
    api: FakeApi, ours: Authority, tmp_path: Path
) -> None:
    """The control of all others."""
    with serve(api, tls=ours.server()) as url:
        path = kubeconfig(tmp_path / "k", url, cluster=trusting(ours))
        with Cluster.connect(path) as cluster:
            assert cluster.version == "v1.34.1"


def test_server_of_another_ca(
    api: FakeApi, ours: Authority, theirs: Authority, tmp_path: Path
) -> None:
    """A cluster made anew under the same address has a new CA."""
    with serve(api, tls=theirs.server()) as url:
        message = failure(kubeconfig(tmp_path / "k", url, cluster=trusting(ours)))
    assert "not signed by the certificate-authority of the kubeconfig" in message


def test_no_ca_in_the_kubeconfig(api: FakeApi, ours: Authority, tmp_path: Path) -> None:
    """The machine's own CAs did not sign the server's certificate."""
    with serve(api, tls=ours.server()) as url:
        message = failure(kubeconfig(tmp_path / "k", url))
    assert "the kubeconfig names no certificate-authority" in message


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"dates": ("20200101000000Z", "20200201000000Z")}, "it has ended"),
        ({"dates": ("20480101000000Z", "20490101000000Z")}, "not valid yet"),
        ({"addresses": "DNS:api.example"}, "for another name"),
    ],
    ids=["ended", "early", "name"],
)
def test_certificate_of_the_server(
    api: FakeApi, ours: Authority, tmp_path: Path, how: dict[str, Any], words: str
) -> None:
    """What is wrong with it is said."""
    with serve(api, tls=ours.server(**how)) as url:
        assert words in failure(kubeconfig(tmp_path / "k", url, cluster=trusting(ours)))


def test_insecure_skip_tls_verify_works_and_is_said_once(
    api: FakeApi, theirs: Authority, tmp_path: Path
) -> None:
    """Also where warnings are errors, as under pytest."""
    api.on("GET", "/api/v1/nodes", listed())
    said: list[str] = []
    with serve(api, tls=theirs.server()) as url:
        path = kubeconfig(tmp_path / "k", url, cluster={"insecure-skip-tls-verify": True})
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with Cluster.connect(path, say=said.append) as cluster:
                assert cluster.list(resources.NODE) == ()
    assert [line for line in said if "insecure-skip-tls-verify" in line] == said
    assert len(said) == 1


def test_insecure_with_a_ca_is_refused_as_by_kubectl(ours: Authority, tmp_path: Path) -> None:
    """Which of both was meant nobody knows."""
    cluster = {"insecure-skip-tls-verify": True, **trusting(ours)}
    path = kubeconfig(tmp_path / "k", "https://127.0.0.1:1", cluster=cluster)
    assert "kubectl refuses that too" in failure(path)


@pytest.mark.parametrize(
    ("cluster", "words"),
    [
        ({"certificate-authority-data": "YWJj"}, "holds no certificate in PEM form"),
        ({"certificate-authority-data": "%%%="}, "is not base64"),
        ({"certificate-authority": "no.crt"}, "no.crt: no such file"),
    ],
    ids=["words", "torn", "missing"],
)
def test_ca_that_is_none(tmp_path: Path, cluster: dict[str, Any], words: str) -> None:
    """It is found before anything is connected to."""
    assert words in failure(kubeconfig(tmp_path / "k", "https://127.0.0.1:1", cluster=cluster))


def test_client_certificate_is_shown(api: FakeApi, ours: Authority, tmp_path: Path) -> None:
    """A server that asks for one gets that of the kubeconfig."""
    certificate, key = ours.issue("client")
    user = {"client-certificate": str(certificate), "client-key": str(key)}
    with serve(api, tls=ours.server(clients=ours.certificate)) as url:
        path = kubeconfig(tmp_path / "k", url, cluster=trusting(ours), user=user)
        with Cluster.connect(path) as cluster:
            assert cluster.version == "v1.34.1"


@pytest.mark.parametrize("strict", [True, False], ids=["handshake", "401"])
def test_client_certificate_that_has_ended(
    api: FakeApi, ours: Authority, tmp_path: Path, strict: bool
) -> None:
    """The date is named, whether the handshake fails or the API server answers 401."""
    dates = ("20200101000000Z", "20200201123000Z")
    certificate, key = ours.issue("ended", dates=dates)
    user = {"client-certificate": str(certificate), "client-key": str(key)}
    api.on("GET", "/version", refused(401, "Unauthorized", "Unauthorized"))
    with serve(api, tls=ours.server(clients=ours.certificate if strict else None)) as url:
        message = failure(kubeconfig(tmp_path / "k", url, cluster=trusting(ours), user=user))
    assert "ended on 2020-02-01 12:30 UTC" in message


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (("client-certificate",), "no client-key"),
        (("client-key",), "no client-certificate"),
    ],
    ids=["certificate", "key"],
)
def test_half_a_client_certificate(
    ours: Authority, tmp_path: Path, fields: tuple[str, ...], words: str
) -> None:
    """It would be an anonymous user, or a traceback."""
    pair = dict(zip(("client-certificate", "client-key"), ours.issue("half"), strict=True))
    user = {field: str(pair[field]) for field in fields}
    assert words in failure(kubeconfig(tmp_path / "k", "https://127.0.0.1:1", user=user))


def test_pair_that_is_none(ours: Authority, tmp_path: Path) -> None:
    """The key belongs to another certificate."""
    certificate, _ = ours.issue("one")
    _, key = ours.issue("other")
    user = {"client-certificate": str(certificate), "client-key": str(key)}
    assert "no pair" in failure(kubeconfig(tmp_path / "k", "https://127.0.0.1:1", user=user))


def test_https_to_a_server_that_speaks_http(api: FakeApi, tmp_path: Path) -> None:
    """The scheme of the kubeconfig is to be looked at."""
    api.on("GET", "/version", Reply("no"))
    with serve(api) as url:
        path = kubeconfig(tmp_path / "k", url.replace("http:", "https:"))
        assert "does not speak TLS" in failure(path)


def test_handshake_that_nobody_answers(tmp_path: Path) -> None:
    """A server that takes connections and speaks no word, or a machine that is far too busy."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        path = kubeconfig(tmp_path / "k", f"https://127.0.0.1:{mute.getsockname()[1]}")
        assert "the TLS handshake took longer than 2 s" in failure(path)
