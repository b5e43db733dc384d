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
import threading
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from streamframe.errors import StreamError, TransportError
from streamframe.io.http_errors import connection_errors, secrets_sent, shown, translated
from streamframe.io.http_options import HttpOptions, without_own_keys
from streamframe.io.redact import redact
from streamframe.io.stream import closed_error

if TYPE_CHECKING:
    import aiohttp
    import yarl

T = TypeVar("T")

MAX_REDIRECTS = 5
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
        except KeyboardInterrupt:
            # The coroutine would go on without anyone waiting for it, and write into what the caller
            # thinks its own again: it has to be gone before this returns.
            future.cancel()
            with contextlib.suppress(concurrent.futures.TimeoutError, concurrent.futures.CancelledError):
                asyncio.run_coroutine_threadsafe(asyncio.sleep(0), self._loop).result(timeout=1)
            raise
        finally:
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


async def get(fs: Any, url: str, headers: Mapping[str, str], options: HttpOptions) -> aiohttp.ClientResponse:
    """Send a GET and return the response to it, whatever its status, with the body unread.

    Parameters
    ----------
    fs
        fsspec's HTTP filesystem.
    url
        Where to start.
    headers
        Ours. The user's are added, and win where both name `Accept-Encoding`.
    options
        For their timeouts.

    Raises
    ------
    TransportError
        If there is no connection, or no answer, or too many redirects.
    """
    try:
        return await ask(fs, url, headers, options)
    except connection_errors() as error:
        if isinstance(error, StreamError):
            raise
        secrets = secrets_sent(fs, url)
        raise translated(error, redact(url), secrets) from shown(error, secrets)


async def ask(fs: Any, url: str, headers: Mapping[str, str], options: HttpOptions) -> aiohttp.ClientResponse:
    """Do the same as `get`, but raise what aiohttp raises: for a caller that judges it first."""
    session = await fs.set_session()
    return await _follow(fs, session, fs.encode_url(url), headers, options, redact(url))


async def _follow(
    fs: Any,
    session: aiohttp.ClientSession,
    url: yarl.URL,
    ours: Mapping[str, str],
    limits: HttpOptions,
    label: str,
) -> aiohttp.ClientResponse:
    import yarl

    options = without_own_keys(fs.kwargs)
    if "timeout" not in fs.client_kwargs:
        options.setdefault("timeout", limits.client_timeout)
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
                options.setdefault("timeout", limits.client_timeout)
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


def _merged(ours: Mapping[str, str], theirs: Any) -> dict[str, str]:
    """Add the user's headers to ours; only the coding is theirs to choose."""
    named = {name.lower() for name in theirs or {}}
    kept = {name: value for name, value in ours.items() if name != "Accept-Encoding" or name.lower() not in named}
    taken = {name.lower() for name in kept}
    return kept | {name: value for name, value in dict(theirs or {}).items() if name.lower() not in taken}
