"""A web page's bytes in order: one GET, and every way it can end early is an error.

Rules: nothing is asked before the first read, so `close` can free that too. No HEAD. The body's
end is verified against Content-Length or the last chunk. At most what was asked for plus
aiohttp's own buffer is held; behind that, TCP pushes back on the server.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from streamframe.errors import DecodeError, SourceError, TransportError, TruncatedError
from streamframe.io.compression import GZIP, ZSTD, Codec, DecompressedStream
from streamframe.io.http_client import Calls, check_status, get, read_error
from streamframe.io.location import Location
from streamframe.io.ranged import RangedFile
from streamframe.io.stream import ByteStream

if TYPE_CHECKING:
    import aiohttp

_CODINGS = {"gzip": GZIP, "x-gzip": GZIP, "zstd": ZSTD}
_HTML = re.compile(rb"(\xef\xbb\xbf)?\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*<(!doctype\s+html|html\b)", re.I | re.S)
_HTML_SNIFF_BYTES = 1024


@dataclass(frozen=True, repr=False)
class HttpLocation(Location):
    """A page of a web server."""

    url: str = field(repr=False)
    storage_options: dict[str, Any] = field(default_factory=dict, repr=False, hash=False)
    fs: Any = field(default=None, repr=False, compare=False)

    @property
    def name(self) -> str:
        return unquote(urlsplit(self.url).path.rpartition("/")[2])

    def filesystem(self) -> Any:
        """Return fsspec's HTTP filesystem for the user's options."""
        import fsspec

        return self.fs if self.fs is not None else fsspec.filesystem("http", **self.storage_options)

    def open_ranged(self) -> RangedFile:
        from streamframe.io.http_ranged import HttpRangedFile

        return HttpRangedFile(self.label, self.url, self.filesystem())

    def _open_raw(self) -> HttpStream:
        return HttpStream(self.label, self.url, self.filesystem())

    def _open_content(self, codec: Codec | None) -> ByteStream:
        return HttpContent(self._open_raw(), codec, html_is_fine=self.format_suffix in (".html", ".htm"))


class HttpStream(ByteStream):
    """The body of one response, as it is on the wire."""

    def __init__(self, label: str, url: str, fs: Any, *, response: aiohttp.ClientResponse | None = None) -> None:
        super().__init__(label)
        self._url = url
        self._fs = fs
        self._calls = Calls(fs.loop, label)
        self._response = response
        self._ready: list[memoryview] = []

    @property
    def size(self) -> int | None:
        """Content-Length; None before the first read, and where the server does not say."""
        response = self._response
        return response.content_length if response is not None else None

    @property
    def content_codings(self) -> tuple[str, ...]:
        """What the server has wrapped the body in, innermost first. Connects if need be."""
        named = self.response.headers.get("Content-Encoding", "")
        return tuple(name for part in named.split(",") if (name := part.strip().lower()) not in ("", "identity"))

    @property
    def says_html(self) -> bool:
        """The server calls the body HTML. Connects if need be."""
        return "html" in self.response.content_type

    @property
    def response(self) -> aiohttp.ClientResponse:
        """The response; asks the server at the first use."""
        if self._response is None:
            self._calls.run(self._connect())
        assert self._response is not None
        return self._response

    def _fill(self, target: memoryview) -> int:
        if not self._ready:
            # The copy is made here and not on the loop: after a Ctrl-C nobody else may write to `target`.
            self._ready = [memoryview(piece) for piece in self._calls.run(self._take(len(target)))]
        filled = 0
        while self._ready and filled < len(target):
            piece = self._ready[0][: len(target) - filled]
            target[filled : filled + len(piece)] = piece
            filled += len(piece)
            self._ready[0] = self._ready[0][len(piece) :]
            if not self._ready[0]:
                del self._ready[0]
        size = self.size
        if not filled and size is not None and self.offset < size:
            raise self._truncated(self.offset)
        return filled

    async def _connect(self) -> None:
        response = await get(self._fs, self._url, {"Accept-Encoding": "identity"})
        check_status(response, self._url)
        # No await between: a cancelled `_connect` has either no response or left it here.
        self._response = response

    async def _take(self, room: int) -> list[bytes]:
        """Wait for some bytes, then gather what else is there.

        A round trip to the loop costs as much as 64 KiB, so all that aiohttp holds is taken, which may
        be more than `room`; and the socket is looked at again while there is less.
        """
        import aiohttp

        if self._response is None:
            await self._connect()
        assert self._response is not None
        content = self._response.content
        pieces: list[bytes] = []
        try:
            piece = await content.readany()
            while piece:
                pieces.append(piece)
                room -= len(piece)
                if room <= 0:
                    break
                await asyncio.sleep(0)
                piece = content.read_nowait()
        except (aiohttp.ClientError, OSError) as error:
            if not pieces:  # else these first; the next call comes here again
                raise self._failed(error) from error
        return pieces

    def _failed(self, error: BaseException) -> SourceError:
        assert self._response is not None
        got = self._response.content.total_bytes
        if isinstance(error, asyncio.TimeoutError):
            return read_error(error, self.label, got)
        # A body that ends early and a connection that ends are the same thing to aiohttp, and to us.
        return self._truncated(got)

    def _truncated(self, got: int) -> TruncatedError:
        size = self.size
        expected = f"{size:,} bytes were announced" if size is not None else "its last chunk never came"
        return TruncatedError(
            f"{self.label} was cut off: {got:,} bytes came, {expected}",
            source=self.label,
            byte_offset=got,
            hint="the server or the network stopped early: run it again.",
        )

    def _release(self, *, wait: bool = True) -> None:
        self._calls.close(self._disconnect, wait=wait)

    def _disconnect(self) -> None:
        if self._response is not None:
            # After a clean end aiohttp has already given the connection back for reuse.
            self._response.close()

    def __del__(self) -> None:
        with contextlib.suppress(Exception):  # the interpreter may be half gone
            self._closed = True
            self._release(wait=False)


class HttpContent(ByteStream):
    """What is inside a body: the server's coding and the file's compression taken off, no HTML page."""

    def __init__(self, body: HttpStream, codec: Codec | None, *, html_is_fine: bool) -> None:
        super().__init__(body.label)
        self._body = body
        self._codec = codec
        self._html_is_fine = html_is_fine
        self._content: ByteStream | None = None

    @property
    def size(self) -> int | None:
        return self._body.size

    @property
    def bytes_read(self) -> int:
        return self._body.bytes_read

    @property
    def retries(self) -> int:
        return self._body.retries

    def _fill(self, target: memoryview) -> int:
        if self._content is None:
            self._content = self._unwrapped()
        return self._content.read_into(target)

    def _release(self) -> None:
        self._body.close()

    def _unwrapped(self) -> ByteStream:
        content: ByteStream = self._body
        codings = self._body.content_codings
        for coding in reversed(codings):
            if coding not in _CODINGS:
                raise TransportError(
                    f"{self.label} came with Content-Encoding {coding!r}, which was not asked for", source=self.label
                )
            content = DecompressedStream(content, _CODINGS[coding])
        if self._body.says_html and not self._html_is_fine:
            self._refuse_html(content)
        codec = self._codec
        if codec and codings:
            # Many servers send a .csv.gz as it is and call its own gzip a Content-Encoding:
            # then one layer is all there is.
            head = content.read_up_to(codec.magic_bytes)
            content.unread(head)
            if not codec.starts.match(head):
                codec = None
        return DecompressedStream(content, codec) if codec else content

    def _refuse_html(self, content: ByteStream) -> None:
        try:
            head = content.read_up_to(_HTML_SNIFF_BYTES)
        except DecodeError:
            return  # the decoder will say it better
        content.unread(head)
        if _HTML.match(head):
            raise SourceError(
                f"{self.label} is an HTML page, not data",
                source=self.label,
                hint="it may be a login or an error page: open it in a browser, and use the download link.",
            )
