"""Every fault by name, each as a server that stays broken and as one that recovers.

Rule: a name says what the server does. Files are taken to be longer than 1 KB, so that half of one
is still something.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from streamframe.testing.answers import (
    chunked,
    chunks,
    in_turn,
    page,
    part,
    redirects_to,
    status,
    until_close,
    with_length,
)
from streamframe.testing.faults import (
    LOGIN_PAGE,
    breaks_off,
    chunks_cut_at,
    cut_at,
    drips,
    ends_early,
    gzip_cut_at,
    ignores_ranges,
    lies_about_length,
    lies_about_range,
    never_answers,
    resets_after,
    shows_html,
    stalls_after,
)
from streamframe.testing.server import Handler, Request, reset

_V1 = 'ETag: "v1"'


@dataclass(frozen=True)
class Fault:
    """One way in which a server is wrong, for any file.

    Attributes
    ----------
    name : str
        What the server does.
    answers : callable
        Makes, of the file's bytes, the answers that the first requests get.
    """

    name: str
    answers: Callable[[bytes], list[Handler]]

    def stays(self, body: bytes) -> Handler:
        """Return a server that never recovers: the last answer is given again and again."""
        return in_turn(*self.answers(body))

    def passes(self, body: bytes) -> Handler:
        """Return a server that does everything right after those answers."""
        return in_turn(*self.answers(body), page(body))


def _cut(body: bytes) -> Handler:
    return cut_at(len(body) // 2, body, _V1, ranges=True)


def _line_end(body: bytes) -> int:
    """Return where a line ends, about in the middle: what is left of a text there looks complete."""
    half = len(body) // 2
    return body.find(b"\n", half) + 1 or half


def _malformed(*fields: str) -> Callable[[bytes], list[Handler]]:
    """Answer with the whole body behind header lines that HTTP does not allow."""

    def answers(body: bytes) -> list[Handler]:
        lines = (line.replace("{n}", str(len(body))).replace("{half}", str(len(body) // 2)) for line in fields)
        head = "\r\n".join(["HTTP/1.1 200 OK", *lines, "", ""]).encode()
        return [breaks_off(head + body)]

    return answers


def _bad_chunk(body: bytes) -> list[Handler]:
    half = b"".join(chunks(body[: len(body) // 2], 1 << 16))
    return [breaks_off(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + half + b"lies\r\n" + body)]


def _other(body: bytes) -> bytes:
    """Return another file of the same size."""
    return bytes(byte ^ 1 for byte in body)


def _resets_at_once(request: Request) -> None:
    reset(request)


def _redirects_to_itself(request: Request) -> None:
    redirects_to(request.path)(request)


def _redirects_to_another_host(body: bytes) -> Handler:
    def handle(request: Request) -> None:
        host, _, port = request.headers["host"].rpartition(":")
        if host == "localhost":
            page(body)(request)
        else:
            redirects_to(f"http://localhost:{port}{request.path}")(request)

    return handle


def _catalog() -> list[Fault]:
    return [
        Fault("hangs up before the answer", lambda body: [breaks_off(b"")]),
        Fault("hangs up within the header", lambda body: [breaks_off(b"HTTP/1.1 200 OK\r\nContent-Le")]),
        Fault("does not speak HTTP", lambda body: [breaks_off(b"SSH-2.0-OpenSSH_9.2\r\n")]),
        Fault("resets before the answer", lambda body: [_resets_at_once]),
        Fault("never answers", lambda body: [never_answers]),
        Fault("hangs up behind the header", lambda body: [cut_at(0, body, _V1, ranges=True)]),
        Fault("hangs up in the middle", lambda body: [_cut(body)]),
        Fault("hangs up a byte before the end", lambda body: [cut_at(len(body) - 1, body, _V1, ranges=True)]),
        Fault("hangs up within a chunk", lambda body: [chunks_cut_at(len(body) // 2 + 1, body, _V1, ranges=True)]),
        Fault("hangs up between chunks", lambda body: [chunks_cut_at(len(body) // 200 * 100, body, _V1, ranges=True)]),
        Fault("hangs up before the last chunk", lambda body: [chunks_cut_at(len(body), body, _V1, ranges=True)]),
        Fault("resets in the middle", lambda body: [resets_after(len(body) // 2, body, _V1, ranges=True)]),
        Fault(
            "resets in the middle, length unknown",
            lambda body: [resets_after(len(body) // 2, body, _V1, announced=False, ranges=True)],
        ),
        Fault("stalls in the middle", lambda body: [stalls_after(len(body) // 2, body, _V1, ranges=True)]),
        Fault("drips", lambda body: [drips(body, piece_bytes=len(body) // 10 + 1)]),
        Fault("ends early with a last chunk", lambda body: [ends_early(_line_end(body), body)]),
        Fault("tells no length and hangs up in the middle", lambda body: [until_close(body[: _line_end(body)])]),
        Fault("tells no length and hangs up at the end", lambda body: [until_close(body)]),
        Fault("sends less than announced", lambda body: [lies_about_length(len(body) + 100, body)]),
        Fault("sends more than announced", lambda body: [lies_about_length(len(body) // 2, body)]),
        Fault("announces two lengths", _malformed("Content-Length: {half}", "Content-Length: {n}")),
        Fault("announces a length that is no number", _malformed("Content-Length: -1")),
        Fault("announces a length and chunks", _malformed("Content-Length: {half}", "Transfer-Encoding: chunked")),
        Fault("announces a chunk that is no number", _bad_chunk),
        Fault("sends 200 KB of header", lambda body: [with_length(body, "X-Filler: " + "x" * 200_000)]),
        Fault("ignores ranges", lambda body: [_cut(body), ignores_ranges(body, _V1)]),
        Fault("lies in Content-Range", lambda body: [_cut(body), lies_about_range(body)]),
        Fault(
            "leaves out Content-Range",
            lambda body: [_cut(body), with_length(body[7:], _V1, status="206 Partial Content")],
        ),
        Fault("sends a part that nobody asked for", lambda body: [part(body, 7, _V1)]),
        Fault(
            "says that there is no such range",
            lambda body: [_cut(body), status("416 Range Not Satisfiable", f"Content-Range: bytes */{len(body) // 2}")],
        ),
        Fault("is replaced in the middle", lambda body: [_cut(body), page(_other(body), etag='"v2"')]),
        Fault(
            "is replaced in the middle, without ETag",
            lambda body: [cut_at(len(body) // 2, body), page(_other(body), etag=None)],
        ),
        Fault("grows in the middle", lambda body: [_cut(body), page(body + body[-100:], etag='"v2"')]),
        Fault("is deleted in the middle", lambda body: [_cut(body), status("404 Not Found")]),
        Fault("says 404", lambda body: [status("404 Not Found")]),
        Fault("says 403", lambda body: [status("403 Forbidden")]),
        Fault("says 429 with Retry-After", lambda body: [status("429 Too Many Requests", "Retry-After: 0")]),
        Fault("says 503 with Retry-After", lambda body: [status("503 Service Unavailable", "Retry-After: 0")]),
        Fault("says 500", lambda body: [status("500 Internal Server Error")]),
        Fault("says 503 in the middle", lambda body: [_cut(body), status("503 Service Unavailable", "Retry-After: 0")]),
        Fault("says 204", lambda body: [status("204 No Content")]),
        Fault("sends an empty body", lambda body: [with_length(b"")]),
        Fault("shows a login page", lambda body: [shows_html()]),
        Fault("shows a login page and calls it data", lambda body: [with_length(LOGIN_PAGE, "Content-Type: text/csv")]),
        Fault("redirects to itself", lambda body: [_redirects_to_itself]),
        Fault("redirects to ftp", lambda body: [redirects_to("ftp://127.0.0.1/a.csv")]),
        Fault("redirects to another host", lambda body: [_redirects_to_another_host(body)]),
        Fault("compresses unasked", lambda body: [gzip_cut_at(2 * len(body), body)]),
        Fault("compresses unasked and cuts that", lambda body: [gzip_cut_at(len(body) // 10, body)]),
        Fault("uses an unknown coding", lambda body: [with_length(body, "Content-Encoding: br")]),
        Fault("sends chunks", lambda body: [chunked(body, chunk_bytes=333)]),
    ]


FAULTS: dict[str, Fault] = {fault.name: fault for fault in _catalog()}
