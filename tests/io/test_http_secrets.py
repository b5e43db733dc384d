"""No secret shows in anything that a user, a log or a colleague gets to see, whatever goes wrong."""

from __future__ import annotations

import gzip
import logging
import pickle
import traceback
import warnings
from collections.abc import Iterator

import pandas as pd
import pytest

import streamframe as sf
from streamframe.testing import (
    FAULTS,
    Request,
    by_path,
    cut_at,
    hang_up,
    in_turn,
    page,
    redirects_to,
    serve,
    status,
    with_length,
)

CSV = b"a,b\n" + b"1,2\n" * 1000
SECRET = "geheim"
QUERY = "?sig=geheim-query&geheim-bare"
OPTIONS = {
    "headers": {"X-Api-Key": "geheim-header"},
    "cookies": {"session": "geheim-cookie"},
    "params": {"more": "geheim-param"},
    "client_kwargs": {"headers": {"X-Session": "geheim-session"}},
    "retries": 0,
    "read_timeout": 0.2,
}
IDENTITIES = {
    "user": {},
    "auth": {"auth": ("me", "geheim-auth")},
    "bearer": {"headers": {"Authorization": "Bearer geheim-token"}},
}


def shown(error: BaseException) -> Iterator[str]:
    """Yield all that anybody may print of an error, and of those that it hides."""
    yield "".join(traceback.format_exception(error))
    yield str(pickle.dumps(error)) if isinstance(error, sf.StreamError) else ""
    seen: list[BaseException | None] = [error]
    for one in seen:
        if one is not None:
            yield f"{one} {one!r} {one.args}"
            seen += [other for other in (one.__cause__, one.__context__) if other not in seen]


def told_by(url: str, options: dict, caplog, *, level: int = logging.DEBUG) -> list[str]:
    """Return all texts of a run, which may fail."""
    caplog.set_level(level)
    texts: list[str] = []
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            frame = sf.read_csv(url, storage_options=options)
            texts += [repr(frame), frame._repr_html_(), str(frame.explain())]
            frame.to_arrow()
        except sf.StreamError as error:
            texts += shown(error)
        else:
            texts += [repr(frame), str(frame.explain())]
    return [*texts, *(str(one.message) for one in warned), *(str(vars(record)) for record in caplog.records)]


def hides_it(url: str, caplog, **options):
    for name, identity in IDENTITIES.items():
        given = {**OPTIONS, **identity, "headers": {**OPTIONS["headers"], **identity.get("headers", {})}, **options}
        place = url.replace("://", "://me:geheim-user@") if name == "user" else url
        for text in told_by(place + "/a.csv" + QUERY, given, caplog):
            assert SECRET not in text
            # As auth and the URL's user are sent.
            assert "bWU6Z2VoZWlt" not in text


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_a_server_that_breaks(name, caplog):
    with serve(FAULTS[name].stays(CSV)) as url:
        hides_it(url, caplog)


def echoes(request: Request) -> None:
    said = " ".join(value for name, value in request.headers.items() if name != "host")
    request.head(f"500 {said} {request.path}", "Content-Length: 0", f"Retry-After: {said}")


def echoes_in_fields(request: Request) -> None:
    said = request.headers["x-api-key"]
    request.head("206 Partial", "Content-Length: 3", f"Content-Range: {said}", f"Content-Encoding: {said}")
    request.send(b"abc")


@pytest.mark.slow
@pytest.mark.parametrize(
    "handler",
    [
        with_length(b"a,b\n1,2\nx,3\n4\n"),
        with_length(gzip.compress(CSV)[:-9], "Content-Encoding: gzip"),
        with_length(CSV, "Content-Encoding: br"),
        with_length(b"<!doctype html>", "Content-Type: text/html"),
        redirects_to("https://elsewhere.invalid/b.csv?token=geheim-there#geheim"),
        redirects_to("http://you:geheim-you@127.0.0.1:1/b.csv"),
        redirects_to("ftp://you:geheim-you@host/b.csv?geheim"),
        status("401 Unauthorized"),
        status("407 Proxy Authentication Required"),
        in_turn(cut_at(1000, CSV, 'ETag: "v1"', ranges=True), status("403 Forbidden")),
        in_turn(cut_at(1000, CSV, 'ETag: "v1"', ranges=True), page(CSV + b"3,4\n", etag='"v2"')),
        by_path(b=page(CSV)),
        echoes,
        echoes_in_fields,
        page(CSV),
    ],
)
@pytest.mark.parametrize("retries", [0, 1])
def test_an_answer_that_is_none(handler, retries, caplog):
    with serve(handler) as url:
        hides_it(url, caplog, retries=retries)


