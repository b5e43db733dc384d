"""A web page is read whole, or a typed error says how far it came."""

from __future__ import annotations

import gc
import gzip
import os
import signal
import threading
import time
import weakref

import aiohttp
import pytest
from backports import zstd

from streamframe.errors import PlanError, SourceError, TransportError, TruncatedError
from streamframe.io.locations import paths
from streamframe.testing import (
    by_path,
    chunked,
    chunks_cut_at,
    cut_at,
    never_answers,
    redirects_to,
    serve,
    stalls_after,
    status,
    with_length,
)
from tests.io.reading import drain, read_all

BODY = os.urandom(700_000)
CSV = b"a,b\n1,2\n" * 1000


def error_of(path, storage_options=None, **options):
    with pytest.raises(SourceError) as caught:  # of the first trouble; test_http_attempts.py has the rest
        read_all(path, {"retries": 0, **(storage_options or {})}, **options)
    return caught.value


@pytest.mark.parametrize("handler", [with_length(BODY), chunked(BODY), chunked(BODY, chunk_bytes=777)])
def test_a_page_is_read_whole(handler):
    with serve(handler) as url:
        assert read_all(url + "/a.csv") == BODY


def test_only_one_get_is_sent_and_it_asks_for_plain_bytes():
    requests = []
    with serve(with_length(CSV), requests) as url:
        read_all(url + "/a.csv")
    assert [request.headers["accept-encoding"] for request in requests] == ["identity"]


def test_making_and_opening_asks_the_server_nothing():
    requests = []
    with serve(with_length(CSV), requests) as url:
        paths(url + "/a.csv").expand()[0].open_stream().close()
    assert not requests


def test_size_and_bytes_read_are_those_of_the_wire():
    packed = gzip.compress(CSV)
    with serve(with_length(packed)) as url, paths(url + "/a.csv.gz").given[0].open_stream() as stream:
        assert drain(stream) == CSV
        assert (stream.size, stream.bytes_read) == (len(packed), len(packed))


@pytest.mark.parametrize("count", [0, 1, 100_000, len(BODY) - 1])
def test_a_body_that_is_cut_says_at_which_byte(count):
    with serve(cut_at(count, BODY)) as url:
        error = error_of(url + "/a.csv")
    assert isinstance(error, TruncatedError)
    assert error.byte_offset == count


def test_chunks_without_an_end_are_truncated():
    with serve(chunks_cut_at(len(BODY), BODY)) as url:
        error = error_of(url + "/a.csv")
    assert isinstance(error, TruncatedError)
    assert error.byte_offset == len(BODY)


def test_an_error_is_raised_again_and_never_turns_into_the_end():
    with serve(cut_at(10, BODY)) as url, paths(url + "/a.csv", {"retries": 0}).given[0].open_stream() as stream:
        for _ in range(2):
            with pytest.raises(TruncatedError):
                drain(stream)


@pytest.mark.parametrize(
    ("line", "kind", "hint"),
    [
        ("404 Not Found", SourceError, "path"),
        ("410 Gone", SourceError, "path"),
        ("401 Unauthorized", SourceError, "headers"),
        ("403 Forbidden", SourceError, "headers"),
        ("429 Too Many Requests", TransportError, "later"),
        ("503 Service Unavailable", TransportError, "later"),
        ("418 I am a teapot", TransportError, ""),
        ("204 No Content", SourceError, ""),
    ],
)
def test_a_status_becomes_a_typed_error(line, kind, hint):
    with serve(status(line, "Retry-After: 7")) as url:
        error = error_of(url + "/a.csv")
    assert type(error) is kind
    assert hint in (error.hint or "")
    if kind is TransportError and hint:
        assert "Retry-After: 7" in str(error)


def test_nobody_listening_is_a_transport_error():
    with serve(status("200 OK")) as url:
        pass
    assert isinstance(error_of(url + "/a.csv"), TransportError)


def test_no_secret_shows_in_an_error_or_its_causes():
    for handler in (status("500 Oops"), cut_at(3, BODY), redirects_to("/b?sig=geheim3")):
        with serve(handler) as url:
            address = url.replace("://", "://me:geheim1@") + "/a.csv?sig=geheim2"
            error = error_of(address, {"headers": {"X-Key": "geheim4"}})
        while error is not None:
            assert "geheim" not in f"{error} {error!r}"
            error = error.__cause__
    assert "geheim" not in repr(paths(address, {"headers": {"X-Key": "geheim4"}}))


@pytest.mark.parametrize(("coding", "pack"), [("gzip", gzip.compress), ("zstd", zstd.compress)])
def test_a_content_encoding_is_taken_off(coding, pack):
    with serve(with_length(pack(CSV), f"Content-Encoding: {coding}")) as url:
        assert read_all(url + "/a.csv") == CSV


@pytest.mark.parametrize("layers", [1, 2])
def test_a_gz_file_served_as_content_encoding_gzip_comes_out_plain(layers):
    body = CSV
    for _ in range(layers):
        body = gzip.compress(body)
    with serve(with_length(body, "Content-Encoding: gzip")) as url:
        assert read_all(url + "/a.csv.gz") == CSV


def test_a_cut_content_encoding_is_truncated():
    with serve(with_length(gzip.compress(BODY)[:-9], "Content-Encoding: gzip")) as url:
        assert isinstance(error_of(url + "/a.csv"), TruncatedError)


