"""The server's URL and the proxy to it, as client-go takes them, or one line."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from sixproof.errors import ClusterUnreachable
from sixproof.kube.access import api_server
from sixproof.kube.api import resources
from sixproof.kube.api.client import Cluster
from tests.unit.kube.access.proxy import played
from tests.unit.kube.server import FakeApi, Reply, free_port, kubeconfig, listed, serve

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.mark.parametrize(
    ("text", "secured", "url"),
    [
        ("https://api.example:6443", False, "https://api.example:6443"),
        ("https://api.example:6443/", False, "https://api.example:6443"),
        ("https://[fd00::1]:6443", True, "https://[fd00::1]:6443"),
        ("https://rancher.example/k8s/clusters/c-1", False, "https://rancher.example/k8s/clusters/c-1"),
        (" https://api.example\n", False, "https://api.example"),
        ("10.0.0.1:6443", True, "https://10.0.0.1:6443"),
        ("localhost:8080", False, "http://localhost:8080"),
        ("[fd00::1]:6443", True, "https://[fd00::1]:6443"),
    ],
)  # fmt: skip
def test_server_that_works(text: str, secured: bool, url: str) -> None:
    """One without a scheme is https where there are certificates, as with kubectl."""
    assert api_server.server(text, "c", secured=secured) == url


@pytest.mark.parametrize(
    "text",
    ["", "  ", "https://", "ftp://api.example", "foo.example/x", "https://api.example:port",
     "https://api.example:99999", "https://a b", "https://[fd00::1", "unix:///run/x", "://x",
     "https://€..example"],
)  # fmt: skip
def test_server_that_is_none(tmp_path: Path, text: str) -> None:
    """One line that names the cluster, before anything is asked."""
    with pytest.raises(ClusterUnreachable, match=r"cluster 'c' (has no server|is )") as caught:
        Cluster.connect(kubeconfig(tmp_path / "k", text))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["socks5://127.0.0.1:1080", "socks5h://joe:secret@127.0.0.1:1080", "https://proxy.example",
     "proxy.example:3128", "foo", "http://", "http://:3128", "http://proxy.example:port"],
)  # fmt: skip
def test_proxy_that_cannot_be_used_is_refused_at_once(tmp_path: Path, url: str) -> None:
    """Requests may go through one that exec streams do not: nothing is made then."""
    path = kubeconfig(tmp_path / "k", "https://api.example", cluster={"proxy-url": url})
    with pytest.raises(ClusterUnreachable, match="proxy-url of cluster 'c' is") as caught:
        Cluster.connect(path)
    assert "secret" not in str(caught.value)
    assert ("ssh -L" in str(caught.value)) == url.startswith("socks")


@pytest.mark.parametrize(
    ("host", "environment", "proxy"),
    [
        ("https://api.example", {"HTTPS_PROXY": "http://p:3128"}, "http://p:3128"),
        ("https://api.example", {"https_proxy": "p:3128"}, "http://p:3128"),
        ("https://api.example", {"HTTP_PROXY": "http://p:3128"}, None),
        ("http://api.example", {"HTTP_PROXY": "http://p:3128"}, "http://p:3128"),
        ("https://api.example", {"ALL_PROXY": "socks5://p:1080"}, None),
        ("https://api.example", {"HTTPS_PROXY": "http://p", "NO_PROXY": ".example"}, None),
        ("https://10.1.2.3", {"HTTPS_PROXY": "http://p", "NO_PROXY": "10.0.0.0/8"}, None),
        ("https://127.0.0.1:6443", {"HTTPS_PROXY": "http://p"}, None),
        ("https://[::1]:6443", {"HTTPS_PROXY": "http://p"}, None),
        ("https://localhost:6443", {"HTTPS_PROXY": "http://p"}, None),
        ("https://api.example", {"HTTPS_PROXY": "http://up", "https_proxy": "low"}, "http://up"),
        ("https://api.example", {"HTTPS_PROXY": "", "https_proxy": "low"}, "http://low"),
        ("https://api.example", {"HTTPS_PROXY": "p", "NO_PROXY": "other, API.Example "}, None),
        ("https://api.example", {"HTTPS_PROXY": "p", "NO_PROXY": ".api.example"}, "http://p"),
        ("https://api.example", {"HTTPS_PROXY": "p", "NO_PROXY": "*.api.example"}, "http://p"),
        ("https://api.example", {"HTTPS_PROXY": "p", "NO_PROXY": "*.example"}, None),
        ("https://api.example", {"HTTPS_PROXY": "p", "NO_PROXY": "i.example"}, "http://p"),
        ("https://api.example", {"HTTPS_PROXY": "p", "NO_PROXY": "*"}, None),
        ("https://api.example:6443", {"HTTPS_PROXY": "p", "NO_PROXY": "example:6443"}, None),
        ("https://api.example:6443", {"HTTPS_PROXY": "p", "NO_PROXY": "example:443"}, "http://p"),
        ("https://api.example", {"HTTPS_PROXY": "p", "NO_PROXY": "example:443"}, None),
        ("https://10.1.2.3:6443", {"HTTPS_PROXY": "p", "NO_PROXY": "10.1.2.3:6443"}, None),
        ("https://10.1.2.3:6443", {"HTTPS_PROXY": "p", "NO_PROXY": "10.1.2.3:443"}, "http://p"),
        ("https://10.1.2.3:6443", {"HTTPS_PROXY": "p", "NO_PROXY": "2.3"}, "http://p"),
        ("https://10.1.2.3:6443", {"HTTPS_PROXY": "p", "NO_PROXY": "10.0.0.0/255.0.0.0"}, "http://p"),
        ("https://10.1.2.3:6443", {"HTTPS_PROXY": "p", "NO_PROXY": "[10.1.2.3]"}, "http://p"),
        ("https://[::ffff:10.1.2.3]", {"HTTPS_PROXY": "p", "NO_PROXY": "10.0.0.0/8"}, None),
        ("https://[::ffff:127.0.0.1]", {"HTTPS_PROXY": "p"}, None),
        ("https://api.example", {"HTTPS_PROXY": "p", "NO_PROXY": "*i.example"}, "http://p"),
        ("https://api.example", {"HTTPS_PROXY": "p", "NO_PROXY": ":443"}, "http://p"),
        ("https://b\u00fc.example", {"HTTPS_PROXY": "p", "NO_PROXY": "xn--b-eha.example"}, None),
        ("https://xn--b-eha.example", {"HTTPS_PROXY": "p", "NO_PROXY": ".b\u00fc.example"}, "http://p"),
        ("https://xn--b-eha.example", {"HTTPS_PROXY": "p", "NO_PROXY": "b\u00fc.example"}, None),
        ("http://api.example", {"HTTP_PROXY": "p", "REQUEST_METHOD": "GET"}, None),
        ("https://api.example", {"HTTPS_PROXY": "p", "REQUEST_METHOD": "GET"}, "http://p"),
        ("https://[fd00::1]:6443", {"HTTPS_PROXY": "p", "NO_PROXY": "fd00:0::1"}, None),
        ("https://[fd00::1]:6443", {"HTTPS_PROXY": "p", "NO_PROXY": "[fd00::1]:6443"}, None),
        ("https://[fd00::1]:6443", {"HTTPS_PROXY": "p", "NO_PROXY": "[fd00::1]:1"}, "http://p"),
        ("https://[fd00::1]:6443", {"HTTPS_PROXY": "p", "NO_PROXY": "fd00::/8"}, None),
        ("https://api.example", {"HTTPS_PROXY": "p", "NO_PROXY": "10.0.0.0/8,,1/2/3"}, "http://p"),
    ],
)  # fmt: skip
def test_proxy_of_the_environment_is_go_s(
    monkeypatch: pytest.MonkeyPatch, host: str, environment: dict[str, str], proxy: str | None
) -> None:
    """Never to this machine, never from ALL_PROXY: the run takes the way that kubectl takes."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    found = api_server.proxy(host, "", "c")
    assert (found.url if found else None) == proxy


