"""What is sent to whom, and who may be asked at all."""

from __future__ import annotations

import socket

import fsspec
import pytest

import streamframe as sf
from streamframe.errors import PlanError, SourceError, TransportError
from streamframe.io.http_reach import Reach
from streamframe.io.locations import paths
from streamframe.testing import Request, by_path, in_turn, page, redirects_to, serve
from tests.io.reading import read_all

CSV = b"a,b\n1,2\n"
SECRETS = {"x-api-key", "authorization", "x-session", "cookie", "proxy-authorization", "referer"}
GIVEN = {
    "headers": {"X-Api-Key": "geheim"},
    "auth": ("me", "geheim"),
    "cookies": {"c": "geheim"},
    "params": {"sig": "geheim"},
    "client_kwargs": {"headers": {"X-Session": "geheim"}, "cookies": {"s": "geheim"}},
}


def told(request: Request) -> set[str]:
    return SECRETS & set(request.headers) | ({"sig"} if "geheim" in request.path else set())


def refusal(path, **options):
    with pytest.raises(TransportError) as caught:
        read_all(path, options)
    return caught.value


def other_name(url: str) -> str:
    return url.replace("127.0.0.1", "localhost")


def test_nothing_a_user_gave_is_sent_to_another_port_nor_back_again():
    near: list[Request] = []
    far: list[Request] = []
    home: list[str] = []

    def back(request):
        redirects_to(home[0] + "/end")(request)

    with (
        serve(back, far) as other,
        serve(by_path(a=redirects_to("/b"), b=redirects_to(other + "/c"), end=page(CSV)), near) as url,
    ):
        home.append(url)
        assert read_all(url + "/a", GIVEN) == CSV
    assert [told(request) for request in near] == [
        {"x-api-key", "authorization", "x-session", "cookie", "sig"},
        {"x-api-key", "authorization", "x-session", "cookie"},
        set(),
    ]
    assert [told(request) for request in far] == [set()]
    assert "range" not in far[0].headers
    assert far[0].headers["accept-encoding"] == "identity"


def test_another_name_of_the_same_machine_is_another_host():
    far: list[Request] = []

    def elsewhere(request):
        redirects_to(f"http://localhost:{request.headers['host'].rpartition(':')[2]}/b")(request)

    with serve(in_turn(elsewhere, page(CSV)), far) as url:
        assert read_all(url.replace("://", "://me:geheim@") + "/a", {"headers": {"X-Api-Key": "geheim"}}) == CSV
    assert [told(request) for request in far] == [{"x-api-key", "authorization"}, set()]


def test_the_user_of_a_url_goes_with_a_redirect_on_its_host():
    near: list[Request] = []
    with serve(by_path(a=redirects_to("/b"), b=page(CSV)), near) as url:
        assert read_all(url.replace("://", "://me:geheim@") + "/a") == CSV
    assert [told(request) for request in near] == [{"authorization"}, {"authorization"}]


def test_a_cookie_that_a_server_sets_stays_on_its_host():
    near: list[Request] = []
    far: list[Request] = []

    def sets_cookie(target):
        def handle(request):
            request.head("302 Found", "Content-Length: 0", f"Location: {target}", "Set-Cookie: id=geheim; Path=/")

        return handle

    options = {"headers": {"X-Api-Key": "a jar of its own"}}
    with serve(page(CSV), far) as other:
        port = other.rpartition(":")[2]
        with serve(by_path(a=sets_cookie("/b"), b=redirects_to(f"http://localhost:{port}/c")), near) as url:
            assert read_all(other_name(url) + "/a", options) == CSV
    assert [told(request) for request in near] == [{"x-api-key"}, {"cookie", "x-api-key"}]
    assert [told(request) for request in far] == [set()]


def test_a_user_that_a_redirect_names_is_not_sent():
    far: list[Request] = []
    with (
        serve(page(CSV), far) as other,
        serve(redirects_to(other.replace("://", "://evil:pw@") + "/c")) as url,
    ):
        assert read_all(url + "/a", {"auth": ("me", "geheim")}) == CSV
    assert "authorization" not in far[0].headers


