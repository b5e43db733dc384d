"""The middle of a file on a web server, from one version of it.

Rules:
- The first answer pins the version (size, ETag, Last-Modified); every later one must name the
  same, and exactly the range that was asked for.
- A range that breaks off goes on where it stopped, as often as `retry` allows.
- A server that ignores ranges is read once, whole, into a temporary file.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from typing import Any

from streamframe.errors import SourceChangedError, SourceError, TruncatedError
from streamframe.io.http_client import Calls
from streamframe.io.http_copy import HttpCopy
from streamframe.io.http_options import HttpOptions
from streamframe.io.http_range_requests import PinnedVersion, RangeRequests
from streamframe.io.ranged import Put, RangedFile, RangeIgnoredWarning, at_once, gathered, parts
from streamframe.io.retry import Attempts, Trouble
from streamframe.warn import warn

# As many as a browser makes to one host. A request waits mostly for its first byte.
_PARALLEL_RANGES = 6
# A longer range is asked for in parts, so that one large chunk uses several connections too.
_MAX_RANGE_BYTES = 8 << 20


class HttpRangedFile(RangedFile):
    """A file on a web server; the server is first asked at the first use of `size` or `read_range`."""

    def __init__(self, label: str, url: str, fs: Any, options: HttpOptions) -> None:
        super().__init__(label)
        self._options = options
        self._url = url
        self._fs = fs
        self._calls = Calls(fs.loop, label)
        self._opening = threading.Lock()
        self._requests = RangeRequests(label, url, fs, options)
        self._bytes_read = 0
        self._retries = 0
        self._version: PinnedVersion | None = None
        self._copy: HttpCopy | None = None

    @property
    def size(self) -> int:
        return self._opened().size

    @property
    def bytes_read(self) -> int:
        return self._bytes_read + (self._copy.bytes_read if self._copy is not None else 0)

    @property
    def retries(self) -> int:
        return self._retries + (self._copy.retries if self._copy is not None else 0)

    def _read(self, offset: int, nbytes: int) -> bytes:
        return gathered(self._read_all, offset, nbytes)

    def _read_all(self, ranges: Sequence[tuple[int, int]], put: Put) -> None:
        version = self._opened()
        if self._copy is not None:
            for offset, nbytes in ranges:
                put(offset, self._copy.read(offset, nbytes))
            return
        tail_start = version.size - len(version.tail)
        asked = []
        for offset, nbytes in ranges:
            if offset >= tail_start:
                put(offset, version.tail[offset - tail_start :][:nbytes])
            else:
                asked += parts(offset, nbytes, _MAX_RANGE_BYTES)
        self._calls.run(self._fetch_all(version, asked, put))

    def _release(self) -> None:
        copy = self._copy
        if copy is not None:
            copy.close()
        self._calls.close(self._requests.disconnect)

    def __del__(self) -> None:
        with contextlib.suppress(Exception):
            self._calls.close(self._requests.disconnect, wait=False)

    def _opened(self) -> PinnedVersion:
        with self._opening:
            if self._version is None:
                found = self._open()
                self._check_expected(found.size)
                self._version = found
            return self._version

    def _open(self) -> PinnedVersion:
        options = self._options
        if options.expect_sha256 is None:
            found = self._calls.run(self._persist(self._requests.probe))
            if isinstance(found, PinnedVersion):
                self._bytes_read += len(found.tail)
                return found
            warn(
                f"{self.label} does not serve ranges: the whole file is downloaded to a temporary file first",
                RangeIgnoredWarning,
            )
        else:
            # Only the whole file can be held against it.
            found = None
        self._copy = HttpCopy(self.label, self._url, self._fs, options, response=found)
        if self._closed:  # meanwhile, so `close` did not see it
            self._copy.close()
        return PinnedVersion(self._copy.fill(), None, None)

    def _check_expected(self, size: int) -> None:
        expected = self._options.expect_bytes
        if expected is not None and size != expected:
            kind = TruncatedError if size < expected else SourceChangedError
            raise kind(f"{self.label} has {size:,} bytes, and expect_bytes is {expected:,}", source=self.label)

    async def _persist(self, step: Any) -> Any:
        """Run a step, and again after each trouble that another attempt may mend."""
        attempts = Attempts(self._options.retries)
        while True:
            try:
                return await step()
            except Trouble as trouble:
                await attempts.wait_after(trouble)
                self._retries += 1

    async def _fetch_all(self, version: PinnedVersion, ranges: Sequence[tuple[int, int]], put: Put) -> None:
        """Fetch several ranges at once. All that is held is one piece for each connection."""

        async def fetch(offset: int, nbytes: int) -> None:
            await self._fetch(version, offset, nbytes, put)

        await at_once(ranges, fetch, most=_PARALLEL_RANGES)

    async def _fetch(self, version: PinnedVersion, offset: int, nbytes: int, put: Put) -> None:
        attempts, end = Attempts(self._options.retries), offset + nbytes
        while offset < end:
            try:
                async for piece in self._requests.pieces(version, offset, end):
                    put(offset, piece)
                    offset += len(piece)
                    self._bytes_read += len(piece)
                    attempts.progressed()
            except Trouble as trouble:
                trouble.error.locate(byte_offset=offset)
                await attempts.wait_after(trouble)
                self._retries += 1
            except SourceError as error:
                raise error.locate(byte_offset=offset) from error.__cause__
