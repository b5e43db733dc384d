"""Which proxy a request goes through: the one in `storage_options`, else the environment's.

Rules: the environment is read as curl reads it: HTTP_PROXY (by its lower case name first, and never in
a CGI script, where a client could set it), HTTPS_PROXY, ALL_PROXY, and NO_PROXY with names, networks
and ``*``. aiohttp's own `trust_env` would send the passwords of ``~/.netrc`` as well, so it stays off.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any

from streamframe.errors import PlanError
from streamframe.io.http_identity import user_and_password
from streamframe.io.redact import redact

if TYPE_CHECKING:
    import yarl

_WITH_PORT = re.compile(r"(?P<host>\[[^\]]*\]|[^:]*):(?P<port>\d{1,5})")


@dataclass(frozen=True)
class Proxies:
    """The proxies of one request and its redirects.

    Attributes
    ----------
    given : yarl.URL or None
        What the user named.
    from_environment : bool
        The environment decides.
    headers : mapping of str to str
        For the proxy alone.
    """

    given: yarl.URL | None
    from_environment: bool
    headers: Mapping[str, str]

    @classmethod
    def taken_from(
        cls, request: dict[str, Any], client_kwargs: Mapping[str, Any], *, with_environment: bool
    ) -> Proxies:
        """Take what is said of proxies out of a request's options.

        Parameters
        ----------
        request
            Changed. ``proxy=None`` in it means that there is none.
        client_kwargs
            The session's; they count where the request's do not name a proxy.
        with_environment
            False for a session that a user has made: it knows its proxies itself.
        """
        asked = dict(client_kwargs) if "proxy" not in request else request
        proxy, auth = asked.get("proxy"), asked.get("proxy_auth")
        from_environment = with_environment and "proxy" not in asked and bool(client_kwargs.get("trust_env", True))
        headers = dict(request.pop("proxy_headers", None) or {})
        for name in ("proxy", "proxy_auth"):
            request.pop(name, None)
        return cls(_proxy(proxy, auth) if proxy else None, from_environment, headers)

    def added(self, url: yarl.URL, request: dict[str, Any]) -> dict[str, Any]:
        """Return a request's options with the proxy for a URL, if there is one."""
        proxy = environment_proxy(url) if self.from_environment else self.given
        if proxy is None:
            return request
        if url.scheme == "https":
            return {**request, "proxy": proxy, "proxy_headers": self.headers}
        # Without a tunnel the proxy reads the request itself; aiohttp leaves these out there.
        return {**request, "proxy": proxy, "headers": {**request["headers"], **self.headers}}


def check_proxy(storage_options: Mapping[str, Any]) -> None:
    """Refuse a proxy that cannot be used.

    Raises
    ------
    PlanError
        If it is not the URL of one.
    """
    Proxies.taken_from(dict(storage_options), storage_options.get("client_kwargs") or {}, with_environment=False)


def environment_proxy(url: yarl.URL) -> yarl.URL | None:
    """Return the proxy that the environment names for a URL, or None.

    Raises
    ------
    PlanError
        If it is not one that can be used.
    """
    named = environment_proxies()
    proxy = named.get(url.scheme) or named.get("all")
    if not proxy or _is_direct(url, named.get("no", "")):
        return None
    return _proxy(proxy)


def environment_proxies() -> dict[str, str]:
    """Return what the environment says of proxies, by scheme; ``"no"`` has the exceptions."""
    from urllib.request import getproxies_environment  # costs an import of http.client and email

    return getproxies_environment()


def _proxy(value: Any, auth: Any = None) -> yarl.URL:
    import yarl

    text = str(value)
    try:
        proxy = yarl.URL(text if "://" in text else f"http://{text}")
        usable = proxy.scheme in ("http", "https") and bool(proxy.host)
    except ValueError:
        usable = False
    if not usable:
        raise PlanError(
            f"the proxy {redact(text if '://' in text else f'http://{text}')} cannot be used",
            hint="it needs to be http://host:port; it comes from storage_options, or from HTTP_PROXY and HTTPS_PROXY.",
        )
    # aiohttp tells the user of a proxy's URL to the proxy, whether it forwards or tunnels.
    user, password = user_and_password(auth, "proxy_auth")[:2] if auth else (proxy.user, proxy.password)
    return proxy.with_user(user).with_password(password)


def _is_direct(url: yarl.URL, no_proxy: str) -> bool:
    host = (url.host or "").rstrip(".").lower()
    for entry in no_proxy.lower().replace(",", " ").split():
        with_port = _WITH_PORT.fullmatch(entry)
        if with_port and int(with_port["port"]) != url.port:
            continue
        name = (with_port["host"] if with_port else entry).strip("[]").lstrip(".")
        if name == "*" or host == name or host.endswith(f".{name}"):
            return True
        with contextlib.suppress(ValueError):
            if ip_address(host) in ip_network(name, strict=False):
                return True
    return False
