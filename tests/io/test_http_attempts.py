"""How often a server is asked again, how long we wait, and that nothing is taken for an end that is none."""

from __future__ import annotations

import hashlib
import os
import threading
import time

import pytest

import streamframe as sf
from streamframe.errors import PlanError, SourceChangedError, SourceError, TransportError, TruncatedError
from streamframe.io.locations import paths
from streamframe.testing import (
    chunked,
    cut_at,
    hang_up,
    in_turn,
    never_answers,
    page,
    reset,
    resets_after,
    serve,
    stalls_after,
    status,
    until_close,
    with_length,
)
from tests.io.reading import drain, read_all

BODY = os.urandom(1024)
SHA256 = hashlib.sha256(BODY).hexdigest()
V1 = 'ETag: "v1"'


def opened(url, **options):
    return paths(url + "/a.csv", options).given[0].open_stream()


def error_of(url, **options):
    with pytest.raises(SourceError) as caught:
        read_all(url + "/a.csv", options)
    return caught.value


@pytest.mark.slow
@pytest.mark.parametrize("line", ["408 X", "425 X", "429 X", "500 X", "502 X", "503 X", "504 X"])
def test_a_busy_server_is_asked_again(line):
    requests = []
    with serve(in_turn(status(line), with_length(BODY)), requests) as url, opened(url) as stream:
        assert drain(stream) == BODY
        assert stream.retries == len(requests) - 1 == 1


@pytest.mark.parametrize("line", ["400 X", "401 X", "403 X", "404 X", "410 X", "418 X", "501 X", "505 X"])
def test_a_refusal_is_final(line):
    requests = []
    with serve(status(line, "Retry-After: 0"), requests) as url:
        error_of(url)
    assert len(requests) == 1


@pytest.mark.slow
def test_retry_after_is_waited_for_at_the_first_request_and_later():
    busy = status("503 Service Unavailable", "Retry-After: 1")
    with serve(in_turn(busy, cut_at(500, BODY, V1), busy, page(BODY))) as url:
        start = time.monotonic()
        assert read_all(url + "/a.csv") == BODY
        assert 2.0 <= time.monotonic() - start < 4.0


def test_it_gives_up_after_as_many_attempts_as_were_asked_for():
    requests = []
    with serve(cut_at(500, BODY, V1), requests) as url:
        error = error_of(url, retries=2)
    assert isinstance(error, TruncatedError)
    assert error.byte_offset == 500
    assert "after 2 more attempts" in str(error)
    assert len(requests) == 3


@pytest.mark.slow
def test_each_new_byte_gives_all_attempts_back():
    answers = [cut_at(count, BODY) for count in (100, 50, 200, 50, 300, 50)]
    with serve(in_turn(*answers, with_length(BODY))) as url:
        assert read_all(url + "/a.csv", {"retries": 2}) == BODY


def test_the_last_error_is_the_one_that_is_raised():
    with serve(in_turn(cut_at(500, BODY, V1), status("503 Busy"))) as url:
        error = error_of(url, retries=1)
    assert type(error) is TransportError
    assert error.byte_offset == 500
    assert "503" in str(error)
    with serve(in_turn(cut_at(500, BODY, V1), never_answers)) as url:
        assert "did not answer" in str(error_of(url, retries=1, read_timeout=0.1))


def test_a_place_that_never_answered_is_not_tried_again():
    with serve(status("200 OK")) as url:
        pass
    assert "attempt" not in str(error_of(url))
    assert "attempt" not in str(error_of("http://does-not-exist.invalid"))


def test_a_server_that_is_gone_in_the_middle_is_tried_again():
    server = serve(cut_at(500, BODY, V1))
    with server as url, opened(url, retries=2) as stream:
        stream.read_up_to(500)
        server.__exit__(None, None, None)
        with pytest.raises(TransportError, match="after 2 more attempts"):
            drain(stream)


def test_no_secret_shows_when_it_gives_up():
    for handler in (status("500 Oops"), cut_at(3, BODY), stalls_after(3, BODY), reset):
        with serve(in_turn(cut_at(3, BODY), handler)) as url:
            error = error_of(
                url.replace("://", "://me:geheim1@") + "/a.csv?sig=geheim2",
                headers={"X-Key": "geheim4"},
                retries=1,
                read_timeout=0.1,
            )
        while error is not None:
            assert "geheim" not in f"{error} {error!r}"
            error = error.__cause__


@pytest.mark.slow
@pytest.mark.parametrize(
    "handler",
    [status("503 Busy", "Retry-After: 60"), never_answers, stalls_after(10, BODY)],
    ids=["waiting", "asking", "reading"],
)
def test_close_ends_every_kind_of_wait_at_once(handler):
    failed = []
    with serve(handler) as url:
        stream = opened(url)
        reading = threading.Event()

        def read():
            reading.set()
            with pytest.raises(SourceError) as caught:
                drain(stream)
            failed.append(caught.value)

        reader = threading.Thread(target=read)
        reader.start()
        reading.wait()
        reader.join(0.2)  # so that it is well inside its wait
        start = time.perf_counter()
        stream.close()
        reader.join()
        assert time.perf_counter() - start < 0.1
    assert "closed" in str(failed[0])