def test_requests_go_through_the_proxy_of_the_cluster(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever NO_PROXY says, and with the login of its URL."""
    monkeypatch.setenv("NO_PROXY", "*")
    api.on("GET", "/api/v1/nodes", listed())
    with serve(api) as url, played() as proxy:
        login = proxy.url.replace("http://", "http://joe:p%40ss@")
        path = kubeconfig(tmp_path / "k", url, cluster={"proxy-url": login})
        with Cluster.connect(path) as cluster:
            assert cluster.list(resources.NODE) == ()
    assert b"proxy-authorization: basic am9lonbac3m=" in proxy.heads[0].lower()


def test_login_of_a_proxy_may_be_of_any_letters() -> None:
    """As UTF-8 (RFC 7617); the names of HTTP/1.1 headers' letters would not do for them."""
    found = api_server.proxy("https://api.example", "http://jos%C3%A9:€@proxy.example:3128", "c")
    assert found is not None
    kind, _, login = found.headers["proxy-authorization"].partition(" ")
    assert (kind, base64.b64decode(login).decode()) == ("Basic", "josé:€")


@pytest.mark.parametrize("name", ["€..a", "a" * 64, "."])
def test_tls_name_that_no_certificate_has_is_refused(tmp_path: Path, name: str) -> None:
    """One line that names the cluster and the field."""
    path = kubeconfig(tmp_path / "k", "https://api.example", cluster={"tls-server-name": name})
    with pytest.raises(ClusterUnreachable, match="tls-server-name of cluster 'c' is"):
        Cluster.connect(path)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_dead_proxy_is_named(tmp_path: Path, scheme: str) -> None:
    """Not the API server, which nobody has asked; its password is not shown."""
    dead = f"http://joe:secret@127.0.0.1:{free_port()}"
    path = kubeconfig(tmp_path / "k", f"{scheme}://api.invalid", cluster={"proxy-url": dead})
    with pytest.raises(ClusterUnreachable) as caught:
        Cluster.connect(path)
    shown = dead.replace("joe:secret@", "")
    assert f"the proxy {shown} (proxy-url of cluster 'c'): connection refused" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_dead_proxy_of_the_environment_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the variable that names it."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.invalid:3128")
    with pytest.raises(ClusterUnreachable) as caught:
        Cluster.connect(kubeconfig(tmp_path / "k", "https://api.example"))
    wanted = "the proxy http://proxy.invalid:3128 ($HTTPS_PROXY): its name does not resolve"
    assert wanted in str(caught.value)


