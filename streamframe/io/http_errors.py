"""What a server's refusal, or a failure of the network, is called for the user.

Rule: statuses and aiohttp's exceptions become typed errors here and nowhere else, without secrets.
"""

from __future__ import annotations

import asyncio
import errno
import re
import socket
from typing import TYPE_CHECKING, Any

from streamframe.errors import PlanError, SourceChangedError, SourceError, StreamError, TransportError, TruncatedError
from streamframe.io.http_proxy import environment_proxies
from streamframe.io.redact import redact, redact_text, secrets_in, secrets_of, shows_secrets

if TYPE_CHECKING:
    import aiohttp

_PROXY_HINT = (
    "the proxy comes from storage_options or from HTTP_PROXY and HTTPS_PROXY, its user and password are part of its "
    'URL; NO_PROXY, or {"proxy": None}, goes around it.'
)
_UNKNOWN_AUTHORITY_HINT = (
    "if its authority is your own, name its file in SSL_CERT_FILE, or pass "
    'storage_options={"ssl": ssl.create_default_context(cafile="…")}.'
)
_WRONG_HOST_HINT = "it belongs to another server: check the URL's host."
_OVER_HINT = "its dates are for the server's owner to mend; check this machine's clock too."
# OpenSSL's X509_V_ERR numbers.
_CERTIFICATE_HINTS = {9: _OVER_HINT, 10: _OVER_HINT, 62: _WRONG_HOST_HINT, 64: _WRONG_HOST_HINT}


_BRIEF_CHARS = 200


def connection_errors() -> tuple[type[Exception], ...]:
    """Return what aiohttp and the sockets below it raise; a function, so that importing us does not import it."""
    import aiohttp

    return aiohttp.ClientError, *parser_errors(), OSError, ValueError


def parser_errors() -> tuple[type[Exception], ...]:
    """Return what aiohttp raises for an answer that is not HTTP."""
    from aiohttp.http_exceptions import HttpProcessingError

    return (HttpProcessingError,)


def body_errors() -> tuple[type[Exception], ...]:
    """Return the same for a body; aiohttp says RuntimeError where a connection went in a chunk's frame."""
    return (*connection_errors(), RuntimeError)


def check_status(response: aiohttp.ClientResponse, url: str, *, wanted: tuple[int, ...] = (200,)) -> None:
    """Raise the typed error that a status stands for, unless it is wanted; close the response then."""
    if response.status not in wanted:
        raise status_error(response, url)


def status_error(response: aiohttp.ClientResponse, url: str) -> SourceError:
    """Close the response and return the typed error that its status stands for."""
    status = response.status
    label = redact(url)
    response.close()
    # Some servers repeat what they were sent.
    sent = response.request_info
    secrets = (*secrets_of(url), *secrets_of(str(sent.url)), *secrets_in({"headers": dict(sent.headers)}))
    said = f"{label} answered {status} {redact_text(response.reason or '', secrets)}".rstrip()
    if status in (404, 410):
        error = SourceError.missing(label)
        error.errno = errno.ENOENT
        if "*" in url.partition("?")[0]:
            error.hint = "a web server has no listing, so a glob cannot work: give a list of URLs."
        return error
    if status in (401, 403):
        return SourceError(
            f"{said}: access is refused",
            source=label,
            hint='pass storage_options={"auth": ("user", "password")}, or {"headers": {"Authorization": "Bearer …"}} '
            "for a token; or a new link if this one has expired.",
        )
    if status == 407:
        return TransportError(f"{label}: the proxy answered 407: it wants a user", source=label, hint=_PROXY_HINT)
    if status == 429 or status >= 500:
        wait = response.headers.get("Retry-After")
        return TransportError(
            said + (f" and asks to wait (Retry-After: {redact_text(wait, secrets)[:40]})" if wait else ""),
            source=label,
            hint="the server is busy or broken: try again later.",
        )
    if status == 204:
        return SourceError(f"{said}: there is nothing to read", source=label)
    return TransportError(said, source=label)


def read_error(error: BaseException, label: str, got: int, timeout_s: float | None = None) -> TransportError:
    """Translate what failed between two pieces of a body, after `got` bytes of it."""
    if isinstance(error, asyncio.TimeoutError):
        limit = f" ({timeout_s:g} s)" if timeout_s else ""
        return TransportError(
            f"{label} sent nothing for a long time{limit}",
            source=label,
            byte_offset=got,
            hint='a server that needs longer is waited for with storage_options={"read_timeout": seconds}.',
        )
    return TransportError(f"{label} lost the connection: {_brief(error)}", source=label, byte_offset=got)


def truncated(label: str, got: int, wanted: int | None) -> TruncatedError:
    """Say that a body ended after `got` of `wanted` bytes."""
    expected = f"{wanted:,} bytes were announced" if wanted is not None else "its end never came"
    return TruncatedError(
        f"{label} was cut off: {got:,} bytes came, {expected}",
        source=label,
        byte_offset=got,
        hint="the server or the network stopped early: run it again.",
    )


