"""What is sent to whom, and who may be asked at all."""

from __future__ import annotations

import fsspec
import pytest

import streamframe as sf
from streamframe.errors import PlanError, TransportError
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


@pytest.mark.parametrize(
    "options",
    [
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


def test_a_upath_brings_its_options():
    class Path:
        def __init__(self, url, **options):
            self.fs, self.path = fsspec.filesystem("http", **options), url

    with serve(page(CSV)) as url:
        assert read_all(Path(url + "/a.csv")) == CSV
