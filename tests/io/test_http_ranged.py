"""Ranges are complete and from one version of the file, or there is a typed error."""

from __future__ import annotations

import hashlib
import os
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest

from streamframe.errors import BudgetError, SourceChangedError, SourceError, TransportError, TruncatedError
from streamframe.io.locations import paths
from streamframe.io.ranged import RangeIgnoredWarning
from streamframe.testing import (
    Handler,
    chunked,
    chunks_cut_at,
    cut_at,
    in_turn,
    never_answers,
    page,
    resets_after,
    serve,
    stalls_after,
    status,
    with_length,
)

BODY = os.urandom(300_000)
OTHER = os.urandom(300_000)


def opened(url, **options):
    return paths(url + "/a.parquet", options).given[0].open_ranged()


@pytest.mark.parametrize("etag", ['"v1"', 'W/"v1"', None])
@pytest.mark.parametrize("suffix_ranges", [True, False])
def test_ranges_are_read_exactly(etag, suffix_ranges):
    with serve(page(BODY, etag=etag, suffix_ranges=suffix_ranges)) as url, opened(url) as file:
        assert file.size == len(BODY)
        for offset, nbytes in [(0, 10), (1000, 100_000), (len(BODY) - 8, 8), (0, len(BODY)), (5, 0)]:
            assert file.read_range(offset, nbytes) == BODY[offset : offset + nbytes]


def test_the_footer_costs_one_request():
    requests = []
    with serve(page(BODY), requests) as url, opened(url) as file:
        assert file.read_range(file.size - 8, 8) == BODY[-8:]
    assert len(requests) == 1


def test_threads_may_read_at_once():
    with serve(page(BODY)) as url, opened(url) as file, ThreadPoolExecutor(4) as pool:
        starts = range(0, 200_000, 10_000)
        pieces = list(pool.map(lambda start: file.read_range(start, 10_000), starts))
    assert b"".join(pieces) == BODY[:200_000]


@pytest.mark.parametrize(
    "second",
    [
        page(OTHER, etag='"v2"'),
        page(OTHER, etag='"v2"', check_if_match=False),
        page(BODY[:-1], check_if_match=False),
        page(b"", check_if_match=False),
        with_length(OTHER, 'ETag: "v2"'),
    ],
)
def test_a_file_that_is_replaced_is_noticed(second):
    with serve(in_turn(page(BODY), second)) as url, opened(url) as file:
        file.read_range(file.size - 8, 8)
        with pytest.raises(SourceChangedError):
            file.read_range(0, 10)


@pytest.mark.parametrize(
    "told", ["Content-Range: bytes 7-16/300000", "Content-Range: bytes 0-99/300000", "Content-Range: lies", "X: y"]
)
def test_a_wrong_content_range_is_refused(told):
    lies: Handler = with_length(BODY[7:17], told, 'ETag: "v1"', status="206 Partial Content")
    with serve(in_turn(page(BODY), lies)) as url, opened(url) as file:
        assert file.size == len(BODY)
        with pytest.raises(TransportError):
            file.read_range(0, 10)


@pytest.mark.parametrize("breaks", [cut_at, chunks_cut_at, stalls_after, resets_after])
def test_a_range_that_breaks_off_goes_on_where_it_stopped(breaks):
    requests = []
    first = breaks(40_000, BODY, 'ETag: "v1"', ranges=True)
    with (
        serve(in_turn(page(BODY), first, page(BODY)), requests) as url,
        opened(url, read_timeout=0.1) as file,
    ):
        assert file.size == len(BODY)
        assert file.read_range(1000, 100_000) == BODY[1000:101_000]
        assert file.retries == 1
    assert [request.headers["range"] for request in requests[1:]] == ["bytes=1000-100999", "bytes=41000-100999"]


@pytest.mark.parametrize("size", [b"zz", b"-1", b""])
@pytest.mark.timeout(20)
def test_a_chunk_of_no_size_in_a_range_ends_it_at_once(size):
    """aiohttp forgets the body in which it finds such a fault: this waited for ever, whatever the timeout."""

    def spoilt(request):
        request.head(
            "206 Partial Content", "Transfer-Encoding: chunked", "Content-Range: bytes 1000-1099/300000", 'ETag: "v1"'
        )
        request.send(b"28\r\n" + BODY[1000:1040] + b"\r\n")
        request.wait(0.1)  # so that the head is read by then
        request.send(size + b"\r\nnothing\r\n")

    requests = []
    with serve(in_turn(page(BODY), spoilt, page(BODY)), requests) as url, opened(url) as file:
        assert file.size == len(BODY)
        assert file.read_range(1000, 100) == BODY[1000:1100]
        assert file.retries == 1
    with serve(in_turn(page(BODY), spoilt)) as url, opened(url, retries=0) as file:
        assert file.size == len(BODY)
        with pytest.raises(TruncatedError):
            file.read_range(1000, 100)


