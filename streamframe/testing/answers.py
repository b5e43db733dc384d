"""Answers that do everything right, and ways to put answers together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from streamframe.testing.server import Handler, Request, hang_up

Framing = Literal["length", "chunked", "close"]


@dataclass(frozen=True)
class Answer:
    """What a server that does everything right says to one request."""

    status: str
    fields: tuple[str, ...]
    body: bytes


def right_answer(
    request: Request, body: bytes, *fields: str, suffix_ranges: bool = True, check_if_match: bool = True
) -> Answer:
    """Return the whole file, the part that was asked for, or the refusal that fits; see `page`."""
    told = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in fields)}
    etag, modified = told.get("etag"), told.get("last-modified")
    # A weak ETag does not tell bytes apart, so it never matches here (RFC 9110, 13.1).
    strong = etag if etag and not etag.startswith("W/") else None
    wanted = [mark.strip() for mark in request.headers.get("if-match", "*").split(",")]
    if check_if_match and "*" not in wanted and strong not in wanted:
        return Answer("412 Precondition Failed", (), b"")
    same = "if-range" not in request.headers or request.headers["if-range"] in (strong, modified)
    if request.method != "GET" or request.range is None or not same:
        return Answer("200 OK", ("Accept-Ranges: bytes", *fields), body)
    start, last = request.range
    if start is None:
        if not suffix_ranges:
            return Answer("501 Not Implemented", (), b"")
        start, last = max(0, len(body) - (last or 0)), None
    piece = body[start : None if last is None else last + 1]
    if not piece:
        return Answer("416 Range Not Satisfiable", (f"Content-Range: bytes */{len(body)}", *fields), b"")
    place = f"Content-Range: bytes {start}-{start + len(piece) - 1}/{len(body)}"
    return Answer("206 Partial Content", (place, *fields), piece)


def page(
    body: bytes,
    *fields: str,
    etag: str | None = '"v1"',
    modified: str | None = None,
    framing: Framing = "length",
    suffix_ranges: bool = True,
    check_if_match: bool = True,
) -> Handler:
    """Serve a file as nginx or S3 do: with ranges, and one version of it.

    Parameters
    ----------
    body
        The file.
    *fields
        More header lines, such as ``"Content-Type: text/csv"``.
    etag, modified
        ETag and Last-Modified; If-Range and If-Match are held against them.
    framing
        How the end of an answer is told: by its length, by a last chunk, or by hanging up.
    suffix_ranges
        Knows ``bytes=-100`` (the last 100) as well.
    check_if_match
        Answers 412 to an If-Match of another version.
    """
    marks = [f"ETag: {etag}"] if etag else []
    marks += [f"Last-Modified: {modified}"] if modified else []

    def handle(request: Request) -> None:
        known = {"suffix_ranges": suffix_ranges, "check_if_match": check_if_match}
        answer = right_answer(request, body, *marks, *fields, **known)
        _FRAMED[framing](answer.body, *answer.fields, status=answer.status)(request)

    return handle


def with_length(body: bytes, *fields: str, status: str = "200 OK") -> Handler:
    """Answer with all of `body` and its length, whatever was asked for."""

    def handle(request: Request) -> None:
        request.head(status, f"Content-Length: {len(body)}", *fields)
        request.send(body)

    return handle


def chunked(body: bytes, *fields: str, chunk_bytes: int = 1 << 16, status: str = "200 OK") -> Handler:
    """Answer in chunks, so that the length is unknown."""

    def handle(request: Request) -> None:
        request.head(status, "Transfer-Encoding: chunked", *fields)
        for piece in chunks(body, chunk_bytes):
            request.send(piece)
        request.send(b"0\r\n\r\n")

    return handle


def chunks(body: bytes, chunk_bytes: int) -> Iterable[bytes]:
    """Cut `body` into HTTP chunks, without the last, empty one."""
    for start in range(0, len(body), chunk_bytes):
        piece = body[start : start + chunk_bytes]
        yield b"%x\r\n%b\r\n" % (len(piece), piece)


def until_close(body: bytes, *fields: str, status: str = "200 OK") -> Handler:
    """Answer without any length: the body ends when the connection does."""

    def handle(request: Request) -> None:
        request.head(status, "Connection: close", *fields)
        request.send(body)
        hang_up(request)

    return handle


def part(body: bytes, start: int, *fields: str, end: int | None = None) -> Handler:
    """Answer with a 206 that holds the bytes from `start` on, whatever was asked for."""
    piece = body[start:end]
    told = f"Content-Range: bytes {start}-{start + len(piece) - 1}/{len(body)}"
    return with_length(piece, told, *fields, status="206 Partial Content")


def status(line: str, *fields: str) -> Handler:
    """Answer without a body, such as ``status("503 Service Unavailable", "Retry-After: 5")``."""
    return with_length(b"", *fields, status=line)


def redirects_to(url: str, line: str = "302 Found") -> Handler:
    """Send the client elsewhere."""
    return status(line, f"Location: {url}")


def by_path(**handlers: Handler) -> Handler:
    """Choose by the first word of the path: ``by_path(a=…)`` answers ``/a`` and ``/a.csv``."""

    def handle(request: Request) -> None:
        word = request.path.strip("/").partition("?")[0].partition(".")[0]
        handlers.get(word, status("404 Not Found"))(request)

    return handle


def in_turn(*handlers: Handler) -> Handler:
    """The first request gets the first handler, and so on; the last one stays."""
    left = list(handlers)
    lock = threading.Lock()

    def handle(request: Request) -> None:
        with lock:
            handler = left.pop(0) if len(left) > 1 else left[0]
        handler(request)

    return handle


_FRAMED: dict[Framing, Callable[..., Handler]] = {"length": with_length, "chunked": chunked, "close": until_close}
