"""Who asks, as the server sees it; and over which connections."""

from __future__ import annotations

import base64

import pytest

import streamframe as sf
from streamframe.errors import PlanError, SourceError
from streamframe.io.locations import paths
from streamframe.testing import Request, breaks_off, cut_at, in_turn, page, serve, status, with_length
from tests.io.reading import read_all

BODY = b"a,b\n1,2\n"
BASIC = "Basic " + base64.b64encode(b"me:pa:ss").decode()


def asked(options=None, user=""):
    """Return the headers that a server gets."""
    requests: list[Request] = []
    with serve(page(BODY), requests) as url:
        assert read_all(url.replace("://", f"://{user}") + "/a.csv", options) == BODY
    (request,) = requests
    return request.headers


# The last is what an aiohttp.BasicAuth is; to make one warns.
@pytest.mark.parametrize("auth", [("me", "pa:ss"), ["me", "pa:ss"], ("me", "pa:ss", "latin1")])
def test_auth_is_a_user_and_a_password(auth):
    assert asked({"auth": auth})["authorization"] == BASIC
    assert asked({"client_kwargs": {"auth": auth}})["authorization"] == BASIC


def test_the_user_of_a_url_is_told_to_its_host_alone():
    assert asked(user="me:pa%3Ass@")["authorization"] == BASIC
    assert asked(user="me@")["authorization"] == "Basic " + base64.b64encode(b"me:").decode()


def test_a_token_and_cookies_are_sent():
    headers = asked({"headers": {"Authorization": "Bearer t"}, "cookies": {"session": "1"}})
    assert headers["authorization"] == "Bearer t"
    assert headers["cookie"] == "session=1"


def test_passwords_of_a_netrc_are_not_sent(tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password geheim\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert "authorization" not in asked()
    assert asked({"headers": {"Authorization": "Bearer t"}})["authorization"] == "Bearer t"


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("https://me:geheim@host/a.csv", {"headers": {"authorization": "Bearer geheim"}}),
        ("https://me:geheim@host/a.csv", {"auth": ("me", "geheim")}),
        ("https://host/a.csv", {"auth": ("me", "geheim"), "headers": {"Authorization": "Bearer geheim"}}),
        ("https://host/a.csv", {"auth": "me:geheim"}),
        ("https://host/a.csv", {"auth": ("me", None)}),
    ],
)
def test_who_asks_is_said_once_and_clearly(url, options):
    with pytest.raises(PlanError) as caught:
        sf.read_csv(url, storage_options=options)
    assert caught.value.hint
    assert "geheim" not in str(caught.value)


def test_a_refusal_names_the_remedy():
    with serve(status("401 Unauthorized")) as url, pytest.raises(SourceError) as caught:
        read_all(url + "/a.csv")
    assert '"auth": ("user", "password")' in caught.value.hint


def test_we_say_who_we_are_unless_the_user_does():
    assert asked()["user-agent"] == f"streamframe/{sf.__version__}"
    assert asked({"headers": {"user-agent": "me"}})["user-agent"] == "me"
    assert asked({"client_kwargs": {"headers": {"user-agent": "me"}}})["user-agent"] == "me"


def test_an_ipv6_host_is_reached():
    with serve(page(BODY), host="::1") as url:
        assert "[::1]" in url
        assert read_all(url + "/a.csv") == BODY


def connections_of(handler, read):
    """Return how many connections two reads of a page take."""
    requests: list[Request] = []
    with serve(handler, requests) as url:
        for _ in range(2):
            read(url + "/a.csv")
    assert len(requests) >= 2
    return len({id(request.connection) for request in requests})


def test_a_connection_is_used_again_after_a_clean_end():
    assert connections_of(page(BODY), read_all) == 1
    assert connections_of(page(BODY, framing="chunked"), read_all) == 1


def test_a_connection_is_not_used_again_after_an_early_close():
    def read_a_bit(url):
        with paths(url).given[0].open_stream() as stream, memoryview(bytearray(2)) as target:
            stream.read_into(target)

    assert connections_of(page(BODY * 1_000_000), read_a_bit) == 2


def test_a_connection_is_not_used_again_after_bytes_that_nobody_asked_for():
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY)

    def too_much(request):
        request.connection.sendall(head + BODY + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")

    def read_twice(url):
        assert read_all(url) == BODY

    assert connections_of(too_much, read_twice) == 2


@pytest.mark.parametrize("broken", [cut_at(3, BODY, 'ETag: "v1"', ranges=True), breaks_off(b"HTTP/1.1 200 OK\r\n")])
def test_a_connection_is_not_used_again_after_it_broke(broken):
    requests: list[Request] = []
    with serve(in_turn(broken, page(BODY)), requests) as url:
        try:
            assert read_all(url + "/a.csv") == BODY
        except SourceError:
            assert read_all(url + "/a.csv") == BODY
    assert len({id(request.connection) for request in requests}) == 2


def test_a_redirect_of_a_user_who_forbids_them_is_an_error():
    with (
        serve(with_length(b"", "Location: /b", status="302 Found")) as url,
        pytest.raises(SourceError, match="more than 0 times"),
    ):
        read_all(url + "/a.csv", {"allow_redirects": False})