@pytest.mark.parametrize("target", ["ftp://host/a", "file:///etc/passwd", "data:,a", "http://[", "http://h:0x/"])
def test_only_web_addresses_are_redirected_to(target):
    with serve(redirects_to(target)) as url:
        assert "http(s)" in str(refusal(url + "/a.csv"))


def test_named_hosts_are_allowed_and_others_refused_before_they_are_asked():
    requests: list[Request] = []
    with serve(page(CSV), requests) as url:
        local = other_name(url)
        for allowed in (["localhost"], ["LOCALHOST."], ["example.org", "localhost"]):
            assert read_all(local + "/a.csv", {"allow_hosts": allowed}) == CSV
        assert len(requests) == 3
        for allowed in (["example.org"], ["*.localhost"], ["127.0.0.1"], ["local"]):
            error = refusal(url.replace("127.0.0.1", "127.0.0.2") + "/a.csv", allow_hosts=allowed)
            assert "127.0.0.2 is not in allow_hosts" in str(error)
    assert len(requests) == 3


def test_a_redirect_to_a_host_that_is_not_allowed_is_refused():
    far: list[Request] = []
    with serve(page(CSV), far) as other, serve(redirects_to(other + "/b.csv?sig=geheim")) as url:
        error = refusal(other_name(url) + "/a.csv?k=geheim", allow_hosts=["localhost"])
    assert f"redirects to {other}/b.csv?sig=***, which may not be reached: 127.0.0.1 is not in allow_hosts" in str(
        error
    )
    assert "geheim" not in str(error)
    assert not far


def test_a_network_allows_the_names_that_lead_into_it():
    with serve(page(CSV)) as url:
        assert read_all(other_name(url) + "/a.csv", {"allow_hosts": ["127.0.0.0/8"]}) == CSV
        assert read_all(url + "/a.csv", {"allow_hosts": ["127.0.0.1"]}) == CSV
        assert "(127.0.0.1) is not in" in str(refusal(other_name(url) + "/a.csv", allow_hosts=["10.0.0.0/8"]))


def test_the_address_that_is_connected_to_is_the_one_that_was_checked(monkeypatch):
    """A name that changes its address between two look-ups (DNS rebinding) is looked up once."""
    real, answers = socket.getaddrinfo, ["93.184.216.34", "127.0.0.1", "127.0.0.1"]

    def rebinding(host, *more, **options):
        return real(answers.pop(0) if host == "rebinds.example" else host, *more, **options)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    requests: list[Request] = []
    with serve(page(CSV), requests) as url:
        address = url.replace("127.0.0.1", "rebinds.example") + "/a.csv"
        assert answers.pop(0) == "93.184.216.34"
        error = refusal(address, block_private=True)
        assert "rebinds.example (127.0.0.1) is not a public address" in str(error)
        assert len(answers) == 1
        assert not requests
        assert read_all(address) == CSV


def test_of_several_addresses_only_the_allowed_ones_are_connected_to(monkeypatch):
    real = socket.getaddrinfo

    def several(host, *more, **options):
        hosts = ["127.0.0.2", "127.0.0.1"] if host == "several.example" else [host]
        return [found for one in hosts for found in real(one, *more, **options)]

    monkeypatch.setattr(socket, "getaddrinfo", several)
    asked: list[str] = []

    def handle(request):
        asked.append(request.connection.getsockname()[0])
        page(CSV)(request)

    with serve(handle, host="0.0.0.0") as url:
        address = url.replace("0.0.0.0", "several.example") + "/a.csv"
        assert read_all(address) == CSV
        assert read_all(address, {"allow_hosts": ["127.0.0.1"]}) == CSV
    assert asked == ["127.0.0.2", "127.0.0.1"]


