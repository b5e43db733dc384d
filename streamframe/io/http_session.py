"""The session of a filesystem: what all of its requests have in common.

Rules: a session is fsspec's to keep and to close. fsspec shares a filesystem among all who give the
same options, so each set of allowed addresses has a session, and a pool of connections, of its own.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from streamframe._version import __version__
from streamframe.io.http_identity import basic_of
from streamframe.io.http_reach import Reach

if TYPE_CHECKING:
    import aiohttp

USER_AGENT = f"streamframe/{__version__}"

# aiohttp reads these once, when it is imported; a notebook sets them when the first download has failed.
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


@dataclass(frozen=True)
class Client:
    """Makes sessions: fsspec's `get_client`.

    fsspec tells options apart by their repr. So whatever a session depends on is a field, and nothing
    that is secret.
    """

    reach: Reach
    certificates: tuple[str | None, ...]

    @classmethod
    def of(cls, storage_options: Mapping[str, Any]) -> Client:
        """Return the maker for these options, in this environment."""
        reach = Reach.of(storage_options)
        return cls(reach if reach.by_address else Reach(), tuple(map(os.environ.get, _CERTIFICATES)))

    async def __call__(self, **client_kwargs: Any) -> aiohttp.ClientSession:
        """Make a session; to be called on fsspec's loop."""
        import aiohttp

        from streamframe.io.http_connector import connector

        # The proxy is chosen for each request, and aiohttp warns of these two.
        for name in ("proxy", "proxy_auth"):
            client_kwargs.pop(name, None)
        headers = {"User-Agent": USER_AGENT}
        auth = client_kwargs.pop("auth", None)
        if auth is not None:
            headers["Authorization"] = basic_of(auth)
        theirs = dict(client_kwargs.pop("headers", None) or {})
        named = {name.lower() for name in theirs}
        headers = {name: value for name, value in headers.items() if name.lower() not in named} | theirs
        if client_kwargs.get("connector") is None:
            client_kwargs["connector"] = connector(self.reach, own_certificates=any(self.certificates))
        return aiohttp.ClientSession(headers=headers, **client_kwargs)


def bare_session(session: aiohttp.ClientSession) -> aiohttp.ClientSession:
    """Return a session on the same connections that knows no headers, no auth and no cookies; to be detached."""
    import aiohttp

    return aiohttp.ClientSession(
        connector=session.connector,
        connector_owner=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": USER_AGENT},
    )
