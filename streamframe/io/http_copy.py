"""A whole file of a web server in a temporary file: for ranges from a server that has none.

Rules: the file has no name, so nothing stays behind, however the process ends. It is complete and
verified before the first byte is read from it.
"""

from __future__ import annotations

import tempfile
import threading
from typing import IO, TYPE_CHECKING, Any

from streamframe.errors import BudgetError, SourceError
from streamframe.io.http import HttpContent
from streamframe.io.http_options import HttpOptions
from streamframe.io.http_stream import HttpStream
from streamframe.io.stream import closed_error

if TYPE_CHECKING:
    import aiohttp

_PIECE_BYTES = 1 << 20


class HttpCopy:
    """The copy; `fill` makes it, `close` may come from any thread at any time.

    Parameters
    ----------
    label, url, fs, options
        As for `HttpStream`.
    response
        An answer with the whole file, where there is one already.
    """

    def __init__(
        self, label: str, url: str, fs: Any, options: HttpOptions, *, response: aiohttp.ClientResponse | None
    ) -> None:
        self._label = label
        self._limit_bytes = options.max_copy_bytes
        self._content = HttpContent(
            HttpStream(label, url, fs, options, response=response), codec=None, html_is_fine=False
        )
        self._lock = threading.Lock()
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`

    @property
    def bytes_read(self) -> int:
        return self._content.bytes_read

    @property
    def retries(self) -> int:
        return self._content.retries

    def fill(self) -> int:
        """Download the file; return its size.

        Raises
        ------
        BudgetError
            If it is larger than the option `max_copy` allows.
        SourceError
            If it cannot be read whole, or not be stored.
        """
        written = 0
        try:
            with self._content, memoryview(bytearray(_PIECE_BYTES)) as buffer:
                while count := self._content.read_into(buffer):
                    written += count
                    self._check_limit(max(written, self._content.size or 0))
                    with self._lock:
                        self._check_open()
                        self._file.write(buffer[:count])
            with self._lock:
                self._check_open()
                self._file.flush()
        except OSError as error:
            self.close()
            if isinstance(error, SourceError):
                raise
            raise SourceError(
                f"{self._label}: the temporary copy cannot be written: {error.strerror}",
                source=self._label,
                hint=f"make room in {tempfile.gettempdir()}, or set TMPDIR to a place with more.",
            ) from error
        except BaseException:
            self.close()
            raise
        return written

    def read(self, offset: int, nbytes: int) -> bytes:
        """Return a range of the copy."""
        with self._lock:
            self._check_open()
            self._file.seek(offset)
            return self._file.read(nbytes)

    def close(self) -> None:
        """Free a stalled download and drop the copy."""
        self._content.close()
        with self._lock:
            self._file.close()

    def _check_open(self) -> None:
        if self._file.closed:
            raise closed_error(self._label)

    def _check_limit(self, nbytes: int) -> None:
        limit = self._limit_bytes
        if limit is not None and nbytes > limit:
            raise BudgetError(
                f"{self._label} has to be copied to a temporary file, and with {nbytes:,} bytes is larger than "
                f"max_copy allows ({limit:,})",
                source=self._label,
                hint='allow more with storage_options={"max_copy": "20GB"}.',
            )