def source_changed(label: str, how: str, offset: int | None = None) -> SourceChangedError:
    """Say that a file became another one before all of it was read."""
    return SourceChangedError(
        f"{label} was replaced while it was read: {how}", source=label, byte_offset=offset, hint="run it again."
    )


def wrong_range(label: str, status: int, asked: str, told: str | None, offset: int | None = None) -> TransportError:
    """Say that an answer holds, by its Content-Range, other bytes than were asked for."""
    # Anything else may be an echo of our own headers.
    got = (told or "none") if re.fullmatch(r"(bytes )?[\d*/-]{0,60}", told or "") else "that is no range"
    return TransportError(
        f"{label} answered {status} with another range than was asked for: asked {asked}, got Content-Range {got}",
        source=label,
        byte_offset=offset,
    )


def unexpected(label: str, got: int, how: str) -> SourceChangedError:
    """Say that a whole body is another one than the user named."""
    return SourceChangedError(f"{label} is not the file that was expected: {how}", source=label, byte_offset=got)


def translated(error: BaseException, label: str, secrets: tuple[str, ...]) -> StreamError:
    """Return the typed error for a request that got no answer."""
    import aiohttp

    if isinstance(error, (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError)):
        return PlanError(f"{label} is not a valid URL")
    if isinstance(error, asyncio.TimeoutError):
        return TransportError(f"{label} did not answer in time", source=label, hint="is the host right, and up?")
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return _bad_certificate(error.certificate_error, label)
    if isinstance(error, aiohttp.ClientSSLError) or "[SSL" in str(error):
        # What servers say to a client without a certificate, from TLS 1.3 on and before.
        wants_ours = any(alert in str(error) for alert in ("CERTIFICATE_REQUIRED", "HANDSHAKE_FAILURE"))
        return TransportError(
            f"{label}: no secure connection: {redact_text(str(error), secrets)}",
            source=label,
            hint='if it wants a certificate of yours, pass storage_options={"ssl": …}, a context with load_cert_chain.'
            if wants_ours
            else "does the server speak https at this port?",
        )
    if isinstance(error, aiohttp.ClientHttpProxyError):
        reason = redact_text(f"{error.status} {error.message}".rstrip(), secrets)
        return TransportError(f"{label}: the proxy answered {reason}", source=label, hint=_PROXY_HINT)
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        place = f"{error.host}:{error.port}"
        return TransportError(f"{label}: the proxy {place} cannot be reached", source=label, hint=_PROXY_HINT)
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        if error.os_error.errno == socket.EAI_AGAIN:
            return TransportError(f"{label}: the host name cannot be looked up now", source=label)
        return TransportError(f"{label}: the host name is not known", source=label, hint="check the URL's host.")
    if isinstance(error, (*parser_errors(), aiohttp.ClientResponseError)):
        said = _brief(getattr(error, "message", ""), secrets)
        return TransportError(
            f"{label} answered what is not valid HTTP: {said}",
            source=label,
            hint="is this a web server? The header, or the body's announced length, is damaged.",
        )
    if isinstance(error, aiohttp.ServerDisconnectedError):
        # What aiohttp says of it may be half of a header, with cookies.
        return TransportError(f"{label} closed the connection before its answer was complete", source=label)
    return TransportError(f"{label} cannot be reached: {_brief(error, secrets)}", source=label)


def _brief(error: object, secrets: tuple[str, ...] = ()) -> str:
    """Return a foreign message without secrets, and without the pages of data that some quote."""
    first_line = redact_text(str(error), secrets).strip().partition("\n")[0].rstrip(": ")
    return first_line[:_BRIEF_CHARS] or type(error).__name__


def _bad_certificate(error: Exception, label: str) -> TransportError:
    code, said = getattr(error, "verify_code", 0), getattr(error, "verify_message", None) or str(error)
    return TransportError(
        f"{label}: no secure connection, as the server's certificate is refused: {said}",
        source=label,
        hint=_CERTIFICATE_HINTS.get(code, _UNKNOWN_AUTHORITY_HINT),
    )


def shown(error: BaseException, secrets: tuple[str, ...]) -> BaseException | None:
    """Return a cause for the traceback, unless it would show a secret, or quote headers or pages of data."""
    import aiohttp

    if isinstance(error, aiohttp.ServerDisconnectedError) and not isinstance(error.message, str):
        return None
    hidden = len(f"{error} {error!r}") > 4 * _BRIEF_CHARS or shows_secrets(error, secrets)
    return None if hidden else error


def secrets_sent(fs: Any, url: str) -> tuple[str, ...]:
    """Return what no text may show: the URL's secrets, those of the user's options and of the environment's proxies."""
    given = (fs.kwargs, fs.client_kwargs, {"proxy": environment_proxies()})
    return (*secrets_of(url), *(secret for options in given for secret in secrets_in(options)))