def test_proxy_that_refuses_is_named(tmp_path: Path) -> None:
    """With its status."""
    with played(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n") as proxy:
        path = kubeconfig(tmp_path / "k", "https://api.example", cluster={"proxy-url": proxy.url})
        with pytest.raises(ClusterUnreachable) as caught:
            Cluster.connect(path)
    assert f"the proxy {proxy.url}" in str(caught.value)
    assert "407 Proxy Authentication Required" in str(caught.value)


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (
            Reply("", 302, headers=(("Location", "https://login.example/?x=1"),)),
            "302: it sends us on to https://login.example/?x=1; something else than an API server",
        ),
        (Reply("", 307), "it sends us on to nowhere"),
        (
            Reply("<!DOCTYPE html>\n<html><title>Sign in &amp; go</title>"),
            "the answer is the web page 'Sign in & go'; something else than an API server",
        ),
        (Reply(f"<html>{'x' * 300000}"), "the answer is a web page; something else"),
        (Reply("<html><title>503</title></html>", 503), "503: it is the web page '503'"),
    ],
    ids=["redirect", "nowhere", "login", "large", "error"],
)
def test_something_else_than_an_api_server(
    api: FakeApi, tmp_path: Path, reply: Reply, words: str
) -> None:
    """A login page or a proxy answers in its place: that is said, in a line."""
    api.on("GET", "/version", reply)
    with serve(api) as url, pytest.raises(ClusterUnreachable) as caught:
        Cluster.connect(kubeconfig(tmp_path / "k", url))
    assert words in str(caught.value)
    assert "check the server of the kubeconfig" in str(caught.value)
    assert len(str(caught.value)) < 800
