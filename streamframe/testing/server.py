"""A real HTTP server on loopback that answers exactly as told, wrongly too.

Rules: a handler writes raw bytes, so no library puts a broken answer right. After an answer the
connection is kept, unless the handler has shut it down. When the `with` block ends, every stalled
handler is released, and all threads and sockets are gone.
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field


@dataclass
class Request:
    """One request, and the socket to answer it on.

    Attributes
    ----------
    method, path : str
        Such as ``"GET"`` and ``"/a.csv?key=1"``.
    headers : dict of str to str
        Names in lower case.
    connection : socket
        For what the methods below do not do.
    """

    method: str
    path: str
    headers: dict[str, str]
    connection: socket.socket = field(repr=False)
    released: threading.Event = field(repr=False, default_factory=threading.Event)

    def send(self, data: bytes | memoryview) -> None:
        """Send a piece of the body; a HEAD gets none."""
        if self.method != "HEAD":
            self.connection.sendall(data)

    def head(self, status: str, *fields: str) -> None:
        """Send a status line and header lines, such as ``head("200 OK", "ETag: x")``."""
        self.connection.sendall("\r\n".join([f"HTTP/1.1 {status}", *fields, "", ""]).encode("latin-1"))

    def wait(self, seconds: float | None = None) -> bool:
        """Stall until the server stops or the client hangs up; return whether `seconds` passed before."""
        self.connection.settimeout(0.02)
        steps = None if seconds is None else max(1, round(seconds / 0.02))
        while not self.released.is_set() and (steps is None or steps > 0):
            with contextlib.suppress(TimeoutError):
                if not self.connection.recv(1):
                    return False
            steps = None if steps is None else steps - 1
        self.connection.settimeout(None)
        return not self.released.is_set()

    @property
    def range(self) -> tuple[int | None, int | None] | None:
        """``(start, last)`` of the Range header; ``(None, n)`` for the last n bytes.

        None where there is none, or one that a server ignores: several ranges, another unit, nonsense.
        """
        found = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("range", ""))
        start, last = (int(number) if number else None for number in found.groups()) if found else (None, None)
        if (start is None and last is None) or (start is not None and last is not None and last < start):
            return None
        return start, last


Handler = Callable[[Request], None]


@contextlib.contextmanager
def serve(
    handler: Handler,
    requests: list[Request] | None = None,
    *,
    host: str = "127.0.0.1",
    tls: ssl.SSLContext | None = None,
) -> Iterator[str]:
    """Answer every request with `handler`.

    Parameters
    ----------
    handler
        Called in a thread of the connection, for one request after another.
    requests
        Collects what was asked.
    host
        Where to listen; ``"::1"`` for IPv6.
    tls
        The server's context: then it speaks https.

    Yields
    ------
    str
        The base URL, such as ``"http://127.0.0.1:40001"``.
    """
    released = threading.Event()
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, 0), family=family, backlog=128)
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
        with contextlib.suppress(OSError):
            if tls is not None:
                connection = tls.wrap_socket(connection, server_side=True)
                connections.append(connection)
            with connection:
                while (request := _read_request(connection, released)) is not None:
                    if requests is not None:
                        requests.append(request)
                    handler(request)

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    port = listener.getsockname()[1]
    try:
        yield f"{'https' if tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"
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
        for connection in connections:
            connection.close()


def hang_up(request: Request) -> None:
    """Close the connection now."""
    request.connection.shutdown(socket.SHUT_RDWR)


def reset(request: Request) -> None:
    """Close the connection with a RST instead of a FIN, once the client's kernel has what was sent."""
    # A reset makes the client's kernel forget what its reader has not taken, but never what it has not got.
    while unacknowledged(request.connection):
        request.released.wait(0.001)
    request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.connection.close()


def unacknowledged(connection: socket.socket) -> int:
    """Return how many bytes the client's kernel has not confirmed; 0 where nobody can tell (not Linux)."""
    try:
        import fcntl
        import termios

        return int(struct.unpack("i", fcntl.ioctl(connection, termios.TIOCOUTQ, struct.pack("i", 0)))[0])
    except (ImportError, AttributeError, OSError):
        return 0


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
    method, path = first.split(" ")[:2]
    return Request(method, path, headers, connection, released)
