"""Who asks: the URL's user, `auth`, or an Authorization header, as the one header they all become.

Rule: they are for the host that the user named; `http_client` drops the header on the way to another.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from streamframe.errors import PlanError

if TYPE_CHECKING:
    import yarl


def basic(user: str, password: str, encoding: str = "utf-8") -> str:
    """Return the value of an Authorization header for a user and a password (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode(encoding)).decode()


def basic_of(auth: Any, name: str = "auth") -> str:
    """Return the same for ``("user", "password")`` or an `aiohttp.BasicAuth`.

    Raises
    ------
    PlanError
        If the option `name` is neither.
    """
    user, password, *encoding = user_and_password(auth, name)
    return basic(user, password, *encoding)


def user_and_password(auth: Any, name: str) -> tuple[str, ...]:
    """Return an option that names a user, if it does.

    Raises
    ------
    PlanError
        If it does not.
    """
    # A BasicAuth is a tuple too, of three: the last is its encoding.
    named = isinstance(auth, (tuple, list)) and len(auth) in (2, 3) and all(isinstance(one, str) for one in auth)
    if not named or ":" in auth[0]:
        raise PlanError(
            f"storage_options: {name} needs a user (without a colon) and a password",
            hint='such as ("user", "password"); a token goes into {"headers": {"Authorization": "Bearer …"}}.',
        )
    return tuple(auth)


def check_identity(url: str, storage_options: Mapping[str, Any]) -> None:
    """Refuse what names two users.

    Raises
    ------
    PlanError
        If more than one of the URL, `auth` and the headers says who asks.
    """
    auth = storage_options.get("auth")
    if auth is not None:
        basic_of(auth)
    given = {
        "a user in the URL": "@" in urlsplit(url).netloc,
        "auth": auth is not None,
        "an Authorization header": any(str(name).lower() == "authorization" for name in _headers(storage_options)),
    }
    several = [what for what, is_given in given.items() if is_given]
    if len(several) > 1:
        raise PlanError(f"storage_options: {' and '.join(several)} say who asks", hint="give one of them.")


def signed(url: yarl.URL, headers: dict[str, str], auth: Any) -> tuple[yarl.URL, dict[str, str]]:
    """Return the URL without a user, and the headers with whoever it or `auth` named."""
    if auth is not None:
        headers = {**headers, "Authorization": basic_of(auth)}
    elif url.user is not None or url.password is not None:
        headers = {**headers, "Authorization": basic(url.user or "", url.password or "")}
    return url.with_user(None), headers


def _headers(storage_options: Mapping[str, Any]) -> Mapping[str, Any]:
    headers = storage_options.get("headers")
    return headers if isinstance(headers, Mapping) else {}
