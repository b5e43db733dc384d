"""What may be shown of a path or a URL.

Rule: every label, message and repr of streamframe passes through here. Signed URLs carry
their key in the query, others in the userinfo; so a name stays and its value never does.
"""

from __future__ import annotations

import base64
import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote

_HIDDEN = "***"
_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]*://)(?P<rest>[^\s'\"<>]*)")

# An unescaped "/", "?" or "#" in a password ends the authority too soon. What looks like a port is no number then.
_CUT_USERINFO = re.compile(r"[^/?#@\[\]]*:(?!\d*([/?#]|\Z))[^/?#@]*[/?#].*@", re.S)

# By these names libraries take what is not for everyone's eyes; all below them is secret.
_SENSITIVE = re.compile(r"header|auth|cookie|param|key|secret|token|pass|credential|signature|\bsas|proxy", re.I)

# Only a "::" that starts another link cuts: a name may hold one too.
_NEXT_LINK = re.compile(r"::(?=[A-Za-z][A-Za-z0-9+.\-]*(?:://|::))")


def redact(uri: str) -> str:
    """Return `uri` as it may be shown: no userinfo, no query values, no fragment.

    Text without ``://`` is a local path and is returned as it is.

    Examples
    --------
    >>> redact("https://me:pw@host/a.csv?token=abc#x")
    'https://host/a.csv?token=***'
    """
    if "://" not in uri:
        return uri
    # A chained URL holds several; each is cleaned alone.
    return "::".join(_redact_one(link) if "://" in link else link for link in links(uri))


def redact_text(text: str, secrets: Iterable[str] = ()) -> str:
    """Return a foreign message with every URL in it redacted and every secret removed.

    Parameters
    ----------
    text
        A message of a library that may quote the URL it was given.
    secrets
        Values that must not show even outside of a URL, such as a header's value.
    """
    text = _URL.sub(lambda found: redact(found[0]), text)
    # Longest first: a secret that contains another must go as a whole.
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, _HIDDEN)
    return text


def secrets_of(uri: str) -> tuple[str, ...]:
    """Return the parts of `uri` that must never show: userinfo, and the query with its values."""
    found: list[str] = []
    for link in links(uri):
        _, _, rest = link.partition("://")
        if cut := _CUT_USERINFO.match(rest):
            found += [cut[0][:-1], cut[0][:-1].partition(":")[2]]
        authority, query = re.split(r"[/?#]", rest, maxsplit=1)[0], link.partition("#")[0].partition("?")[2]
        if "@" in authority:
            userinfo = authority.rpartition("@")[0]
            found += [userinfo, *userinfo.split(":", 1)[1:], _encoded(unquote(userinfo))]
        if query:
            found += [query, *(pair.partition("=")[2] for pair in query.split("&"))]
    return tuple({form for secret in found for form in (secret, unquote(secret)) if len(form) > 2})


def secrets_in(options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the values in `storage_options` that must never show, and the forms in which they travel."""
    return tuple({form for value in _sensitive(options) for form in _forms(value) if len(form) > 2})


def shows_secrets(error: BaseException, secrets: Iterable[str]) -> bool:
    """Whether an error, or one that it brings along, would show a secret in any of its texts."""
    secrets = tuple(secrets)
    texts = (f"{one} {one!r} {one.args}" for one in _chain(error))
    return any(redact_text(text, secrets) != text for text in texts)


def forget_hidden(error: BaseException) -> None:
    """Drop the errors that no traceback shows: a log that walks all chains would find secrets in them."""
    for one in _chain(error):
        if one.__suppress_context__:
            one.__context__ = None


def links(uri: str) -> list[str]:
    """Return the links of a chained URL; a web address is always the last one."""
    links = []
    while not uri.lower().startswith(("http://", "https://")) and (cut := _NEXT_LINK.search(uri)):
        links.append(uri[: cut.start()])
        uri = uri[cut.end() :]
    return [*links, uri]


def _redact_one(uri: str) -> str:
    scheme, _, rest = uri.partition("://")
    cut = _CUT_USERINFO.match(rest)
    rest = rest[cut.end() :] if cut else rest
    rest = rest.partition("#")[0]
    place, question, query = rest.partition("?")
    authority, slash, path = place.partition("/")
    authority = authority.rpartition("@")[2]
    return f"{scheme}://{authority}{slash}{path}{question}{_redact_query(query)}"


def _redact_query(query: str) -> str:
    # A part without "=" is all value: it may be the key itself.
    pairs = [pair.partition("=") for pair in query.split("&")] if query else []
    return "&".join(f"{name}={_HIDDEN}" if equals else _HIDDEN for name, equals, _ in pairs)


def _sensitive(value: Any, *, within: bool = False) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _sensitive(inner, within=within or _SENSITIVE.search(str(name)) is not None)
    elif isinstance(value, (list, tuple, set, frozenset)):
        if within and len(value) > 1:
            yield _encoded(":".join(map(str, list(value)[:2])))  # as a user and a password are sent
        for inner in value:
            yield from _sensitive(inner, within=within)
    elif "://" in (text := str(value)):
        yield from secrets_of(text)
    elif within and isinstance(value, (str, bytes)):
        yield value.decode("latin-1") if isinstance(value, bytes) else value


def _forms(value: str) -> Iterator[str]:
    yield value
    yield unquote(value)
    # "Bearer …" and "Basic …" are shown by some without the first word, and by others decoded.
    scheme, _, credentials = value.partition(" ")
    if credentials:
        yield credentials
    if scheme.lower() == "basic":
        with contextlib.suppress(ValueError):
            text = base64.b64decode(credentials, validate=True).decode()
            yield from (text, text.partition(":")[2])


def _encoded(pair: str) -> str:
    return base64.b64encode(pair.encode()).decode()


def _chain(error: BaseException) -> list[BaseException]:
    chain = [error]
    for one in chain:
        chain += [more for more in (one.__cause__, one.__context__) if more is not None and more not in chain]
    return chain