def test_a_consumer_that_takes_its_time_is_not_a_silent_server():
    go, never = threading.Event(), threading.Event()

    def handle(request):
        request.head("200 OK", f"Content-Length: {len(BODY)}")
        request.send(BODY[:500])
        go.wait(5)
        request.send(BODY[500:])

    with serve(handle) as url, opened(url, read_timeout=0.1, retries=0) as stream:
        head = stream.read_up_to(500)
        never.wait(0.4)  # the consumer at work
        go.set()
        assert head + drain(stream) == BODY


@pytest.mark.slow
def test_a_server_that_is_slow_but_alive_is_never_too_slow():
    def handle(request):
        request.head("200 OK", f"Content-Length: {len(BODY)}")
        for start in range(0, len(BODY), 128):
            request.send(BODY[start : start + 128])
            threading.Event().wait(0.1)

    with serve(handle) as url:
        assert read_all(url + "/a.csv", {"read_timeout": 0.4, "retries": 0}) == BODY


@pytest.mark.parametrize(
    ("handler", "completeness"),
    [(with_length(BODY), "verified"), (chunked(BODY), "unknown"), (until_close(BODY), "unknown")],
)
def test_a_stream_says_whether_its_end_can_be_trusted(handler, completeness):
    with serve(handler) as url:
        with opened(url) as stream:
            assert drain(stream) == BODY
            assert stream.completeness == completeness
        with opened(url, expect_bytes=len(BODY), expect_sha256=SHA256.upper()) as stream:
            assert drain(stream) == BODY
            assert stream.completeness == "verified"


def test_a_reset_is_no_end_even_where_the_connection_ends_the_body():
    with serve(resets_after(500, BODY, announced=False)) as url:
        assert isinstance(error_of(url, retries=0), TruncatedError)


@pytest.mark.parametrize("short", [with_length(BODY[:-1]), chunked(BODY[:-1]), until_close(BODY[:-1])])
def test_a_valid_end_that_comes_too_early_is_found_by_what_is_expected(short):
    with serve(short) as url:
        error = error_of(url, expect_bytes=len(BODY), retries=0)
        assert isinstance(error, TruncatedError)
        assert error.byte_offset == len(BODY) - 1
        assert isinstance(error_of(url, expect_bytes=len(BODY) - 2), SourceChangedError)
        assert isinstance(error_of(url, expect_sha256=SHA256), SourceChangedError)


def test_a_valid_end_that_comes_too_early_is_gone_on_from():
    for early in (chunked(BODY[:-9], V1), until_close(BODY[:-9], V1)):
        with serve(in_turn(early, page(BODY))) as url:
            assert read_all(url + "/a.csv", {"expect_bytes": len(BODY)}) == BODY


def test_chunks_that_are_no_chunks_are_a_typed_error():
    def handle(request):
        request.head("200 OK", "Transfer-Encoding: chunked")
        request.send(b"5\r\nhello\r\nzz\r\nwhat?")
        hang_up(request)

    with serve(handle) as url:
        error = error_of(url, retries=0)
    # Which of the two depends on whether the head and the body came in one packet.
    assert type(error) in (TransportError, TruncatedError)


@pytest.mark.parametrize(
    "wrong",
    [
        {"retries": -1},
        {"retries": 1.5},
        {"retries": True},
        {"read_timeout": 0},
        {"read_timeout": "5s"},
        {"timeout": float("inf")},
        {"expect_bytes": "12"},
        {"expect_sha256": "abc"},
    ],
)
def test_an_option_that_makes_no_sense_is_refused_at_the_call(wrong):
    with pytest.raises(PlanError, match=next(iter(wrong))):
        paths("https://host/a.csv", wrong)


def test_the_options_are_not_sent_to_the_server_or_to_fsspec():
    requests = []
    options = {"retries": 1, "timeout": 5, "read_timeout": 5, "expect_bytes": len(BODY), "headers": {"X-Key": "k"}}
    with serve(with_length(BODY), requests) as url:
        assert read_all(url + "/a.csv", options) == BODY
    assert requests[0].headers["x-key"] == "k"


def test_the_report_counts_the_retries(tmp_path):
    rows = b"a\n" + b"12345\n" * 1000
    with serve(in_turn(cut_at(700, rows, V1), page(rows))) as url:
        report = sf.read_csv(url + "/a.csv").to_parquet(tmp_path / "a.parquet")
    assert (report.rows, report.retries) == (1000, 1)
