"""A body in chunks, received where it is wanted.

Why: aiohttp makes bytes objects of what it receives, and of what is in each chunk, and from there it is copied once
more to where it is wanted: that took three times what receiving takes.

Rules:
- Only for who asks, by `received_directly`, before the request is sent. All else goes through aiohttp.
- What it knows is little: a size in hexadecimal digits, a line's end, the data, a line's end. Before a chunk that
  begins in any other way, and before the last one, it hands over for good: aiohttp, which has seen none of the
  chunks before, goes on as if they had never been, and it alone says what the end of a body is.
- While nobody receives, the socket is not read: TCP pushes back.
- Imports aiohttp, so it is imported only where a session is made.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

from aiohttp import ClientPayloadError, StreamReader
from aiohttp.client_proto import ResponseHandler

# How the first chunk begins, and how each other does, behind the line's end of the one before; and a part of that.
_CHUNK = tuple(re.compile(end + rb"([0-9A-Fa-f]{1,15})\r\n") for end in (b"", b"\r\n"))
_BEGUN = tuple(re.compile(end + rb"[0-9A-Fa-f]{0,15}\r?\Z") for end in (b"", rb"(?:\r\Z|\r\n)"))
_END_OF_HEAD = b"\r\n\r\n"
# The more is received at once, the less often the loop comes around; a socket has seldom more than this.
SCRATCH_BYTES = 1 << 20
# So much room is worth a call of its own.
_ROOMY_BYTES = 1 << 14

_wanted: ContextVar[bool] = ContextVar("streamframe_received_directly", default=False)


@contextlib.contextmanager
def received_directly() -> Iterator[None]:
    """Ask for the bodies of the requests that are sent inside: see `BodyProtocol.direct` whether that was to be had."""
    token = _wanted.set(True)
    try:
        yield
    finally:
        _wanted.reset(token)


class BodyProtocol(ResponseHandler, asyncio.BufferedProtocol):
    """One connection of aiohttp's.

    Attributes
    ----------
    direct : bool
        What comes next of the body is had by `receive`, and not from aiohttp.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, scratch: bytearray) -> None:
        super().__init__(loop)
        self.direct = False
        self._scratch = memoryview(scratch)  # shared: nothing stays in it
        self._head_wanted = False
        self._head_end = b""  # the last bytes of a head that is not complete
        self._message: Any = None
        # Of the body: what has come and has no place yet, and what is left of the chunk under way.
        self._rest = b""
        self._any_chunk = False
        self._chunk_left = 0
        self._target: memoryview | None = None
        self._filled = 0
        self._into_target = False
        self._arrival: asyncio.Future[None] | None = None

    async def receive(self, target: memoryview, timeout_s: float | None) -> int:
        """Receive what comes, and what comes right behind it; return 0 if what follows is to be had from aiohttp.

        Raises
        ------
        TimeoutError
            If nothing comes for so long.
        """
        self._target, self._filled = target, 0
        try:
            rest, self._rest = self._rest, b""
            self._unwrap(memoryview(rest))
            if not self._filled:
                await self._first(timeout_s)
            looks = 0
            # The loop comes back here before it has looked at the socket, and then once more.
            while self.direct and 0 < self._filled < len(target) and looks < 2:
                before = self._filled
                self._resume_transport_reading()
                await asyncio.sleep(0)
                looks = looks + 1 if self._filled == before else 0
            return self._filled
        finally:
            self._target = None
            self._arrival = None
            if self.direct:
                self._pause_transport_reading()

    def hand_over(self) -> None:
        """Let aiohttp have what follows; only before anything was received."""
        rest, self._rest = self._rest, b""
        self._to_aiohttp(rest)

    async def _first(self, timeout_s: float | None) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                while self.direct and not self._filled:
                    self._arrival = self._loop.create_future()
                    self._resume_transport_reading()
                    await self._arrival
        except TimeoutError:
            # It may have come at the last moment.
            if not self._filled:
                raise

    def _wake(self) -> None:
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)

    # What the transport calls.

    def get_buffer(self, sizehint: int) -> memoryview:
        self._into_target = False
        if self.direct and self._target is not None and not self._rest:
            room = min(self._chunk_left, len(self._target) - self._filled)
            if room >= _ROOMY_BYTES:
                self._into_target = True
                return self._target[self._filled : self._filled + room]
        return self._scratch

    def buffer_updated(self, nbytes: int) -> None:
        if self._into_target:
            self._filled += nbytes
            self._chunk_left -= nbytes
            if self._target is not None and self._filled == len(self._target):
                self._pause_transport_reading()
        elif self.direct:
            self._unwrap(self._scratch[:nbytes])
        else:
            self.data_received(bytes(self._scratch[:nbytes]))
        self._wake()

    def connection_lost(self, exc: BaseException | None) -> None:
        if self.direct:
            # A chunk that is cut, or its frame: aiohttp misses the last chunk, and says so.
            self.direct = False
        super().connection_lost(exc)
        self._wake()

    # What aiohttp calls.

    def set_exception(self, exc: BaseException, *cause: BaseException) -> None:
        super().set_exception(exc, *cause)
        # aiohttp's parser forgets a body in whose chunks it finds a fault, and whoever waits for it waits for ever.
        payload: Any = self._payload
        if isinstance(payload, StreamReader) and not payload.is_eof() and payload.exception() is None:
            payload.set_exception(ClientPayloadError(f"Response payload is not completed: {exc!r}"), exc)

    def set_response_params(self, **given: Any) -> None:
        self.direct = False
        self._head_wanted = _wanted.get()
        self._head_end = self._rest = b""
        super().set_response_params(**given)

    def feed_data(self, data: Any, size: int = 0) -> None:
        self._message = data
        super().feed_data(data, size)

    def data_received(self, data: bytes) -> None:
        while self._head_wanted and data:
            before = len(self._head_end)
            seen = self._head_end + data
            end = seen.find(_END_OF_HEAD)
            if end < 0:
                self._head_end = seen[1 - len(_END_OF_HEAD) :]
                break
            head, data = data[: end + len(_END_OF_HEAD) - before], data[end + len(_END_OF_HEAD) - before :]
            self._head_end, self._message = b"", None
            super().data_received(head)
            if self._message is None or 102 <= self._message[0].code < 200 or self._message[0].code == 100:
                continue  # another follows
            self._head_wanted = False
            if self._is_plain():
                self.direct, self._rest = True, data
                self._any_chunk, self._chunk_left = False, 0
                self._pause_transport_reading()
                return
        if not self.direct:
            super().data_received(data)

    def _is_plain(self) -> bool:
        message: Any = self._message[0]
        payload: Any = self._message[1]
        if self._payload is not payload:
            return False
        plain = message.code in (200, 206) and message.chunked and not (message.compression or message.upgrade)
        # What came at the end of another answer, or without the usual line ends, has been taken apart already.
        return bool(plain and payload and not payload.total_bytes and not payload.is_eof())

    def _unwrap(self, data: memoryview) -> None:
        """Copy what is in chunks to where it is wanted; keep what has no room there."""
        if self._rest:
            data = memoryview(self._rest + bytes(data))
            self._rest = b""
        at = 0
        while at < len(data):
            if self._chunk_left:
                room = 0 if self._target is None else len(self._target) - self._filled
                count = min(self._chunk_left, len(data) - at, room)
                if not count or self._target is None:
                    self._pause_transport_reading()
                    break
                self._target[self._filled : self._filled + count] = data[at : at + count]
                self._filled += count
                self._chunk_left -= count
                at += count
                continue
            found = _CHUNK[self._any_chunk].match(data, at)
            if found and (size := int(found[1], 16)):
                self._any_chunk, self._chunk_left = True, size
                at = found.end()
            elif _BEGUN[self._any_chunk].match(data, at):
                break
            else:
                self._end_chunks(bytes(data[at:]))
                return
        self._rest = bytes(data[at:])

    def _end_chunks(self, data: bytes) -> None:
        """Let aiohttp have what is no chunk that is known here, and all that follows."""
        if self._any_chunk:
            # Its own end is missing: as wrong as a size that is none.
            data = data[2:] if data.startswith(b"\r\n") else b"\n"
        self._to_aiohttp(data)

    def _to_aiohttp(self, data: bytes) -> None:
        self.direct = False
        self._resume_transport_reading()
        super().data_received(data)
