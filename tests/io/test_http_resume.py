"""A body that breaks off goes on at the same byte of the same version, or a typed error says why not."""

from __future__ import annotations

import gzip
import os
import threading

import pytest

from streamframe.errors import SourceChangedError, SourceError, TransportError
from streamframe.io.locations import paths
from streamframe.testing import (
    breaks_off,
    chunked,
    chunks_cut_at,
    cut_at,
    hang_up,
    in_turn,
    page,
    part,
    resets_after,
    serve,
    stalls_after,
    status,
    with_length,
)
from tests.io.reading import drain, read_all

BODY = os.urandom(1024)
OTHER = BODY[:500] + bytes(byte ^ 1 for byte in BODY[500:])
V1 = 'ETag: "v1"'
OLD = "Wed, 01 Jan 2020 00:00:00 GMT"
DATE = "Date: Thu, 02 Jan 2020 00:00:00 GMT"


def opened(url, **options):
    return paths(url + "/a.csv", options).given[0].open_stream()


def error_of(url, **options):
    with pytest.raises(SourceError) as caught:
        read_all(url + "/a.csv", options)
    return caught.value


@pytest.mark.slow
@pytest.mark.parametrize("cut", [cut_at, chunks_cut_at])
def test_a_body_that_is_cut_at_any_byte_comes_out_whole(cut):
    """For a body in chunks even the last cut is one: only its terminator is missing."""
    counts = range(len(BODY) + (cut is chunks_cut_at))
    answers = iter([answer for count in counts for answer in (cut(count, BODY, V1), page(BODY))])
    requests = []
    with serve(lambda request: next(answers)(request), requests) as url:
        for _ in counts:
            assert read_all(url + "/a.csv") == BODY
    assert [request.headers.get("range") for request in requests[3::2]] == [f"bytes={n}-" for n in counts[1:]]
    assert {request.headers["if-range"] for request in requests[3::2]} == {'"v1"'}


