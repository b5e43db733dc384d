"""Requests over the session of fsspec's HTTP filesystem, answered with a response or a typed error.

Rules:
- `storage_options` keep working, so the session is fsspec's, and so is its loop. One `Calls`
  for each stream runs coroutines there, and cancels them when the stream is closed.
- Redirects are followed here: at most `MAX_REDIRECTS`, never from https to http, and what the user
  gave for one host (headers, auth, cookies) is not sent to another.
- The body comes as it is on the wire: aiohttp would hide that a compressed one was cut.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import errno
import threading
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from streamframe.errors import PlanError, SourceError, StreamError, TransportError
from streamframe.io.redact import redact, redact_text, secrets_of
from streamframe.io.stream import closed_error

if TYPE_CHECKING:
    import aiohttp
    import yarl

T = TypeVar("T")

MAX_REDIRECTS = 5
CONNECT_TIMEOUT_S = 30
# Between two pieces of the body, not for all of it: slow but alive is fine for hours.
READ_TIMEOUT_S = 60
# Includes the wait for one of aiohttp's 100 connections, which would otherwise have no end.
POOL_TIMEOUT_S = 90
# aiohttp stops reading from the socket above twice this, so TCP pushes back on the server.
BUFFER_BYTES = 1 << 19

# What still makes sense for a host that the user did not name.
_NEUTRAL_OPTIONS = {"ssl", "proxy", "proxy_auth", "timeout"}


class Calls:
    """The coroutines that one stream has under way on fsspec's loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, label: str) -> None:
        self._loop = loop
        self._label = label
        self._lock = threading.Lock()
        self._closed = False
        self._running: set[concurrent.futures.Future[Any]] = set()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end; raise the stream's closed error if `close` comes first."""
        with self._lock:
            if self._closed:
                coroutine.close()
                raise closed_error(self._label)
            future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
            self._running.add(future)
        try:
            return future.result()
        except concurrent.futures.CancelledError:
            raise closed_error(self._label) from None
        finally:
            # After a Ctrl-C here the coroutine would go on without anyone waiting for it.
            future.cancel()
            with self._lock:
                self._running.discard(future)

    def close(self, last: Callable[[], None], *, wait: bool = True) -> None:
        """Cancel what is under way and then call `last` on the loop.

        With `wait` the connection is gone when this returns; a finalizer must not wait.
        """
        with self._lock:
            if self._closed:
                return
            self._closed = True
            running = list(self._running)
        for future in running:
            future.cancel()
        if not self._loop.is_running():
            return
        done = asyncio.run_coroutine_threadsafe(_wind_up(last), self._loop)
        if wait and not _on_loop(self._loop):
            # A loop that hangs (a user's callback, an exiting interpreter) must not hang us too.
            with contextlib.suppress(concurrent.futures.TimeoutError, concurrent.futures.CancelledError):
                done.result(timeout=1)


async def _wind_up(last: Callable[[], None]) -> None:
    await asyncio.sleep(0)  # cancelled tasks unwind here
    last()
    for _ in range(2):
        await asyncio.sleep(0)  # a closed transport lets go of its socket one or two rounds later


def _on_loop(loop: asyncio.AbstractEventLoop) -> bool:
    with contextlib.suppress(RuntimeError):
        return asyncio.get_running_loop() is loop
    return False


async def get(fs: Any, url: str, headers: Mapping[str, str]) -> aiohttp.ClientResponse:
    """Send a GET and return the response to it, whatever its status, with the body unread.

    Parameters
    ----------
    fs
        fsspec's HTTP filesystem.
    url
        Where to start.
    headers
        Ours. The user's are added, and win where both name `Accept-Encoding`.

    Raises
    ------
    TransportError
        If there is no connection, or no answer, or too many redirects.
    """
    import aiohttp

    label = redact(url)
    secrets = (*secrets_of(url), *map(str, dict(fs.kwargs.get("headers") or {}).values()))
    try:
        session = await fs.set_session()
        return await _follow(fs, session, fs.encode_url(url), headers, label)
    except (TimeoutError, aiohttp.ClientError, aiohttp.InvalidURL, OSError, ValueError) as error:
        if isinstance(error, StreamError):
            raise
        raise _translated(error, label, secrets) from _shown(error, secrets)


