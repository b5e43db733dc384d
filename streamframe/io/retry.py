"""What is worth another attempt, how many there are, and how long to wait before each.

Rules: this is the one place that decides it. Attempts count in a row without a new byte; a new byte
starts the count again. A server that names a time (Retry-After) is waited for, `MAX_WAIT_S` at most.

stamina and tenacity do not fit: their count belongs to one call and cannot start again when bytes
arrive in the middle, the first attempt after a drop must be at once, and stamina logs the call's
arguments, which hold secrets here. The wait is a plain `asyncio.sleep` in the stream's own coroutine:
other streams of the loop go on, and `close` cancels it.
"""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from streamframe.errors import SourceError

MAX_WAIT_S = 60.0
_FIRST_WAIT_S = 0.2
_LONGEST_BACKOFF_S = 10.0
_TEMPORARY_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})


class Trouble(Exception):  # noqa: N818 - a carrier, never seen by users
    """A failure that another attempt may mend, and the error to raise if none does.

    Parameters
    ----------
    error
        What the user gets in the end.
    cause
        What to show as its cause; holds no secret.
    wait_s
        How long the server asks to wait, at least.
    """

    def __init__(self, error: SourceError, cause: BaseException | None = None, *, wait_s: float | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.cause = cause
        self.wait_s = wait_s


class Attempts:
    """The attempts of one stream.

    Attributes
    ----------
    made : int
        How many there were beyond the first.
    """

    def __init__(self, retries: int) -> None:
        self.made = 0
        self._retries = retries
        self._in_vain = 0
        self._flowed = False

    def progressed(self) -> None:
        """Start the count again: a byte came that had not come before."""
        self._in_vain = 0
        self._flowed = True

    async def wait_after(self, trouble: Trouble) -> None:
        """Wait until the next attempt is due; raise the trouble's error if there is none left."""
        flowed, self._flowed = self._flowed, False
        self._in_vain += 1
        if self._in_vain > self._retries:
            if self._in_vain > 1:
                times = "1 more attempt" if self._retries == 1 else f"{self._retries} more attempts"
                trouble.error.message += f" (gave up after {times} that brought nothing new)"
            raise trouble.error from trouble.cause
        self.made += 1
        # A body that broke off says nothing about the server's load, so one attempt comes at once.
        backoff = 0.0 if flowed else backoff_s(self._in_vain)
        await asyncio.sleep(max(backoff, trouble.wait_s or 0.0))


def backoff_s(attempt: int) -> float:
    """Return the wait before the `attempt`-th try, from 1; random, so that clients do not come back at once."""
    longest = min(_LONGEST_BACKOFF_S, _FIRST_WAIT_S * 2.0 ** min(attempt - 1, 10))
    return random.uniform(longest / 2, longest)


def is_temporary_status(status: int) -> bool:
    """Whether the same request may get another answer soon."""
    return status in _TEMPORARY_STATUSES


def is_temporary(error: BaseException, *, reached: bool) -> bool:
    """Whether another attempt may mend a failed request or body.

    Parameters
    ----------
    error
        What aiohttp or the socket raised.
    reached
        The server has answered this stream before. A place that never answered is more likely
        mistyped than down, and to say so at once is better than to try for minutes.
    """
    import aiohttp

    if isinstance(error, (aiohttp.ClientSSLError, aiohttp.ServerFingerprintMismatch)):
        return False
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return error.os_error.errno == socket.EAI_AGAIN
    if isinstance(error, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)):
        return reached
    if isinstance(error, (TimeoutError, aiohttp.ClientPayloadError)):
        return True
    return reached and isinstance(error, (aiohttp.ClientConnectionError, ConnectionError, RuntimeError))


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return how long an answer asks to wait, `MAX_WAIT_S` at most; None if it does not say."""
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        # The length first: int() refuses thousands of digits.
        return MAX_WAIT_S if len(value) > 9 else min(float(value), MAX_WAIT_S)
    until = http_date(value)
    if until is None:
        return None
    # Counted on the server's own clock where it shows one: ours may be hours off.
    now = http_date(headers.get("Date", "")) or datetime.now(UTC)
    return min(max((until - now).total_seconds(), 0.0), MAX_WAIT_S)


def http_date(text: str) -> datetime | None:
    """Return the moment that a header names, or None if it is not one."""
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, IndexError, TypeError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
