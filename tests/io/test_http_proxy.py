"""Requests through a proxy, as the proxy and the server see them."""

from __future__ import annotations

import base64
import contextlib
import socket
import ssl
import threading
from urllib.parse import urlsplit

import pytest
import yarl

from streamframe.errors import PlanError, SourceError, TransportError
from streamframe.io.http_proxy import environment_proxy
from streamframe.testing import page, redirects_to, serve
from tests.io.reading import read_all

trustme = pytest.importorskip("trustme", reason="is in the extra `dev`")

BODY = b"a,b\n1,2\n"
ME = "Basic " + base64.b64encode(b"me:geheim").decode()


@contextlib.contextmanager
def proxying(asked: list[tuple[str, dict[str, str]]], *, user: str | None = None):
    """Run a proxy that forwards and tunnels; it collects request lines and headers, and may want a user."""

    def talk(client):
        with contextlib.suppress(OSError), client:
            raw = b""
            while b"\r\n\r\n" not in raw:
                if not (more := client.recv(1 << 16)):
                    return
                raw += more
            first, *lines = raw.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            asked.append((first, headers))
            method, target, _ = first.split(" ")
            if user is not None and headers.get("proxy-authorization") != user:
                client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
                return
            place = urlsplit(target if "://" in target else f"//{target}")
            with socket.create_connection((place.hostname, place.port)) as server:
                if method == "CONNECT":
                    client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                else:
                    kept = [line for line in lines if not line.lower().startswith(("proxy-", "connection"))]
                    path = f"GET {place.path or '/'} HTTP/1.1"
                    server.sendall("\r\n".join([path, *kept, "Connection: close", "", ""]).encode("latin-1"))
                there = threading.Thread(target=pump, args=(client, server), daemon=True)
                there.start()
                pump(server, client)
                there.join()

    def pump(source, target):
        with contextlib.suppress(OSError):
            while piece := source.recv(1 << 16):
                target.sendall(piece)
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    clients: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def accept():
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                clients.append(client)
                threads.append(threading.Thread(target=talk, args=(client,), daemon=True))
                threads[-1].start()

    listener = socket.create_server(("127.0.0.1", 0))
    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.join()
        for client in clients:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join()


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(scope="module")
def secure():
    """A server's and a client's context."""
    authority = trustme.CA()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(server)
    authority.configure_trust(client)
    return server, client


def with_user(proxy, user="me:geheim"):
    return proxy.replace("://", f"://{user}@")


def test_http_goes_through_the_proxy_of_the_environment(monkeypatch):
    asked: list = []
    requests: list = []
    with proxying(asked, user=ME) as proxy, serve(page(BODY), requests) as url:
        monkeypatch.setenv("HTTP_PROXY", with_user(proxy))
        assert read_all(url + "/a.csv") == BODY
    assert asked[0][0] == f"GET {url}/a.csv HTTP/1.1"
    assert "proxy-authorization" not in requests[0].headers


def test_https_goes_through_a_tunnel_that_sees_nothing(monkeypatch, secure):
    asked: list = []
    server, client = secure
    with proxying(asked, user=ME) as proxy, serve(page(BODY), tls=server) as url:
        monkeypatch.setenv("https_proxy", with_user(proxy))
        assert read_all(url + "/a.csv", {"ssl": client, "headers": {"X-Api-Key": "geheim"}}) == BODY
    ((line, headers),) = asked
    assert line == f"CONNECT {urlsplit(url).netloc} HTTP/1.1"
    assert "x-api-key" not in headers


@pytest.mark.parametrize("way", ["url", "proxy_auth", "client_kwargs", "proxy_headers"])
@pytest.mark.parametrize("tunnel", [False, True])
def test_a_proxy_is_given_in_storage_options(way, tunnel, secure):
    asked: list = []
    server, client = secure
    with proxying(asked, user=ME) as proxy, serve(page(BODY), tls=server if tunnel else None) as url:
        options = {
            "url": {"proxy": with_user(proxy)},
            "proxy_auth": {"proxy": proxy, "proxy_auth": ("me", "geheim")},
            "client_kwargs": {"client_kwargs": {"proxy": proxy, "proxy_auth": ("me", "geheim")}},
            "proxy_headers": {"proxy": proxy, "proxy_headers": {"Proxy-Authorization": ME}},
        }[way]
        assert read_all(url + "/a.csv", {"ssl": client, **options}) == BODY
    assert len(asked) == 1


