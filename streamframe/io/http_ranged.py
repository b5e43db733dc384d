"""The middle of a file on a web server, from one version of it.

Rules: the first answer pins the version (size, ETag, Last-Modified); every later one must name the
same, and exactly the range that was asked for. A server that ignores ranges is read once, whole,
into a temporary file.
"""

from __future__ import annotations

import contextlib
import re
import tempfile
import threading
import warnings
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from streamframe.errors import SourceChangedError, SourceError, TransportError, TruncatedError
from streamframe.io.http import HttpContent
from streamframe.io.http_client import Calls, get
from streamframe.io.http_errors import check_status, read_error
from streamframe.io.http_options import HttpOptions
from streamframe.io.http_stream import HttpStream
from streamframe.io.ranged import RangedFile, RangeIgnoredWarning
from streamframe.io.stream import closed_error

if TYPE_CHECKING:
    import aiohttp

# Holds the footer of most Parquet files, so that opening one is a single round trip.
_TAIL_BYTES = 1 << 16
_COPY_BYTES = 1 << 20
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


@dataclass(frozen=True)
class _Version:
    size: int
    etag: str | None
    modified: str | None

    @property
    def condition(self) -> dict[str, str]:
        """The header that makes the server refuse another version; a weak ETag cannot."""
        return {"If-Match": self.etag} if self.etag and not self.etag.startswith("W/") else {}


