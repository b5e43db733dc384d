"""Real HTTP servers on loopback that answer exactly as told, wrongly too.

`serve(handler)` yields the base URL. A handler gets a `Request` and writes raw bytes, so no library
puts a broken answer right. The ready ones below cover what real servers do.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field


@dataclass
class Request:
    """One request, and the socket to answer it on."""

    path: str
    headers: dict[str, str]  # names in lower case
    connection: socket.socket
    released: threading.Event = field(repr=False, default_factory=threading.Event)

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def head(self, status: str, *fields: str) -> None:
        """Send a status line and header lines, such as ``head("200 OK", "ETag: x")``."""
        self.send("\r\n".join([f"HTTP/1.1 {status}", *fields, "", ""]).encode())

    def wait(self) -> None:
        """Stall until the server stops or the client hangs up."""
        self.connection.settimeout(0.02)
        while not self.released.is_set():
            with contextlib.suppress(TimeoutError):
                if not self.connection.recv(1):
                    return

    @property
    def range(self) -> tuple[int | None, int | None] | None:
        """``(start, last)`` of the Range header; ``(None, n)`` for the last n bytes."""
        value = self.headers.get("range")
        if value is None:
            return None
        start, _, last = value.removeprefix("bytes=").partition("-")
        return int(start) if start else None, int(last) if last else None


Handler = Callable[[Request], None]


@contextlib.contextmanager
def serve(handler: Handler, requests: list[Request] | None = None) -> Iterator[str]:
    """Answer every request with `handler`; yield ``http://127.0.0.1:port``.

    `requests` collects what was asked. After an answer the connection is kept, unless the handler
    has shut it down.
    """
    released = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    connections: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connections.append(connection)
            threads.append(threading.Thread(target=talk, args=(connection,), daemon=True))
            threads[-1].start()

    def talk(connection: socket.socket) -> None:
        # The client may hang up at any moment: that is what many tests are about.
        with connection, contextlib.suppress(OSError):
            while (request := _read_request(connection, released)) is not None:
                if requests is not None:
                    requests.append(request)
                handler(request)

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    host, port = listener.getsockname()
    try:
        yield f"http://{host}:{port}"
    finally:
        released.set()
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.join()
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join()


def with_length(body: bytes, *fields: str, status: str = "200 OK") -> Handler:
    """A plain answer with Content-Length."""

    def handle(request: Request) -> None:
        request.head(status, f"Content-Length: {len(body)}", *fields)
        request.send(body)

    return handle


def chunked(body: bytes, *fields: str, chunk_bytes: int = 1 << 16, terminated: bool = True) -> Handler:
    """An answer of unknown length, in chunks; cut off at the end unless `terminated`."""

    def handle(request: Request) -> None:
        request.head("200 OK", "Transfer-Encoding: chunked", *fields)
        for start in range(0, len(body), chunk_bytes):
            piece = body[start : start + chunk_bytes]
            request.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        if terminated:
            request.send(b"0\r\n\r\n")
        else:
            hang_up(request)

    return handle


def cut_at(count: int, body: bytes, *fields: str) -> Handler:
    """Announce the whole body, send `count` bytes of it and hang up."""

    def handle(request: Request) -> None:
        request.head("200 OK", f"Content-Length: {len(body)}", *fields)
        request.send(body[:count])
        hang_up(request)

    return handle


def stalls_after(count: int, body: bytes, *fields: str) -> Handler:
    """Announce the whole body, send `count` bytes of it and then nothing."""

    def handle(request: Request) -> None:
        request.head("200 OK", f"Content-Length: {len(body)}", *fields)
        request.send(body[:count])
        request.wait()

    return handle


def chunks_cut_at(count: int, body: bytes, *fields: str) -> Handler:
    """Send `count` bytes as chunks of 100 and hang up before the last chunk."""
    return chunked(body[:count], *fields, chunk_bytes=100, terminated=False)


def resets_after(count: int, body: bytes, *fields: str, announced: bool = True) -> Handler:
    """Send `count` bytes and reset the connection."""

    def handle(request: Request) -> None:
        request.head("200 OK", *fields, *([f"Content-Length: {len(body)}"] if announced else []))
        request.send(body[:count])
        # Acknowledged bytes only: a reset makes the client's kernel forget the others.
        while _unacknowledged(request.connection):
            threading.Event().wait(0.001)
        reset(request)

    return handle


def until_close(body: bytes, *fields: str) -> Handler:
    """An answer without any length: it ends when the connection does."""

    def handle(request: Request) -> None:
        request.head("200 OK", "Connection: close", *fields)
        request.send(body)
        hang_up(request)

    return handle


def versioned(body: bytes, *fields: str, etag: str | None = '"v1"', modified: str | None = None) -> Handler:
    """A server that knows If-Range as well: another version is answered with a 200 from byte 0."""
    marks = [f"ETag: {etag}"] if etag else []
    marks += [f"Last-Modified: {modified}"] if modified else []

    def handle(request: Request) -> None:
        same = request.headers.get("if-range") in (None, etag, modified)
        if request.range is None or not same:
            with_length(body, *marks, *fields)(request)
        else:
            part(body, request.range[0] or 0, *marks, *fields)(request)

    return handle


def part(body: bytes, start: int, *fields: str, end: int | None = None) -> Handler:
    """The 206 with the bytes from `start` on; a 416 if there are none."""
    if start >= len(body):
        return status("416 Range Not Satisfiable", f"Content-Range: bytes */{len(body)}", *fields)
    piece = body[start:end]
    told = f"Content-Range: bytes {start}-{start + len(piece) - 1}/{len(body)}"
    return with_length(piece, told, *fields, status="206 Partial Content")


def never_answers(request: Request) -> None:
    """Take the request and say nothing."""
    request.wait()


def status(line: str, *fields: str) -> Handler:
    """An answer without a body, such as ``status("404 Not Found")``."""
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

    def handle(request: Request) -> None:
        (left.pop(0) if len(left) > 1 else left[0])(request)

    return handle


def ranges(
    body: bytes, *, etag: str | None = '"v1"', suffix_ranges: bool = True, check_if_match: bool = True
) -> Handler:
    """A server that knows ranges, as nginx or S3 do."""
    marks = [f"ETag: {etag}"] if etag else []

    def handle(request: Request) -> None:
        wanted = request.range
        if check_if_match and request.headers.get("if-match", etag) != etag:
            status("412 Precondition Failed")(request)
        elif wanted is None:
            with_length(body, "Accept-Ranges: bytes", *marks)(request)
        elif wanted[0] is None and not suffix_ranges:
            status("501 Not Implemented")(request)
        else:
            start, last = wanted
            if start is None:
                start, last = max(0, len(body) - (last or 0)), None
            end = len(body) if last is None else min(last + 1, len(body))
            if start >= len(body):
                status("416 Range Not Satisfiable", f"Content-Range: bytes */{len(body)}")(request)
                return
            told = f"Content-Range: bytes {start}-{end - 1}/{len(body)}"
            with_length(body[start:end], told, *marks, status="206 Partial Content")(request)

    return handle


def hang_up(request: Request) -> None:
    """Close the connection now."""
    request.connection.shutdown(socket.SHUT_RDWR)


def reset(request: Request) -> None:
    """Close the connection with a RST instead of a FIN."""
    request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.connection.close()


def _unacknowledged(connection: socket.socket) -> int:
    import fcntl
    import termios

    return int(struct.unpack("i", fcntl.ioctl(connection, termios.TIOCOUTQ, struct.pack("i", 0)))[0])


def _read_request(connection: socket.socket, released: threading.Event) -> Request | None:
    raw = b""
    while b"\r\n\r\n" not in raw:
        more = connection.recv(1 << 16)
        if not more:
            return None
        raw += more
    first, *lines = raw.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    fields = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in fields}
    return Request(first.split(" ")[1], headers, connection, released)