def sets_a_cookie_and_leaves(request: Request) -> None:
    request.send(b"HTTP/1.1 200 OK\r\nSet-Cookie: session=geheim-session\r\n")
    hang_up(request)


def test_half_of_a_header_is_not_quoted(caplog):
    with serve(sets_a_cookie_and_leaves) as url:
        texts = told_by(f"{url}/a.csv", {"retries": 0}, caplog)
    assert any("closed the connection before its answer was complete" in text for text in texts)
    assert not any(SECRET in text for text in texts)


@pytest.mark.parametrize("url", ["http://me:geheim/1@host/a.csv", "http://me:geheim#1@host/a.csv"])
def test_a_password_that_is_not_escaped_is_told_at_the_call(url):
    with pytest.raises(sf.PlanError, match=r"is not a URL: it has no port(.|\n)*%2F") as raised:
        sf.read_csv(url)
    assert not any(SECRET in text for text in shown(raised.value))


def test_a_host_that_is_not_there(caplog):
    with serve(page(CSV)) as url:
        pass
    hides_it(url, caplog)
    hides_it("http://elsewhere.invalid", caplog)
    hides_it("http://127.0.0.1:99999", caplog)
    hides_it("http://[::1", caplog)


@pytest.mark.slow
def test_a_server_without_a_certificate(caplog):
    with serve(page(CSV)) as url:
        hides_it(url.replace("http:", "https:"), caplog, timeout=0.2)


def test_a_proxy(caplog, monkeypatch):
    with serve(status("407 geheim-proxy")) as proxy, serve(page(CSV)) as url:
        secret = proxy.replace("://", "://me:geheim-proxy@")
        hides_it(url, caplog, proxy=secret)
        hides_it(url.replace("http:", "https:"), caplog, proxy=secret)
        hides_it(url, caplog, proxy="http://me:geheim-proxy@127.0.0.1:1")
        hides_it(url, caplog, proxy="socks5://me:geheim-proxy@127.0.0.1:1")
        monkeypatch.setenv("ALL_PROXY", secret)
        monkeypatch.setenv("NO_PROXY", "")
        hides_it(url, caplog)
        hides_it(url.replace("http:", "https:"), caplog)


def test_a_chained_url(caplog, tmp_path):
    options = {
        "allow_chained": True,
        "simplecache": {"cache_storage": str(tmp_path)},
        "http": {"headers": {"X-Api-Key": "geheim-header"}},
    }
    for handler in (status("500 geheim-header"), status("404 Not Found"), page(b'a\nx\n"')):
        with serve(handler) as url:
            place = f"simplecache::{url.replace('://', '://me:geheim-user@')}/a.csv{QUERY}"
            # What fsspec itself logs at the level DEBUG is not ours to clean.
            for text in told_by(place, options, caplog, level=logging.INFO):
                assert SECRET not in text


@pytest.mark.parametrize(
    "options",
    [
        {"allow_hosts": ["geheim-name.example"]},
        {"block_private": True},
        {"auth": "me:geheim-auth"},
        {"headers": "geheim"},
        {"headers": {"Authorization": "geheim"}, "auth": ("me", "geheim")},
        {"X-Api-Key": "geheim"},
        {"expect_sha256": "geheim"},
        {"expect_bytes": 7},
        {"expect_sha256": "0" * 64},
    ],
    ids=lambda options: " ".join(options),
)
def test_options_that_fail(options, caplog):
    with serve(page(CSV)) as url:
        hides_it(url, caplog, **options)


def test_a_report_and_ranges(caplog, tmp_path):
    place = str(tmp_path / "a.parquet")
    sf.from_pandas(pd.DataFrame({"a": [1, 2, 3]})).to_parquet(place)
    with open(place, "rb") as file:
        body = file.read()
    for handler in (page(body), cut_at(100, body, 'ETag: "v1"', ranges=True), with_length(body), status("500 Oops")):
        with serve(handler) as url, warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            address = url.replace("://", "://me:geheim-user@") + "/a.parquet" + QUERY
            try:
                frame = sf.read_parquet(address, storage_options=OPTIONS)
                texts = [repr(frame), str(frame.to_csv(tmp_path / "b.csv"))]
            except sf.StreamError as error:
                texts = [*shown(error)]
        assert not [text for text in (*texts, *(str(one.message) for one in warned)) if SECRET in text]