def test_a_redirect_to_another_host_goes_through_the_proxy_too():
    asked: list = []
    with (
        proxying(asked, user=ME) as proxy,
        serve(page(BODY)) as other,
        serve(redirects_to(other + "/b.csv")) as url,
    ):
        options = {"client_kwargs": {"proxy": with_user(proxy)}, "headers": {"X-Api-Key": "k"}}
        assert read_all(url + "/a.csv", options) == BODY
    assert [line for line, _ in asked] == [f"GET {url}/a.csv HTTP/1.1", f"GET {other}/b.csv HTTP/1.1"]
    assert "x-api-key" not in asked[1][1]


def test_the_environment_is_not_asked_where_the_user_has_decided(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with serve(page(BODY)) as url:
        for options in ({"proxy": None}, {"client_kwargs": {"trust_env": False}}):
            assert read_all(url + "/a.csv", options) == BODY
        with pytest.raises(TransportError, match=r"the proxy 127\.0\.0\.1:1 cannot be reached"):
            read_all(url + "/a.csv")


@pytest.mark.parametrize("tunnel", [False, True])
def test_a_proxy_that_refuses_is_told_without_its_password(tunnel, secure):
    asked: list = []
    server, client = secure
    with (
        proxying(asked, user=ME) as proxy,
        serve(page(BODY), tls=server if tunnel else None) as url,
        pytest.raises(SourceError) as caught,
    ):
        read_all(url + "/a.csv", {"ssl": client, "proxy": with_user(proxy, "me:falsch")})
    assert "the proxy answered 407" in str(caught.value)
    assert "NO_PROXY" in caught.value.hint
    assert "falsch" not in f"{caught.value} {caught.value.__cause__!r}"
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("no_proxy", "direct"),
    [
        ("*", True),
        ("example.org", False),
        ("data.example.com", True),
        ("example.com, other", True),
        (".example.com", True),
        ("ample.com", False),
        ("example.com:8080", True),
        ("example.com:80", False),
        ("10.0.0.0/8", False),
    ],
)
def test_no_proxy_names_hosts_that_are_asked_directly(no_proxy, direct, monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "proxy:3128")
    monkeypatch.setenv("NO_PROXY", no_proxy)
    found = environment_proxy(yarl.URL("https://data.example.com:8080/a.csv"))
    assert found == (None if direct else yarl.URL("http://proxy:3128"))


@pytest.mark.parametrize(
    ("no_proxy", "url"),
    [
        ("10.0.0.0/8", "http://10.2.3.4/"),
        ("::1", "http://[::1]:80/"),
        ("[::1]:80", "http://[::1]:80/"),
        ("fd00::/8", "http://[fd00::1]/"),
    ],
)
def test_no_proxy_knows_addresses_and_networks(no_proxy, url, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://proxy:3128")
    assert environment_proxy(yarl.URL(url)) is not None
    monkeypatch.setenv("NO_PROXY", no_proxy)
    assert environment_proxy(yarl.URL(url)) is None


def test_a_proxy_that_cannot_be_used_is_told_without_its_password(monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "socks5://me:geheim@proxy:1080")
    with pytest.raises(PlanError, match="socks5://proxy:1080 cannot be used") as caught:
        read_all("http://127.0.0.1:1/a.csv")
    assert "geheim" not in str(caught.value)


def test_addresses_cannot_be_checked_behind_a_proxy(monkeypatch):
    asked: list = []
    with proxying(asked) as proxy, serve(page(BODY)) as url:
        for options in ({"block_private": True}, {"allow_hosts": ["127.0.0.0/8", "example.org"]}):
            with pytest.raises((PlanError, TransportError)):
                read_all("http://example.org/a.csv", {"proxy": proxy, **options})
        monkeypatch.setenv("HTTP_PROXY", proxy)
        with pytest.raises(PlanError, match="behind a proxy"):
            read_all("http://example.org/a.csv", {"block_private": True})
        assert not asked
        # Names can.
        local = url.replace("127.0.0.1", "localhost")
        assert read_all(local + "/a.csv", {"allow_hosts": ["localhost"]}) == BODY
    assert len(asked) == 1