async def _follow(
    fs: Any, session: aiohttp.ClientSession, url: yarl.URL, ours: Mapping[str, str], label: str
) -> aiohttp.ClientResponse:
    import yarl

    options = dict(fs.kwargs)
    if "timeout" not in fs.client_kwargs:
        options.setdefault("timeout", _timeout())
    options["headers"] = _merged(ours, options.get("headers"))
    foreign: aiohttp.ClientSession | None = None
    try:
        for _ in range(MAX_REDIRECTS + 1):
            response = await (foreign or session).get(
                url, **{**options, "allow_redirects": False}, auto_decompress=False, read_bufsize=BUFFER_BYTES
            )
            target = response.headers.get("Location")
            if response.status not in (301, 302, 303, 307, 308) or target is None:
                return response
            response.close()
            after = url.join(yarl.URL(target, encoded=True))
            if after.scheme not in ("http", "https") or not after.host:
                raise TransportError(f"{label} redirects to {redact(str(after))}, which is not http(s)", source=label)
            if (url.scheme, after.scheme) == ("https", "http"):
                raise TransportError(
                    f"{label} redirects from https to http ({redact(str(after))})",
                    source=label,
                    hint="if you trust that place, pass its URL.",
                )
            if after.origin() != url.origin() and foreign is None:
                # The session's own defaults would go along too, so the rest of the way has another.
                foreign = _bare_session(session)
                options = {name: value for name, value in options.items() if name in _NEUTRAL_OPTIONS}
                options.setdefault("timeout", _timeout())
                options["headers"] = dict(ours)
            options.pop("params", None)  # they were for the first URL
            url = after
    finally:
        if foreign is not None:
            foreign.detach()
    raise TransportError(f"{label} redirects more than {MAX_REDIRECTS} times", source=label)


def _bare_session(session: aiohttp.ClientSession) -> aiohttp.ClientSession:
    import aiohttp

    return aiohttp.ClientSession(
        connector=session.connector,
        connector_owner=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=session.trust_env,
    )


def _timeout() -> aiohttp.ClientTimeout:
    import aiohttp

    return aiohttp.ClientTimeout(
        total=None, connect=POOL_TIMEOUT_S, sock_connect=CONNECT_TIMEOUT_S, sock_read=READ_TIMEOUT_S
    )


def _merged(ours: Mapping[str, str], theirs: Any) -> dict[str, str]:
    """Add the user's headers to ours; only the coding is theirs to choose."""
    named = {name.lower() for name in theirs or {}}
    kept = {name: value for name, value in ours.items() if name != "Accept-Encoding" or name.lower() not in named}
    taken = {name.lower() for name in kept}
    return kept | {name: value for name, value in dict(theirs or {}).items() if name.lower() not in taken}


def check_status(response: aiohttp.ClientResponse, url: str, *, wanted: tuple[int, ...] = (200,)) -> None:
    """Raise the typed error that a status stands for, unless it is wanted; close the response then."""
    status = response.status
    if status in wanted:
        return
    label = redact(url)
    response.close()
    said = f"{label} answered {status} {response.reason or ''}".rstrip()
    if status in (404, 410):
        error = SourceError.missing(label)
        error.errno = errno.ENOENT
        if "*" in url.partition("?")[0]:
            error.hint = "a web server has no listing, so a glob cannot work: give a list of URLs."
        raise error
    if status in (401, 403):
        raise SourceError(
            f"{said}: access is refused",
            source=label,
            hint='pass storage_options={"headers": {"Authorization": "…"}}, or a new link if this one has expired.',
        )
    if status == 429 or status >= 500:
        wait = response.headers.get("Retry-After")
        raise TransportError(
            said + (f" and asks to wait (Retry-After: {wait[:40]})" if wait else ""),
            source=label,
            hint="the server is busy or broken: try again later.",
        )
    if status == 204:
        raise SourceError(f"{said}: there is nothing to read", source=label)
    raise TransportError(said, source=label)


def read_error(error: BaseException, label: str, got: int) -> TransportError:
    """Translate what failed between two pieces of a body, after `got` bytes of it."""
    if isinstance(error, asyncio.TimeoutError):
        return TransportError(
            f"{label} sent nothing for a long time ({READ_TIMEOUT_S} s, unless you set another timeout)",
            source=label,
            byte_offset=got,
        )
    return TransportError(f"{label} lost the connection: {redact_text(str(error))}", source=label, byte_offset=got)


def _translated(error: BaseException, label: str, secrets: tuple[str, ...]) -> StreamError:
    import aiohttp

    if isinstance(error, (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError)):
        return PlanError(f"{label} is not a valid URL")
    if isinstance(error, asyncio.TimeoutError):
        return TransportError(f"{label} did not answer in time", source=label, hint="is the host right, and up?")
    if isinstance(error, aiohttp.ClientSSLError):
        return TransportError(
            f"{label}: no secure connection: {redact_text(str(error), secrets)}",
            source=label,
            hint='for a certificate of your own pass storage_options={"ssl": an ssl.SSLContext}.',
        )
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return TransportError(f"{label}: the host name is not known", source=label, hint="check the URL's host.")
    reason = redact_text(str(error), secrets) or type(error).__name__
    return TransportError(f"{label} cannot be reached: {reason}", source=label)


def _shown(error: BaseException, secrets: tuple[str, ...]) -> BaseException | None:
    """Return a cause for the traceback, unless its own text would show a secret."""
    text = f"{error} {error!r}"
    return None if any(secret in text for secret in secrets) or redact_text(text) != text else error


__all__ = ["BUFFER_BYTES", "Calls", "check_status", "get", "read_error"]
