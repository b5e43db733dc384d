"""What a request or a body that failed means: one more attempt (`Trouble`), or the end.

Rule: `retry` knows what is temporary, `http_errors` what it is called; here the two meet, for bodies
read in order and for ranges alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamframe.errors import SourceError, StreamError, TruncatedError
from streamframe.io.http_errors import read_error, shown, status_error, translated
from streamframe.io.retry import Trouble, is_temporary, is_temporary_status, retry_after_s

if TYPE_CHECKING:
    import aiohttp


def no_answer(error: BaseException, label: str, secrets: tuple[str, ...], *, reached: bool) -> Exception:
    """Return what to raise for a request that got no answer; its cause is set.

    Parameters
    ----------
    error
        What aiohttp raised.
    label, secrets
        The source, and what must not be shown.
    reached
        The server has answered before.
    """
    if isinstance(error, StreamError):
        return error
    typed, cause = translated(error, label, secrets), shown(error, secrets)
    if isinstance(typed, SourceError) and is_temporary(error, reached=reached):
        return Trouble(typed, cause)
    typed.__cause__ = cause
    return typed


def refused(response: aiohttp.ClientResponse, url: str) -> Exception:
    """Close the response, and return what to raise for its status."""
    error, wait_s = status_error(response, url), retry_after_s(response.headers)
    return Trouble(error, wait_s=wait_s) if is_temporary_status(response.status) else error


def interrupted(
    error: BaseException, cut: TruncatedError, secrets: tuple[str, ...], *, timeout_s: float | None
) -> Exception:
    """Return what to raise for a body that broke off; its cause is set.

    Parameters
    ----------
    error
        What aiohttp raised.
    cut
        What to say if the connection ended too early; it knows the source and how far we got.
    secrets
        What must not be shown.
    timeout_s
        The wait for a byte that may have been too long.
    """
    label, got = str(cut.source), cut.byte_offset or 0
    cause = shown(error, secrets)
    if isinstance(error, TimeoutError):
        return Trouble(read_error(error, label, got, timeout_s), cause)
    if is_temporary(error, reached=True):
        # A body that ends early and a connection that ends are the same thing to aiohttp, and to us.
        return Trouble(cut, cause)
    final = read_error(error, label, got)
    final.__cause__ = cause
    return final