def test_it_goes_on_beneath_the_decompressor():
    text = BODY.hex().encode() * 50
    packed = gzip.compress(text)
    for count in range(0, len(packed), len(packed) // 20):
        with serve(in_turn(cut_at(count, packed, V1), page(packed))) as url:
            assert read_all(url + "/a.csv.gz") == text


@pytest.mark.parametrize("breaks", [resets_after(700, BODY, V1), stalls_after(700, BODY, V1)])
def test_a_reset_and_a_stall_are_gone_on_from(breaks):
    requests = []
    with (
        serve(in_turn(breaks, page(BODY)), requests) as url,
        opened(url, read_timeout=0.2) as stream,
    ):
        assert drain(stream) == BODY
        assert stream.retries == 1
    assert requests[1].headers["range"] == "bytes=700-"


def test_the_bytes_that_came_before_a_break_are_not_lost():
    """Each connection brings 100 KB, and the reader is busy elsewhere when it breaks."""
    body = os.urandom(1 << 20)
    requests = []
    closed = threading.Semaphore(0)

    def handle(request):
        start = request.range[0] if request.range else 0
        rest = body[start : start + 100_000]
        request.head(
            "206 Partial Content" if start else "200 OK",
            V1,
            f"Content-Length: {len(body) - start}",
            f"Content-Range: bytes {start}-{len(body) - 1}/{len(body)}",
        )
        request.send(rest)
        hang_up(request)
        closed.release()

    with serve(handle, requests) as url, opened(url) as stream:
        out = bytearray(stream.read_up_to(10))
        assert closed.acquire(timeout=5)
        assert bytes(out) + drain(stream, step=5000) == body
    assert len(requests) == 11


@pytest.mark.parametrize(
    "second",
    [
        page(BODY, etag='"v2"'),
        part(BODY, 501, 'ETag: "v2"'),
        with_length(BODY[:100]),
        with_length(OTHER, V1),
        with_length(OTHER),
        chunked(OTHER),
        with_length(gzip.compress(BODY), "Content-Encoding: gzip"),
        status("412 Precondition Failed"),
        status("416 Range Not Satisfiable", "Content-Range: bytes */400"),
    ],
)
@pytest.mark.parametrize("first", [cut_at, chunks_cut_at])
def test_another_version_is_never_spliced_on(first, second):
    with serve(in_turn(first(501, BODY, V1), second)) as url:
        error = error_of(url)
    assert isinstance(error, SourceChangedError)
    assert error.byte_offset == 501


@pytest.mark.parametrize("second", [part(BODY + b"x", 501, V1), with_length(BODY + b"x", V1)])
def test_another_size_is_another_version_whatever_the_etag_says(second):
    with serve(in_turn(cut_at(501, BODY, V1), second)) as url:
        assert isinstance(error_of(url), SourceChangedError)


@pytest.mark.parametrize("second", [with_length(BODY, V1), with_length(BODY), chunked(BODY, V1), chunked(BODY)])
def test_a_server_that_ignores_ranges_has_its_first_bytes_checked(second):
    with serve(in_turn(cut_at(500, BODY, V1), second)) as url, opened(url) as stream:
        assert drain(stream) == BODY
        assert (stream.retries, stream.bytes_read) == (1, len(BODY))


@pytest.mark.slow
def test_the_check_of_the_first_bytes_may_break_off_too():
    answers = [cut_at(500, BODY), cut_at(300, BODY), cut_at(700, BODY), stalls_after(699, BODY), with_length(BODY)]
    with serve(in_turn(*answers)) as url, opened(url, read_timeout=0.2) as stream:
        assert drain(stream) == BODY
        assert stream.retries == 4


@pytest.mark.parametrize(
    "told",
    [
        "Content-Range: bytes 499-1023/1024",
        "Content-Range: bytes 501-1023/1024",
        "Content-Range: bytes 500-1022/1024",
        "Content-Range: bytes 500-1024/1024",
        "Content-Range: bytes 500-400/1024",
        "Content-Range: bytes */1024",
        "Content-Range: lies",
        "X: y",
    ],
)
def test_a_wrong_content_range_is_refused(told):
    lies = with_length(BODY[500:], told, V1, status="206 Partial Content")
    with serve(in_turn(cut_at(500, BODY, V1), lies)) as url:
        error = error_of(url)
    assert isinstance(error, TransportError)
    assert error.byte_offset == 500


@pytest.mark.parametrize(("start", "body"), [(499, BODY[499:]), (501, BODY[501:]), (500, BODY[500:1000])])
def test_a_part_that_lies_consistently_is_refused_too(start, body):
    """Its length fits its Content-Range, but not our offset; or the other way round."""
    told = f"Content-Range: bytes {start}-1023/1024"
    with serve(in_turn(cut_at(500, BODY, V1), with_length(body, told, V1, status="206 Partial Content"))) as url:
        error = error_of(url)
    assert type(error) is TransportError
    assert error.byte_offset == 500


@pytest.mark.parametrize(
    ("marks", "condition"),
    [
        ([V1], '"v1"'),
        ([f"Last-Modified: {OLD}", DATE], OLD),
        ([V1, f"Last-Modified: {OLD}", DATE], '"v1"'),
        (['ETag: W/"v1"', f"Last-Modified: {OLD}", DATE], None),
        ([f"Last-Modified: {OLD}", f"Date: {OLD}"], None),
        ([f"Last-Modified: {OLD}"], None),
        ([f"Last-Modified: Yesterday {'9' * 99}", DATE], None),
        ([], None),
    ],
)
def test_a_range_is_asked_for_only_where_the_version_can_be_named(marks, condition):
    """Two versions of one second, or an ETag that may stand for two, would be spliced."""
    requests = []

    def rest(request):
        (part(BODY, 500, *marks) if "range" in request.headers else with_length(BODY, *marks))(request)

    with serve(in_turn(cut_at(500, BODY, *marks), rest), requests) as url:
        assert read_all(url + "/a.csv") == BODY
    assert requests[1].headers.get("if-range") == condition
    assert ("range" in requests[1].headers) == (condition is not None)


@pytest.mark.parametrize(
    "unsure",
    [
        part(BODY, 500),
        part(BODY, 500, V1, "Content-Encoding: gzip"),
        status("416 Range Not Satisfiable"),
    ],
)
def test_a_part_that_does_not_name_its_version_is_not_used(unsure):
    requests = []
    with serve(in_turn(cut_at(500, BODY, V1), unsure, with_length(BODY)), requests) as url:
        assert read_all(url + "/a.csv") == BODY
    assert "range" not in requests[2].headers


def test_a_server_that_gives_a_hundred_bytes_at_a_time_is_asked_on():
    def handle(request):
        start = request.range[0] if request.range else 0
        (part(BODY, start, V1, end=start + 100) if start else cut_at(100, BODY, V1))(request)

    with serve(handle) as url:
        assert read_all(url + "/a.csv", {"retries": 1}) == BODY


def test_an_answer_that_says_more_than_it_announced_is_refused():
    def longer(request):
        request.head("206 Partial Content", "Transfer-Encoding: chunked", "Content-Range: bytes 500-1023/1024", V1)
        request.send(b"%x\r\n%b\r\n0\r\n\r\n" % (525, BODY[500:] + b"x"))

    with serve(in_turn(cut_at(500, BODY, V1), longer)) as url:
        assert "announced" in str(error_of(url))


def test_before_the_first_byte_a_new_version_is_fine_but_a_page_of_html_is_not():
    broken = cut_at(0, BODY, V1)
    with serve(in_turn(broken, with_length(OTHER, 'ETag: "v2"'))) as url:
        assert read_all(url + "/a.csv") == OTHER
    with serve(in_turn(broken, with_length(b"<html>", "Content-Type: text/html"))) as url:
        assert "HTML page" in str(error_of(url))
    with serve(in_turn(broken, with_length(gzip.compress(BODY), "Content-Encoding: gzip"))) as url:
        assert isinstance(error_of(url), SourceChangedError)


def test_a_page_that_is_gone_when_asked_again_says_how_far_it_came():
    for line in ("404 Not Found", "403 Forbidden"):
        with serve(in_turn(cut_at(500, BODY, V1), status(line))) as url:
            error = error_of(url)
        assert type(error) is SourceError
        assert error.byte_offset == 500


def test_a_page_behind_the_word_that_all_bytes_had_come_is_no_data():
    """As nginx answers a range from the end on: with a 416, and a page of HTML in its body."""
    head = f"HTTP/1.1 416 X\r\nContent-Range: bytes */{len(BODY)}\r\n{V1}\r\nContent-Length: 16\r\n\r\n"
    nothing_left = breaks_off(head.encode() + b"<html>416</html>")  # in one packet, as it would come
    with serve(in_turn(chunks_cut_at(len(BODY), BODY, V1), nothing_left)) as url:
        assert read_all(url + "/a.csv") == BODY


def skipped_to(offset, *answers):
    """Read on from an offset, after the first bytes; return what came and the requests."""
    requests = []
    with serve(in_turn(*answers), requests) as url, opened(url) as stream:
        stream.read_up_to(10)
        stream.skip_to(offset)
        return drain(stream), requests


def test_what_is_passed_over_is_not_sent():
    rest, requests = skipped_to(700, page(BODY), page(BODY))
    assert rest == BODY[700:]
    assert [request.headers.get("range") for request in requests] == [None, "bytes=700-"]


def test_a_server_that_sends_all_of_it_again_is_read_up_to_there():
    assert skipped_to(700, page(BODY), with_length(BODY, V1))[0] == BODY[700:]


def test_behind_what_was_passed_over_it_goes_on_after_a_break():
    assert skipped_to(300, page(BODY), cut_at(500, BODY, V1), page(BODY))[0] == BODY[300:]


@pytest.mark.parametrize("other", [with_length(OTHER, 'ETag: "v2"'), with_length(OTHER), page(OTHER, etag='"v2"')])
def test_behind_what_was_passed_over_no_other_version_is_read(other):
    with pytest.raises(SourceChangedError):
        skipped_to(700, page(BODY), other)


@pytest.mark.parametrize("marks", [[], ['ETag: W/"v1"'], [f"Last-Modified: {DATE[6:]}", DATE]])
def test_where_the_version_has_no_sure_name_nothing_is_passed_over(marks):
    with serve(with_length(BODY, *marks)) as url, opened(url) as stream:
        stream.read_up_to(10)
        assert not stream.can_skip
