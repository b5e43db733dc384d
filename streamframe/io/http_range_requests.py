"""Requests for ranges of one version of a file: each answer is checked before a byte of it is used.

Rule: one request, one connection, no second attempt; what another attempt may mend is a `Trouble`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from streamframe.errors import SourceError, TransportError, TruncatedError
from streamframe.io.http_errors import body_errors, connection_errors, secrets_sent, source_changed, wrong_range
from streamframe.io.http_options import HttpOptions
from streamframe.io.http_redirects import ask
from streamframe.io.http_trouble import interrupted, no_answer, refused

if TYPE_CHECKING:
    import aiohttp

# Holds the footer of most Parquet files, so that opening one is a single round trip.
_TAIL_BYTES = 1 << 16
_PIECE_BYTES = 1 << 20
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


@dataclass(frozen=True)
class PinnedVersion:
    """The one version of a file that all ranges come from; its last bytes came along."""

    size: int
    etag: str | None
    modified: str | None
    tail: bytes = field(default=b"", compare=False, repr=False)

    @property
    def condition(self) -> dict[str, str]:
        """The header that makes the server refuse another version; a weak ETag cannot."""
        return {"If-Match": self.etag} if self.etag and not self.etag.startswith("W/") else {}


class RangeRequests:
    """All requests for one file; `disconnect` ends those under way."""

    def __init__(self, label: str, url: str, fs: Any, options: HttpOptions) -> None:
        self.label = label
        self._url = url
        self._fs = fs
        self._options = options
        self._reached = False
        self._responses: set[aiohttp.ClientResponse] = set()

    def disconnect(self) -> None:
        """Close all connections. Runs on the loop."""
        for response in self._responses:
            response.close()

    async def probe(self) -> PinnedVersion | aiohttp.ClientResponse:
        """Learn size and version; return a response with the whole file if ranges are ignored."""
        response = await self._ask(f"bytes=-{_TAIL_BYTES}", {})
        # Not every server knows a range from the end, so one from the start is tried too.
        if response.status in (400, 416, 501) or (
            response.status == 200 and "bytes" in response.headers.get("Accept-Ranges", "")
        ):
            response.close()
            response = await self._ask("bytes=0-0", {})
        if response.status == 416:
            # Only an empty file has no first byte.
            response.close()
            if (told := response.headers.get("Content-Range", "").strip()) not in ("bytes */0", "*/0"):
                raise wrong_range(self.label, 416, "bytes=0-0", told)
            return PinnedVersion(0, *_validators(response))
        if response.status not in (200, 206):
            raise refused(response, self._url)
        if response.status == 200:
            self._responses.add(response)  # so that a close that comes now finds it
            return response
        start, end, size = self._content_range(response, "its last bytes")
        tail = b"".join([piece async for piece in self._body(response, start, end - start)])
        return PinnedVersion(size, *_validators(response), tail=tail if end == size else b"")

    async def pieces(self, version: PinnedVersion, offset: int, end: int) -> AsyncIterator[bytes]:
        """Yield the bytes from `offset` to `end` of this version, from one connection."""
        wanted = f"bytes={offset}-{end - 1}"
        response = await self._ask(wanted, version.condition)
        # A 416 too: our range lies inside the size that was pinned.
        if response.status in (412, 416):
            response.close()
            raise source_changed(self.label, f"the server answered {response.status}")
        if response.status not in (200, 206):
            raise refused(response, self._url)
        if response.status == 200:
            # These bytes start at 0 again.
            response.close()
            if _validators(response) != (version.etag, version.modified):
                raise source_changed(self.label, "its ETag or date is another")
            raise TransportError(f"{self.label} served ranges at first and now ignores them", source=self.label)
        start, stop, size = self._content_range(response, wanted)
        if PinnedVersion(size, *_validators(response)) != version:
            response.close()
            raise source_changed(
                self.label, f"size, ETag or date differ from when it was opened ({version.size:,} bytes)"
            )
        if (start, stop) != (offset, end):
            response.close()
            raise wrong_range(self.label, 206, wanted, response.headers["Content-Range"])
        async for piece in self._body(response, offset, end - offset):
            yield piece

    async def _ask(self, wanted: str, condition: dict[str, str]) -> aiohttp.ClientResponse:
        headers = {"Accept-Encoding": "identity", "Range": wanted, **condition}
        try:
            response = await ask(self._fs, self._url, headers, self._options)
        except connection_errors() as error:
            failed = no_answer(error, self.label, self._secrets, reached=self._reached)
            raise failed from failed.__cause__
        self._reached = True
        return response

    async def _body(self, response: aiohttp.ClientResponse, offset: int, nbytes: int) -> AsyncIterator[bytes]:
        """Yield exactly the `nbytes` bytes from `offset` on that were announced."""
        self._responses.add(response)
        got = 0
        try:
            # Read to its end, so that the connection can be used again; but never more than the range.
            while piece := await self._piece(response, min(nbytes + 1 - got, _PIECE_BYTES)):
                got += len(piece)
                if got > nbytes:
                    raise TransportError(f"{self.label} sent more than the range that was asked for", source=self.label)
                yield piece
            if got < nbytes:
                raise ConnectionResetError
        except body_errors() as error:
            if isinstance(error, SourceError):
                raise
            cut = TruncatedError(
                f"{self.label} was cut off: {got:,} of a range of {nbytes:,} bytes came",
                source=self.label,
                byte_offset=offset + got,
                hint="the server or the network stopped early: run it again.",
            )
            failed = interrupted(error, cut, self._secrets, timeout_s=self._options.read_timeout_s)
            raise failed from failed.__cause__
        finally:
            self._responses.discard(response)
            response.close()

    async def _piece(self, response: aiohttp.ClientResponse, most: int) -> bytes:
        # aiohttp's own timeout ends with a connection, even where it forgets to tell a body of that end.
        async with asyncio.timeout(self._options.read_timeout_s):
            return await response.content.read(most)

    def _content_range(self, response: aiohttp.ClientResponse, wanted: str) -> tuple[int, int, int]:
        """Return start, end (exclusive) and total size."""
        told = response.headers.get("Content-Range", "").strip()
        coding = response.headers.get("Content-Encoding", "identity")
        found = _CONTENT_RANGE.fullmatch(told) if coding == "identity" else None
        if found is None or not int(found[1]) <= int(found[2]) < int(found[3]):
            response.close()
            raise wrong_range(self.label, response.status, wanted, told)
        return int(found[1]), int(found[2]) + 1, int(found[3])

    @property
    def _secrets(self) -> tuple[str, ...]:
        return secrets_sent(self._fs, self._url)


def _validators(response: aiohttp.ClientResponse) -> tuple[str | None, str | None]:
    return response.headers.get("ETag"), response.headers.get("Last-Modified")