def test_options_of_one_location_do_not_leak_into_another():
    with serve(page(CSV)) as url:
        near, far = url + "/a.csv", other_name(url) + "/a.csv"
        assert read_all(far) == CSV
        refusal(far, block_private=True)
        assert read_all(far, {"allow_hosts": ["127.0.0.1"]}) == CSV
        refusal(far, allow_hosts=["10.0.0.0/8"])
        refusal(near, allow_hosts=["10.0.0.0/8", "localhost"])
        assert read_all(far, {"allow_hosts": ["10.0.0.0/8", "localhost"]}) == CSV
        refusal(far, block_private=True, allow_hosts=["localhost"])
        assert read_all(near) == CSV


@pytest.mark.parametrize(
    "host",
    """127.0.0.1 127.1 2130706433 0x7f000001 0177.0.0.1 0x7f.1 [::1] [::] 0.0.0.0 0 [::ffff:127.0.0.1]
    [::ffff:7f00:1] 169.254.169.254 10.1.2.3 192.168.0.1 172.16.0.1 100.64.0.1 224.0.0.1 [ff02::1] [fe80::1] [fc00::1]
    240.0.0.1 255.255.255.255 [64:ff9b::7f00:1] [2002:7f00:1::] 127.0.0.1.:80 999.1.1.1 1.2.3.4.5 localhost
    ①②⑦.⓪.⓪.①""".split(),
)
def test_block_private_refuses_every_spelling_of_an_address_that_is_not_public(host):
    error = refusal(f"http://{host}/a.csv", block_private=True, retries=0)
    assert "may not be reached" in str(error)


@pytest.mark.parametrize(
    "host", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "example.com", "0xdead.example"]
)
def test_block_private_lets_public_hosts_pass(host):
    assert Reach.of({"block_private": True}).refuses_host(host) is None


@pytest.mark.parametrize(
    ("entry", "host", "allowed"),
    [
        ("*.example.com", "a.b.example.com", True),
        ("*.example.com", "example.com", False),
        ("*.example.com", "badexample.com", False),
        ("example.com", "example.com.evil.org", False),
        ("bücher.example", "xn--bcher-kva.example", True),
        ("10.0.0.0/8", "10.255.0.1", True),
        ("10.0.0.0/8", "::ffff:10.0.0.1", True),
        ("10.0.0.0/8", "11.0.0.1", False),
        ("[2001:db8::]", "2001:db8::", True),
        ("2001:db8::/32", "2001:db9::1", False),
    ],
)
def test_an_allowed_host_is_a_name_a_wildcard_an_address_or_a_network(entry, host, allowed):
    assert (Reach.of({"allow_hosts": [entry]}).refuses_host(host) is None) is allowed


@pytest.mark.parametrize(
    "options",
    [
        {"allow_hosts": "example.com"},
        {"allow_hosts": []},
        {"allow_hosts": ["https://example.com"]},
        {"allow_hosts": ["example.com:80"]},
        {"allow_hosts": ["10.0.0.1/8"]},
        {"allow_hosts": ["127.1"]},
        {"allow_hosts": ["*"]},
        {"allow_hosts": [1]},
        {"block_private": "yes"},
        {"block_private": True, "client_kwargs": {"connector": None}},
        {"allow_chained": 1},
        {"proxy": "socks5://host:1080"},
        {"proxy": "http://host", "proxy_auth": "me:pw"},
        {"headers": {"X-Count": 1}},
        {"client_kwargs": "x"},
    ],
)
def test_options_that_make_no_sense_are_refused_at_the_call(options):
    with pytest.raises(PlanError):
        sf.read_csv("https://host/a.csv", storage_options=options)


@pytest.mark.parametrize("path", ["memory://a.csv", "/a.csv", "zip://a::memory://b.zip"])
def test_a_check_that_cannot_be_made_is_refused(path):
    with pytest.raises(PlanError):
        paths(path, {"block_private": True, "allow_chained": True})


def test_a_upath_brings_its_options():
    class Path:
        def __init__(self, url, **options):
            self.fs, self.path = fsspec.filesystem("http", **options), url

    with serve(page(CSV)) as url:
        assert read_all(Path(url + "/a.csv")) == CSV
        with pytest.raises(SourceError, match="not a public address"):
            read_all(Path(url + "/a.csv", block_private=True))