def test_a_range_that_always_breaks_off_is_truncated_and_says_where():
    with (
        serve(in_turn(page(BODY), cut_at(0, BODY, 'ETag: "v1"', ranges=True))) as url,
        opened(url, retries=1) as file,
    ):
        assert file.size == len(BODY)
        with pytest.raises(TruncatedError) as caught:
            file.read_range(1000, 10)
    assert caught.value.byte_offset == 1000


@pytest.mark.slow
@pytest.mark.parametrize("line", ["429 X", "503 X", "500 X"])
def test_a_busy_server_is_asked_for_a_range_again(line):
    busy = status(line, "Retry-After: 0")
    with serve(in_turn(busy, page(BODY), busy, page(BODY))) as url, opened(url) as file:
        assert file.read_range(5, 10) == BODY[5:15]
        assert file.retries == 2


def test_several_ranges_are_asked_for_at_once():
    together = threading.Barrier(3)  # each waits for the others: one after another would never end

    def handle(request):
        if request.range[0] is not None:
            together.wait(10)
        page(BODY)(request)

    found = {}
    with serve(handle) as url, opened(url) as file:
        file.read_ranges([(0, 10), (1000, 10), (5000, 10)], found.__setitem__)
    assert found == {0: BODY[:10], 1000: BODY[1000:1010], 5000: BODY[5000:5010]}


def test_the_first_of_several_ranges_that_fails_ends_all():
    def handle(request):
        if request.range[0] is None:
            page(BODY)(request)
        elif request.range[0] == 0:
            request.wait()
        else:
            status("404 Not Found")(request)

    with serve(handle) as url, opened(url) as file, pytest.raises(SourceError, match="exist") as caught:
        file.read_ranges([(0, 10), (1000, 10)], lambda offset, data: None)
    assert caught.value.byte_offset == 1000


def test_connections_are_used_again_after_a_clean_end():
    ports = set()

    def handle(request):
        ports.add(request.connection.getpeername())
        page(BODY)(request)

    with serve(handle) as url, opened(url) as file:
        for offset in range(0, 10_000, 1000):
            file.read_range(offset, 10)
    assert len(ports) == 1


def test_beyond_the_end_is_truncated():
    with serve(page(BODY)) as url, opened(url) as file, pytest.raises(TruncatedError):
        file.read_range(len(BODY) - 1, 2)


def test_a_server_without_ranges_is_read_into_a_temporary_file_with_a_warning():
    requests = []
    with serve(with_length(BODY), requests) as url, opened(url) as file:
        with pytest.warns(RangeIgnoredWarning):
            assert file.size == len(BODY)
        assert file.read_range(1000, 100) == BODY[1000:1100]
        assert len(requests) == 1
        before = len(os.listdir("/proc/self/fd"))
        file.close()
        assert len(os.listdir("/proc/self/fd")) < before
        with pytest.raises(SourceError, match="closed"):
            file.read_range(0, 1)


def test_an_empty_file_has_no_bytes():
    with serve(page(b"")) as url, opened(url) as file:
        assert file.size == 0


def test_a_missing_page_is_missing():
    with serve(status("404 Not Found")) as url, opened(url) as file, pytest.raises(SourceError, match="not exist"):
        file.read_range(0, 1)


def test_close_frees_a_stalled_range():
    import threading

    with serve(never_answers) as url:
        file = opened(url)
        failed = []

        def read():
            started.set()
            try:
                file.read_range(0, 1)
            except SourceError as error:
                failed.append(error)

        started = threading.Event()
        reader = threading.Thread(target=read)
        reader.start()
        started.wait()
        file.close()
        reader.join(5)
        assert failed


def test_no_warning_where_ranges_work():
    with warnings.catch_warnings(), serve(page(BODY)) as url, opened(url) as file:
        warnings.simplefilter("error")
        file.read_range(0, 1)


def test_a_size_that_is_not_the_expected_one_is_refused():
    with serve(page(BODY)) as url:
        for size, kind in [(len(BODY) + 1, TruncatedError), (len(BODY) - 1, SourceChangedError)]:
            location = paths(url + "/a.parquet", {"expect_bytes": size}).given[0]
            with location.open_ranged() as file, pytest.raises(kind):
                file.read_range(0, 1)


def test_a_file_of_an_expected_sum_is_read_whole_and_held_against_it():
    with serve(page(BODY)) as url:
        with opened(url, expect_sha256=hashlib.sha256(BODY).hexdigest()) as file:
            assert file.read_range(5, 10) == BODY[5:15]
            assert file.bytes_read == len(BODY)
        with opened(url, expect_sha256="0" * 64) as file, pytest.raises(SourceChangedError, match="SHA-256"):
            file.read_range(5, 10)


def test_a_copy_may_not_be_larger_than_allowed():
    for handler in (with_length(BODY), chunked(BODY)):
        with (
            serve(handler) as url,
            opened(url, max_copy="200KB") as file,
            pytest.warns(RangeIgnoredWarning),
            pytest.raises(BudgetError, match="max_copy"),
        ):
            file.read_range(5, 10)