@pytest.mark.parametrize("page", [b"<!DOCTYPE html><p>Log in", b"\n <!-- x -->\n<HTML lang=en>"])
def test_an_html_page_is_not_data(page):
    with serve(with_length(page, "Content-Type: text/html; charset=utf-8")) as url:
        assert "HTML" in str(error_of(url + "/a.csv"))
        assert "HTML" in str(error_of(url + "/a.csv.gz"))
        assert read_all(url + "/a.html") == page


def test_data_that_a_server_calls_html_is_still_data():
    with serve(with_length(CSV, "Content-Type: text/html")) as url:
        assert read_all(url + "/a.csv") == CSV


def test_redirects_are_followed_up_to_five():
    def hops(request):
        left = int(request.path.strip("/"))
        (redirects_to(f"/{left - 1}") if left else with_length(CSV))(request)

    with serve(hops) as url:
        assert read_all(url + "/5") == CSV
        assert "more than 5" in str(error_of(url + "/6"))


def test_headers_and_auth_are_not_sent_to_another_host():
    near, far = [], []
    options = {
        "headers": {"X-Api-Key": "k"},
        "cookies": {"c": "1"},
        "client_kwargs": {"headers": {"X-Session": "s", "Authorization": "Basic bWU6cHc="}},
    }
    with (
        serve(with_length(CSV), far) as other,
        serve(by_path(a=redirects_to("/b"), b=redirects_to(other + "/c")), near) as url,
    ):
        assert read_all(url + "/a", options) == CSV
    secret = {"x-api-key", "authorization", "x-session", "cookie"}
    assert [secret & set(request.headers) for request in near] == [secret, secret]
    assert not secret & set(far[0].headers)


@pytest.mark.parametrize("handler", [stalls_after(10, BODY), never_answers])
def test_close_frees_a_stalled_read_and_its_connection(handler):
    asked = threading.Event()

    def ask(request):
        asked.set()
        handler(request)

    with serve(ask) as url:
        read_all_error: list[BaseException] = []
        before = len(os.listdir("/proc/self/fd"))
        stream = paths(url + "/a.csv").given[0].open_stream()

        def read():
            try:
                drain(stream)
            except SourceError as error:
                read_all_error.append(error)

        reader = threading.Thread(target=read)
        reader.start()
        assert asked.wait(5)
        start = time.perf_counter()
        stream.close()
        stream.close()
        reader.join()
        assert time.perf_counter() - start < 0.5
        assert "closed" in str(read_all_error[0])
        # Ours and the server's end of it: the latter goes when it sees ours gone.
        deadline = time.perf_counter() + 5
        while len(os.listdir("/proc/self/fd")) > before and time.perf_counter() < deadline:
            os.sched_yield()
        assert len(os.listdir("/proc/self/fd")) <= before


def test_a_server_that_goes_silent_is_a_transport_error():
    options = {"timeout": aiohttp.ClientTimeout(total=None, sock_read=0.1)}
    with serve(stalls_after(10, BODY)) as url:
        error = error_of(url + "/a.csv", options)
    assert isinstance(error, TransportError)
    assert error.byte_offset == 10


@pytest.mark.slow
def test_a_slow_reader_blocks_the_server_after_a_few_megabytes():
    sent = 0
    blob = bytes(1 << 16)

    def handle(request):
        nonlocal sent
        request.head("200 OK", f"Content-Length: {1 << 30}")
        request.connection.settimeout(0.5)  # the time for which a full pipe means "blocked"
        try:
            for _ in range(1 << 14):
                request.send(blob)
                sent += len(blob)
        except TimeoutError:
            blocked.set()
            request.wait()

    blocked = threading.Event()
    with serve(handle) as url, paths(url + "/a.csv").given[0].open_stream() as stream:
        stream.read_into(memoryview(bytearray(1000)))
        assert blocked.wait(10)
        # The kernel's two socket buffers are the largest part of it.
        assert sent < 24 << 20


def test_a_stream_that_is_dropped_leaves_no_warning():
    with serve(stalls_after(10, BODY)) as url:
        stream = paths(url + "/a.csv").given[0].open_stream()
        stream.read_up_to(5)
        response = weakref.ref(stream)
        del stream  # no cycle, so no collector is needed
        while response() is not None:  # the loop closes it, and lets go then
            os.sched_yield()
        gc.collect()


def test_headers_given_as_pandas_takes_them_are_noticed_at_the_call():
    with pytest.raises(PlanError, match="headers") as caught:
        paths("https://host/a.csv", {"Authorization": "Bearer geheim"})
    assert "geheim" not in str(caught.value)


def test_what_was_unread_comes_again():
    with serve(with_length(CSV)) as url, paths(url + "/a.csv").given[0].open_stream() as stream:
        head = stream.read_up_to(100)
        stream.unread(head)
        assert stream.offset == 0
        assert drain(stream, step=7) == CSV


def test_after_a_ctrl_c_in_a_read_the_stream_does_not_go_on():
    """Bytes that arrived while the exception was raised are gone; to go on would skip them."""

    def handle(request):
        request.head("200 OK", f"Content-Length: {len(CSV)}")
        request.send(CSV[:10])
        reading.wait(10)
        os.kill(os.getpid(), signal.SIGINT)
        request.send(CSV[10:])

    reading = threading.Event()
    with serve(handle) as url, paths(url + "/a.csv").given[0].open_stream() as stream:
        stream.read_up_to(10)
        target = memoryview(bytearray(len(CSV)))
        with pytest.raises(KeyboardInterrupt):
            reading.set()
            while stream.read_into(target):
                pass
        before = bytes(target)
        with pytest.raises(SourceError, match="interrupted"):
            drain(stream)
        assert bytes(target) == before