class HttpRangedFile(RangedFile):
    """A file on a web server; the server is first asked at the first use of `size` or `read_range`."""

    def __init__(self, label: str, url: str, fs: Any, options: HttpOptions) -> None:
        super().__init__(label)
        self._options = options
        self._url = url
        self._fs = fs
        self._calls = Calls(fs.loop, label)
        self._opening = threading.Lock()
        self._counting = threading.Lock()
        self._responses: set[aiohttp.ClientResponse] = set()
        self._bytes_read = 0
        self._version: _Version | None = None
        self._tail = b""
        self._download: HttpContent | None = None
        self._copy: IO[bytes] | None = None

    @property
    def size(self) -> int:
        return self._opened().size

    @property
    def bytes_read(self) -> int:
        return self._bytes_read

    def _read(self, offset: int, nbytes: int) -> bytes:
        version = self._opened()
        if self._copy is not None:
            with self._counting:
                if self._copy.closed:
                    raise closed_error(self.label)
                self._copy.seek(offset)
                return self._copy.read(nbytes)
        skipped = offset - (version.size - len(self._tail))
        if skipped >= 0:
            return self._tail[skipped : skipped + nbytes]
        data = self._calls.run(self._fetch(version, offset, nbytes))
        self._count(len(data))
        return data

    def _release(self) -> None:
        if self._download is not None:
            self._download.close()
        self._calls.close(self._disconnect)
        with self._counting:
            if self._copy is not None:
                self._copy.close()

    def __del__(self) -> None:
        with contextlib.suppress(Exception):
            self._calls.close(self._disconnect, wait=False)

    def _disconnect(self) -> None:
        for response in self._responses:
            response.close()

    def _opened(self) -> _Version:
        with self._opening:
            if self._version is None:
                whole = self._calls.run(self._probe())
                if whole is not None:
                    self._copy_whole(whole)
            assert self._version is not None
            self._check_expected(self._version.size)
            return self._version

    def _check_expected(self, size: int) -> None:
        expected = self._options.expect_bytes
        if expected is not None and size != expected:
            kind = TruncatedError if size < expected else SourceChangedError
            raise kind(f"{self.label} has {size:,} bytes, and expect_bytes is {expected:,}", source=self.label)

    async def _probe(self) -> aiohttp.ClientResponse | None:
        """Learn size and version; return a response with the whole file if ranges are ignored."""
        ours = {"Accept-Encoding": "identity"}
        response = await get(self._fs, self._url, {**ours, "Range": f"bytes=-{_TAIL_BYTES}"}, self._options)
        # Not every server knows a range from the end, so one from the start is tried too.
        if response.status in (400, 416, 501) or (
            response.status == 200 and "bytes" in response.headers.get("Accept-Ranges", "")
        ):
            response.close()
            response = await get(self._fs, self._url, {**ours, "Range": "bytes=0-0"}, self._options)
        if response.status == 416:
            # Only an empty file has no first byte.
            response.close()
            if response.headers.get("Content-Range", "").strip() not in ("bytes */0", "*/0"):
                raise self._wrong_range(response, "a range from its start")
            self._version = _Version(0, *_validators(response))
            return None
        check_status(response, self._url, wanted=(200, 206))
        if response.status == 200:
            self._responses.add(response)  # so that a close that comes now finds it
            return response
        start, end, size = self._content_range(response, "its last bytes")
        data = await self._body(response, end - start)
        self._version = _Version(size, *_validators(response))
        self._count(len(data))
        if end == size:
            self._tail = data
        return None

    async def _fetch(self, version: _Version, offset: int, nbytes: int) -> bytes:
        wanted = f"bytes={offset}-{offset + nbytes - 1}"
        headers = {"Accept-Encoding": "identity", "Range": wanted, **version.condition}
        response = await get(self._fs, self._url, headers, self._options)
        # A 416 too: our range lies inside the size that was pinned.
        if response.status in (412, 416):
            response.close()
            raise self._changed(f"the server answered {response.status}")
        check_status(response, self._url, wanted=(200, 206))
        if response.status == 200:
            # These bytes start at 0 again.
            response.close()
            if _validators(response) != (version.etag, version.modified):
                raise self._changed("its ETag or date is another")
            raise TransportError(
                f"{self.label} served ranges at first and now ignores them", source=self.label, byte_offset=offset
            )
        start, end, size = self._content_range(response, wanted)
        if _Version(size, *_validators(response)) != version:
            response.close()
            raise self._changed(f"size, ETag or date differ from when it was opened ({version.size:,} bytes)")
        if (start, end) != (offset, offset + nbytes):
            raise self._wrong_range(response, wanted)
        return await self._body(response, nbytes)

    async def _body(self, response: aiohttp.ClientResponse, nbytes: int) -> bytes:
        import aiohttp

        self._responses.add(response)
        content = response.content
        pieces: list[bytes] = []
        got = 0
        try:
            # Never more than the range, whatever the server sends.
            while got <= nbytes and (piece := await content.read(min(nbytes + 1 - got, _COPY_BYTES))):
                pieces.append(piece)
                got += len(piece)
        except TimeoutError as error:
            raise read_error(error, self.label, got, self._options.read_timeout_s) from error
        except (aiohttp.ClientError, OSError) as error:
            raise self._cut(got, nbytes) from error
        finally:
            self._responses.discard(response)
            response.close()
        if got < nbytes:
            raise self._cut(got, nbytes)
        if got > nbytes:
            raise TransportError(f"{self.label} sent more than the range that was asked for", source=self.label)
        return b"".join(pieces)

    def _content_range(self, response: aiohttp.ClientResponse, wanted: str) -> tuple[int, int, int]:
        """Return start, end (exclusive) and total size."""
        found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
        coding = response.headers.get("Content-Encoding", "identity")
        if found is None or coding != "identity":
            raise self._wrong_range(response, wanted)
        start, last, size = int(found[1]), int(found[2]), int(found[3])
        if not start <= last < size:
            raise self._wrong_range(response, wanted)
        return start, last + 1, size

    def _copy_whole(self, response: aiohttp.ClientResponse) -> None:
        warnings.warn(
            f"{self.label} does not serve ranges: the whole file is downloaded to a temporary file first",
            RangeIgnoredWarning,
            stacklevel=2,
        )
        body = HttpStream(self.label, self._url, self._fs, self._options, response=response)
        self._download = HttpContent(body, None, html_is_fine=False)
        copy = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        try:
            if self._closed:
                raise closed_error(self.label)
            with self._download, memoryview(bytearray(_COPY_BYTES)) as buffer:
                while count := self._download.read_into(buffer):
                    copy.write(buffer[:count])
                    self._count(count)
        except OSError as error:
            copy.close()
            if isinstance(error, SourceError):
                raise
            raise SourceError(
                f"{self.label}: the temporary copy cannot be written: {error.strerror}",
                source=self.label,
                hint=f"make room in {tempfile.gettempdir()}, or set TMPDIR to a place with more.",
            ) from error
        except BaseException:
            copy.close()
            raise
        self._version = _Version(copy.tell(), *_validators(response))
        self._copy = copy
        if self._closed:  # meanwhile, so `close` did not see it
            copy.close()

    def _count(self, nbytes: int) -> None:
        with self._counting:
            self._bytes_read += nbytes

    def _cut(self, got: int, nbytes: int) -> TruncatedError:
        return TruncatedError(
            f"{self.label} was cut off: {got:,} of a range of {nbytes:,} bytes came",
            source=self.label,
            byte_offset=got,
        )

    def _changed(self, how: str) -> SourceChangedError:
        return SourceChangedError(
            f"{self.label} was replaced while it was read: {how}", source=self.label, hint="run it again."
        )

    def _wrong_range(self, response: aiohttp.ClientResponse, wanted: str) -> TransportError:
        response.close()
        told = response.headers.get("Content-Range", "none")[:80]
        return TransportError(
            f"{self.label} answered {response.status} with another range than was asked for: "
            f"asked {wanted}, got Content-Range {told}",
            source=self.label,
        )


def _validators(response: aiohttp.ClientResponse) -> tuple[str | None, str | None]:
    return response.headers.get("ETag"), response.headers.get("Last-Modified")
