"""A web page's body in order, over as many connections as it takes; every early end is an error.

Rules:
- Nothing is asked before the first read, so `close` can free that too. No HEAD.
- A body that stops early (a drop, a reset, a stall, too few bytes) goes on at the same byte of the
  same version on a new connection (`resume` says when that is safe, `retry` how often and how soon).
- The end is verified against the size. Where the server names none, `completeness` says so, and
  `expect_bytes` or `expect_sha256` can verify it.
- At most what was asked for plus aiohttp's own buffer is held; behind that, TCP pushes back.
- Only our own waiting for a byte counts as the server's silence.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from streamframe.errors import SourceError, StreamError, TransportError
from streamframe.io.http_client import Calls
from streamframe.io.http_errors import (
    body_errors,
    connection_errors,
    parser_errors,
    secrets_sent,
    truncated,
    unexpected,
)
from streamframe.io.http_options import HttpOptions
from streamframe.io.http_redirects import ask
from streamframe.io.http_trouble import interrupted, no_answer, refused
from streamframe.io.resume import Received, Unconfirmed, Version, condition, continuation, require_same_version
from streamframe.io.retry import Attempts, Trouble
from streamframe.io.stream import ByteStream
from streamframe.plan.report import Completeness

if TYPE_CHECKING:
    import aiohttp

T = TypeVar("T")


class HttpStream(ByteStream):
    """The body of a page, as it is on the wire."""

    def __init__(
        self,
        label: str,
        url: str,
        fs: Any,
        options: HttpOptions,
        *,
        response: aiohttp.ClientResponse | None = None,
    ) -> None:
        super().__init__(label)
        self._url = url
        self._fs = fs
        self._options = options
        self._calls = Calls(fs.loop, label)
        self._attempts = Attempts(options.retries)
        self._received = Received(label, with_sha256=options.expect_sha256 is not None)
        self._left = memoryview(b"")  # what the last target had no room for
        self._version: Version | None = None
        self._ask_for_all = False
        # Of the connection under way: its answer, where its next byte belongs, where its body ends,
        # how much of it aiohttp has handed over, what has broken it behind bytes that are still good.
        self._response: aiohttp.ClientResponse | None = None
        self._protocol: Any = None
        self._taken = 0
        self._position = 0
        self._end: int | None = None
        self._broken: BaseException | None = None
        self._ends_with_connection = False
        if response is not None:
            self._begin(response)

    @property
    def size(self) -> int | None:
        """All bytes of the body; None before the first read, and where the server does not say."""
        return self._version.total if self._version is not None else None

    @property
    def retries(self) -> int:
        return self._attempts.made

    @property
    def _secrets(self) -> tuple[str, ...]:
        return secrets_sent(self._fs, self._url)

    @property
    def completeness(self) -> Completeness:
        options = self._options
        # A last chunk is no proof: a proxy or an application that fails sends one as well.
        known = self.size is not None or options.expect_bytes is not None or options.expect_sha256 is not None
        return "verified" if known else "unknown"

    @property
    def content_codings(self) -> tuple[str, ...]:
        """What the server has wrapped the body in, innermost first. Connects if need be."""
        named = self._connected().coding
        return tuple(name for part in named.split(",") if (name := part.strip().lower()) not in ("", "identity"))

    @property
    def version(self) -> str:
        found = self._version
        if found is None or not (found.etag or found.modified):
            return ""
        return f"ETag {found.etag}" if found.etag else f"Last-Modified {found.modified}"

    @property
    def can_skip(self) -> bool:
        # Without a name for the version, only its first bytes tell it from another.
        known = self._version is not None and self._version.validator is not None and not self._version.coding
        return known and self._options.expect_sha256 is None

    def _seek(self, offset: int) -> None:
        self._calls.run(self._leave_for(offset))

    async def _leave_for(self, offset: int) -> None:
        self._disconnect()
        self._left = memoryview(b"")
        self._received.skip_to(offset)

    def _connected(self) -> Version:
        if self._version is None:
            self._calls.run(self._persist(self._open))
        assert self._version is not None
        return self._version

    def _fill(self, target: memoryview) -> int:
        filled = self._calls.run(self._persist(lambda: self._take(target)))
        if not filled:
            self._check_expected()
        return filled

    async def _persist(self, step: Callable[[], Awaitable[T]]) -> T:
        """Run a step, and again after each trouble that another attempt may mend."""
        while True:
            try:
                return await step()
            except Trouble as trouble:
                self._disconnect()
                trouble.error.locate(byte_offset=self._received.offset)
                await self._attempts.wait_after(trouble)
            except SourceError as error:
                # Before the first byte an offset says nothing.
                raise error.locate(byte_offset=self._received.offset or None) from error.__cause__

    async def _open(self) -> None:
        """Ask for what is left, and make sure that it is the rest of what came before."""
        from streamframe.io.http_body import received_directly

        offset = self._received.offset
        ours = {"Accept-Encoding": "identity"}
        version = self._version
        asked = condition(version, offset) if version is not None and not self._ask_for_all else {}
        try:
            with received_directly():
                response = await ask(self._fs, self._url, ours | asked, self._options)
        except connection_errors() as error:
            failed = no_answer(error, self.label, self._secrets, reached=version is not None)
            raise failed from failed.__cause__
        if response.status not in ((200, 206, 412, 416) if asked else (200,)):
            raise refused(response, self._url)
        try:
            # No await from here on: a cancelled `_open` has either no response or left it here.
            self._begin(response)
        except Unconfirmed:
            response.close()
            self._ask_for_all = True
            await self._open()
        except StreamError:
            response.close()
            raise

    def _begin(self, response: aiohttp.ClientResponse) -> None:
        headers, offset = response.headers, self._received.offset
        length = None if "Transfer-Encoding" in headers else response.content_length
        if self._version is None:
            self._version, self._position, self._end = Version.of(headers, total=length), 0, length
        else:
            found = continuation(
                response.status, headers, length, version=self._version, offset=offset, label=self.label
            )
            if self._received.has_skipped and found.start == 0:
                require_same_version(self._version, Version.of(headers, total=length), self.label, offset)
            self._version, self._position, self._end = found.version, found.start, found.end
        self._received.goes_on_at(self._position)
        self._response = response
        self._taken = 0
        self._broken = None
        self._ends_with_connection = length is None and "Transfer-Encoding" not in headers
        connection = response.connection  # None if the body is here already
        self._protocol = connection.protocol if connection is not None else None
        if self._protocol is not None:
            # aiohttp's read timeout runs on while nobody reads; a slow consumer is not a slow server.
            self._protocol.read_timeout = None
            self._protocol.start_timeout()
            if getattr(self._protocol, "direct", False) and self._position != offset:
                # What was handed on before comes again, and has to be told from what is new.
                self._protocol.hand_over()

    async def _take(self, target: memoryview) -> int:
        """Wait for some bytes, and copy them and what else is there; return 0 at the verified end.

        The copy is made here, on the loop: a thread that copies beside it fights it for the
        interpreter's lock, which costs more than the copy. And the socket is looked at again while
        there is room, as a round trip between the threads costs as much as 64 KiB.
        """
        if self._response is None:
            await self._open()
        assert self._response is not None
        if self._response.status == 416:
            return 0  # its body is a page about that, and none of the file
        content = self._response.content
        # One buffer as it came from the socket: what aiohttp offers in public would join several,
        # which is one more copy, and the pages for it.
        pop = getattr(content, "_read_nowait_chunk", content.read_nowait)
        filled = self._copy(self._left, target)
        try:
            if not filled and getattr(self._protocol, "direct", False):
                filled = await self._protocol.receive(target, self._options.read_timeout_s)
                self._advance(filled)
            while filled < len(target) and not getattr(self._protocol, "direct", False):
                piece = pop(-1) if content.total_bytes > self._taken else await self._arrived(wait=not filled)
                if not piece:
                    break
                self._taken += len(piece)
                self._advance(len(piece))
                filled += self._copy(self._received.fresh(piece), target[filled:])
        except body_errors() as error:
            if isinstance(error, StreamError):
                raise
            # What came before it is good, and has to be handed on first.
            self._broken = error
            if not filled:
                cut = truncated(self.label, self._received.offset, self.size)
                failed = interrupted(error, cut, self._secrets, timeout_s=self._options.read_timeout_s)
                raise failed from failed.__cause__
        if filled:
            self._received.add(target[:filled])
            self._attempts.progressed()
        else:
            self._check_end()
        return filled

    def _advance(self, nbytes: int) -> None:
        self._position += nbytes
        if self._end is not None and self._position > self._end:
            raise self._excess()

    async def _arrived(self, *, wait: bool) -> bytes:
        """Return what arrives next; nothing at the end of the body, or where there is nothing now."""
        assert self._response is not None
        content = self._response.content
        await asyncio.sleep(0)  # the loop looks at the socket
        if content.total_bytes > self._taken:
            return content.read_nowait()
        if self._broken is not None:
            raise self._broken
        if not wait:
            return b""
        async with asyncio.timeout(self._options.read_timeout_s):
            return await content.readany()

    def _copy(self, piece: bytes | memoryview, target: memoryview) -> int:
        """Copy as much as there is room for, and keep the rest; return how much that was."""
        count = min(len(piece), len(target))
        target[:count] = piece if count == len(piece) else piece[:count]
        self._left = memoryview(piece)[count:]
        return count

    def _check_end(self) -> None:
        """Raise the trouble if what looks like the end of the body is not the end of the file."""
        wanted = self.size if self.size is not None else self._options.expect_bytes
        if self._position < max(wanted or 0, self._received.offset):
            raise Trouble(truncated(self.label, self._received.offset, wanted))
        broken = self._protocol.exception() if self._protocol is not None else None
        # A body without a length ends when the connection does; but not every such end is meant.
        if self._ends_with_connection and isinstance(broken, OSError):
            raise Trouble(truncated(self.label, self._received.offset, None), broken)
        # aiohttp takes what follows a body for the next answer, and stumbles over it.
        if self._end is not None and isinstance(broken, parser_errors()):
            raise self._excess()

    def _excess(self) -> TransportError:
        return TransportError(
            f"{self.label} sent more bytes than the {self._end:,} it had announced",
            source=self.label,
            byte_offset=self._end,
            hint="the server is wrong about its file: nobody can tell which bytes are.",
        )

    def _check_expected(self) -> None:
        got, options = self._received.offset, self._options
        wanted = options.expect_bytes if options.expect_bytes is not None else got
        if got < wanted:
            raise truncated(self.label, got, wanted)
        if got > wanted:
            raise unexpected(self.label, got, f"it has {got:,} bytes, not the {wanted:,} of expect_bytes")
        if options.expect_sha256 != self._received.sha256:
            raise unexpected(self.label, got, f"its SHA-256 is {self._received.sha256}, not that of expect_sha256")

    def _release(self, *, wait: bool = True) -> None:
        self._calls.close(self._disconnect, wait=wait)

    def _disconnect(self) -> None:
        response, self._response, self._protocol = self._response, None, None
        if response is not None:
            # After a clean end aiohttp has already given the connection back for reuse.
            response.close()

    def __del__(self) -> None:
        with contextlib.suppress(Exception):  # the interpreter may be half gone
            self._closed = True
            self._release(wait=False)
