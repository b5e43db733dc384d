"""Answers that do one thing wrong.

Rule: each says in one line what the client sees; what goes wrong is exact to the byte.
"""

from __future__ import annotations

from streamframe.testing.answers import Answer, chunks, page, part, right_answer, with_length
from streamframe.testing.server import Handler, Request, hang_up, reset

LOGIN_PAGE = b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>Please sign in.</body></html>\n"


def cut_at(count: int, body: bytes, *fields: str, ranges: bool = False) -> Handler:
    """Announce all, send `count` bytes and hang up.

    Parameters
    ----------
    count
        The bytes to send. Half of the answer, where that is shorter.
    body
        The file.
    *fields
        More header lines.
    ranges
        Answer a request for a part with that part, and break it off in the same way. Without this
        the server ignores ranges. All faults that break off know it.
    """

    def handle(request: Request) -> None:
        answer = _answer(request, body, fields, ranges=ranges)
        request.head(answer.status, f"Content-Length: {len(answer.body)}", *answer.fields)
        request.send(_first(count, answer.body))
        hang_up(request)

    return handle


def chunks_cut_at(count: int, body: bytes, *fields: str, chunk_bytes: int = 100, ranges: bool = False) -> Handler:
    """Send `count` bytes in chunks and hang up: inside a chunk, or before the last one."""

    def handle(request: Request) -> None:
        answer = _answer(request, body, fields, ranges=ranges)
        request.head(answer.status, "Transfer-Encoding: chunked", *answer.fields)
        whole, left = b"".join(chunks(answer.body, chunk_bytes)), len(_first(count, answer.body))
        full, part_of_next = divmod(left, chunk_bytes)
        framing = len(b"%x\r\n" % chunk_bytes)
        stop = full * (framing + chunk_bytes + 2)
        if left == len(answer.body):
            stop = len(whole)
        elif part_of_next:
            stop += len(b"%x\r\n" % min(chunk_bytes, len(answer.body) - full * chunk_bytes)) + part_of_next
        request.send(whole[:stop])
        hang_up(request)

    return handle


def ends_early(count: int, body: bytes, *fields: str) -> Handler:
    """Send `count` bytes in chunks and a valid last chunk: by HTTP alone nobody can tell."""

    def handle(request: Request) -> None:
        request.head("200 OK", "Transfer-Encoding: chunked", *fields)
        for chunk in chunks(body[:count], 1 << 16):
            request.send(chunk)
        request.send(b"0\r\n\r\n")

    return handle


def gzip_cut_at(count: int, body: bytes, *fields: str) -> Handler:
    """Send `count` bytes of the body in gzip, as a Content-Encoding, in an answer that is whole for HTTP."""
    import gzip

    packed = gzip.compress(body, mtime=0)
    return with_length(packed[:count], "Content-Encoding: gzip", *fields)


def resets_after(count: int, body: bytes, *fields: str, announced: bool = True, ranges: bool = False) -> Handler:
    """Send `count` bytes and reset the connection; the length was told if `announced`."""

    def handle(request: Request) -> None:
        answer = _answer(request, body, fields, ranges=ranges)
        told = [f"Content-Length: {len(answer.body)}"] if announced else ["Connection: close"]
        request.head(answer.status, *told, *answer.fields)
        request.send(_first(count, answer.body))
        reset(request)

    return handle


def stalls_after(count: int, body: bytes, *fields: str, ranges: bool = False) -> Handler:
    """Announce all, send `count` bytes and then nothing."""

    def handle(request: Request) -> None:
        answer = _answer(request, body, fields, ranges=ranges)
        request.head(answer.status, f"Content-Length: {len(answer.body)}", *answer.fields)
        request.send(_first(count, answer.body))
        request.wait()

    return handle


def drips(body: bytes, *fields: str, piece_bytes: int = 1, seconds: float = 0.02) -> Handler:
    """Send the whole body in small pieces with a pause after each: slow, but alive."""

    def handle(request: Request) -> None:
        request.head("200 OK", f"Content-Length: {len(body)}", *fields)
        for start in range(0, len(body), piece_bytes):
            request.send(body[start : start + piece_bytes])
            if not request.wait(seconds):
                return

    return handle


def never_answers(request: Request) -> None:
    """Take the request and say nothing."""
    request.wait()


def breaks_off(raw: bytes) -> Handler:
    """Send these bytes instead of an answer and hang up: half a header, or no HTTP at all."""

    def handle(request: Request) -> None:
        request.connection.sendall(raw)
        hang_up(request)

    return handle


def ignores_ranges(body: bytes, *fields: str) -> Handler:
    """Answer a request for a part with a 200 and the whole."""
    return with_length(body, *fields)


def lies_about_range(body: bytes, *fields: str, shift: int = 7) -> Handler:
    """Answer a request for a part with bytes from `shift` further on, and say so in Content-Range."""

    def handle(request: Request) -> None:
        if request.range is None:
            page(body, *fields)(request)
            return
        start, last = request.range
        start = max(0, len(body) - (last or 0)) if start is None else start
        part(body, start + shift, 'ETag: "v1"', *fields)(request)

    return handle


def lies_about_length(announced: int, body: bytes, *fields: str) -> Handler:
    """Announce `announced` bytes, send all of the body, and hang up."""

    def handle(request: Request) -> None:
        request.head("200 OK", f"Content-Length: {announced}", *fields)
        request.send(body)
        hang_up(request)

    return handle


def shows_html(body: bytes = LOGIN_PAGE, *fields: str) -> Handler:
    """A 200 with a web page where data was asked for, as a login wall does."""
    return with_length(body, "Content-Type: text/html; charset=utf-8", *fields)


def _answer(request: Request, body: bytes, fields: tuple[str, ...], *, ranges: bool) -> Answer:
    return right_answer(request, body, *fields, check_if_match=False) if ranges else Answer("200 OK", fields, body)


def _first(count: int, body: bytes) -> bytes:
    return body[: count if count <= len(body) else len(body) // 2]
