"""One request, and the redirects that it is answered with.

Rules:
- At most `MAX_REDIRECTS`, never from https to http, and only where the user allows it (`http_reach`).
- What the user gave for one host is not sent to another scheme, host or port: headers, auth, cookies,
  the URL's user, `params`; and not to the first one either when a redirect leads back. TLS settings and
  proxies stay: a company's CA and its proxy are for all hosts.
- What a redirect puts into its URL as a user is not ours to send.
- The body comes as it is on the wire: aiohttp would hide that a compressed one was cut.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from streamframe.errors import PlanError, TransportError
from streamframe.io.http_identity import signed
from streamframe.io.http_options import HttpOptions, request_options
from streamframe.io.http_proxy import Proxies
from streamframe.io.http_reach import HostRefusedError, Reach
from streamframe.io.http_session import Client, bare_session
from streamframe.io.redact import redact

if TYPE_CHECKING:
    import aiohttp
    import yarl

MAX_REDIRECTS = 5
# aiohttp stops reading from the socket above twice this, so TCP pushes back on the server.
BUFFER_BYTES = 1 << 19

# What still makes sense for a host that the user did not name.
_NEUTRAL_OPTIONS = {"ssl", "ssl_context", "timeout"}


async def ask(fs: Any, url: str, headers: Mapping[str, str], options: HttpOptions) -> aiohttp.ClientResponse:
    """Send a GET and return the response to it, whatever its status, with the body unread.

    Parameters
    ----------
    fs
        fsspec's HTTP filesystem.
    url
        Where to start.
    headers
        Ours. The user's are added, and win where both name `Accept-Encoding`.
    options
        For their timeouts, and for what may be reached.

    Raises
    ------
    TransportError
        If there are too many redirects, or a place may not be reached.
    PlanError
        If the options cannot be kept.
    Exception
        What aiohttp raises, for the caller to judge.
    """
    label = redact(url)
    session = await fs.set_session()
    is_ours = isinstance(fs.get_client, Client)
    if options.reach.by_address and not is_ours:
        raise PlanError(
            "allow_hosts and block_private need a session of our own, and this filesystem has another",
            hint="pass the URL as a str, and no get_client.",
        )
    request = request_options(fs.kwargs)
    proxies = Proxies.taken_from(request, fs.client_kwargs, with_environment=is_ours)
    most = MAX_REDIRECTS if request.pop("allow_redirects", True) else 0
    request.pop("max_redirects", None)
    if "timeout" not in fs.client_kwargs:
        request.setdefault("timeout", options.client_timeout)
    place, request["headers"] = signed(
        fs.encode_url(url), _merged(headers, request.get("headers")), request.pop("auth", None)
    )
    foreign: aiohttp.ClientSession | None = None
    try:
        for hops in range(most + 1):
            how = f"{label} redirects to {redact(str(place))}, which" if hops else label
            response = await _get(foreign or session, place, proxies.added(place, request), options.reach, label, how)
            target = response.headers.get("Location")
            if response.status not in (301, 302, 303, 307, 308) or target is None:
                return response
            response.close()
            before, place = place, _redirected(place, target, label)
            if place.origin() != before.origin() and foreign is None:
                # The session's own defaults would go along too, so the rest of the way has another.
                foreign = bare_session(session)
                request = {name: value for name, value in request.items() if name in _NEUTRAL_OPTIONS}
                request.setdefault("timeout", options.client_timeout)
                request["headers"] = dict(headers)
            request.pop("params", None)  # they were for the first URL
    finally:
        if foreign is not None:
            foreign.detach()
    raise TransportError(f"{label} redirects more than {most} times", source=label)


async def _get(
    session: aiohttp.ClientSession, url: yarl.URL, request: dict[str, Any], reach: Reach, label: str, how: str
) -> aiohttp.ClientResponse:
    import aiohttp

    reason = reach.refuses_host(url.raw_host or "")
    if reason is None:
        if reach.by_address and request.get("proxy") is not None:
            raise PlanError(
                f"{label}: block_private, or a network in allow_hosts, cannot be kept behind a proxy, "
                "which looks up the names itself",
                hint='connect directly with {"proxy": None} in storage_options, or allow names alone.',
            )
        try:
            return await session.get(
                url, **request, allow_redirects=False, auto_decompress=False, read_bufsize=BUFFER_BYTES
            )
        except aiohttp.ClientConnectorDNSError as error:
            if not isinstance(error.os_error, HostRefusedError):
                raise
            reason = str(error.os_error)
    raise TransportError(
        f"{how} may not be reached: {reason}",
        source=label,
        hint="allow_hosts and block_private in storage_options decide it.",
    )


def _redirected(url: yarl.URL, target: str, label: str) -> yarl.URL:
    import yarl

    try:
        after = url.join(yarl.URL(target, encoded=True))
        shown = redact(str(after))
        is_web = after.scheme in ("http", "https") and bool(after.host) and after.port is not None
    except ValueError:
        is_web, shown = False, "what is not a URL"
    if not is_web:
        raise TransportError(f"{label} redirects to {shown}, which is not http(s)", source=label)
    if (url.scheme, after.scheme) == ("https", "http"):
        raise TransportError(
            f"{label} redirects from https to http ({shown})",
            source=label,
            hint="if you trust that place, pass its URL.",
        )
    return after.with_user(None)


def _merged(ours: Mapping[str, str], theirs: Any) -> dict[str, str]:
    """Add the user's headers to ours; only the coding is theirs to choose."""
    named = {name.lower() for name in theirs or {}}
    kept = {name: value for name, value in ours.items() if name != "Accept-Encoding" or name.lower() not in named}
    taken = {name.lower() for name in kept}
    return kept | {name: value for name, value in dict(theirs or {}).items() if name.lower() not in taken}
