"""A web page as a location, and what is inside its body.

Rule: the body (`HttpStream`) is whole before a layer is taken off it, and each layer comes off once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from streamframe.errors import DecodeError, SourceError, TransportError
from streamframe.io.compression import GZIP, ZSTD, Codec, DecompressedStream
from streamframe.io.expansion import Expansion
from streamframe.io.http_options import HttpOptions, fsspec_options
from streamframe.io.http_stream import HttpStream
from streamframe.io.location import Location
from streamframe.io.ranged import RangedFile
from streamframe.io.stream import ByteStream
from streamframe.plan.report import Completeness

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

        return self.fs if self.fs is not None else fsspec.filesystem("http", **fsspec_options(self.storage_options))

    @property
    def options(self) -> HttpOptions:
        """What the user set for the transfer itself; a UPath brings it in its filesystem."""
        return HttpOptions.of(self.storage_options if self.fs is None else self.fs.kwargs)

    def open_ranged(self) -> RangedFile:
        from streamframe.io.http_ranged import HttpRangedFile

        return HttpRangedFile(self.label, self.url, self.filesystem(), self.options)

    def _open_raw(self) -> HttpStream:
        return HttpStream(self.label, self.url, self.filesystem(), self.options)

    def _open_content(self, codec: Codec | None, expansion: Expansion | None) -> ByteStream:
        html_is_fine = self.format_suffix in (".html", ".htm")
        return HttpContent(self._open_raw(), codec, expansion, html_is_fine=html_is_fine)


class HttpContent(ByteStream):
    """What is inside a body: the server's coding and the file's compression taken off, no HTML page."""

    def __init__(
        self, body: HttpStream, codec: Codec | None, expansion: Expansion | None = None, *, html_is_fine: bool
    ) -> None:
        super().__init__(body.label)
        self._body = body
        self._codec = codec
        self._expansion = expansion
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

    @property
    def completeness(self) -> Completeness:
        return self._body.completeness

    @property
    def version(self) -> str:
        return self._body.version

    @property
    def can_skip(self) -> bool:
        return self._content is self._body and self._body.can_skip

    def _seek(self, offset: int) -> None:
        self._body.skip_to(offset)

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
                # A name that nobody knows may be anything, an echo of our own headers too: it is not shown.
                named = repr(coding) if coding in ("br", "deflate", "compress") else "that nobody knows"
                raise TransportError(
                    f"{self.label} came with a Content-Encoding {named}, which was not asked for", source=self.label
                )
            content = DecompressedStream(content, _CODINGS[coding], self._expansion)
        if not self._html_is_fine:
            self._refuse_html(content)
        codec = self._codec
        if codec and codings:
            # Many servers send a .csv.gz as it is and call its own gzip a Content-Encoding:
            # then one layer is all there is.
            head = content.read_up_to(codec.magic_bytes)
            content.unread(head)
            if not codec.starts.match(head):
                codec = None
        return DecompressedStream(content, codec, self._expansion) if codec else content

    def _refuse_html(self, content: ByteStream) -> None:
        head = bytearray(_HTML_SNIFF_BYTES)
        try:
            # What comes first, and no more: a slow feed is not to wait for a kilobyte.
            with memoryview(head) as target:
                count = content.read_into(target)
        except DecodeError:
            return  # the decoder will say it better
        del head[count:]
        content.unread(bytes(head))
        if _HTML.match(head):
            raise SourceError(
                f"{self.label} is an HTML page, not data",
                source=self.label,
                hint="it may be a login or an error page: open it in a browser, and use the download link.",
            )
