"""What a reader was given as its `path`, understood without any I/O.

Rule: everything that can be wrong with the words is said here, at the call; everything that can be
wrong with the files is said when they are opened.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from streamframe.errors import PlanError, did_you_mean
from streamframe.io.handles import Handle, HandleLocation
from streamframe.io.http import HttpLocation
from streamframe.io.http_identity import check_identity
from streamframe.io.http_options import OWN_KEYS, HttpOptions
from streamframe.io.http_proxy import check_proxy
from streamframe.io.local import LocalLocation
from streamframe.io.location import Location
from streamframe.io.redact import redact
from streamframe.io.remote import RemoteLocation

__all__ = ["Location", "Paths", "paths"]

# What fsspec's HTTP filesystem, and aiohttp below it, know; any other name is a header by mistake.
_HTTP_OPTIONS = (
    frozenset(
        """
    simple_links block_size same_scheme size_policy cache_type cache_options asynchronous loop client_kwargs
    get_client encoded skip_instance_cache use_listings_cache listings_expiry_time max_paths headers auth cookies
    params ssl ssl_context verify_ssl fingerprint proxy proxy_auth proxy_headers timeout allow_redirects
    max_redirects server_hostname trace_request_ctx expect100 version max_line_size max_field_size
    """.split()
    )
    | OWN_KEYS
)


@dataclass(frozen=True)
class Paths:
    """The inputs of a reader, in the order they were given."""

    given: tuple[Location, ...]

    @property
    def label(self) -> str:
        """A short name: ``flights.csv``, or ``3 files: a.csv, …``."""
        first = _short(self.given[0])
        return first if len(self.given) == 1 else f"{len(self.given)} files: {first}, …"

    @property
    def replayable(self) -> bool:
        """All of them can be read more than once."""
        return all(location.replayable for location in self.given)

    @property
    def suffix(self) -> str:
        """The format's suffix of the first path, such as ``.csv``; no I/O."""
        return self.given[0].format_suffix

    def expand(self, suffixes: Collection[str] = ()) -> tuple[Location, ...]:
        """Return one location for each file. Globs and directories are looked up now, and sorted.

        Parameters
        ----------
        suffixes
            Those of the format. Where a directory holds such files, the others are left out.

        Raises
        ------
        SourceError
            If a glob matches nothing, or a directory is empty.
        """
        return tuple(found for location in self.given for found in location.expand(suffixes))


def paths(path: Any, storage_options: Mapping[str, Any] | None = None) -> Paths:
    """Understand what a reader was given. Does no I/O.

    Parameters
    ----------
    path
        A str, a PathLike, a UPath, an open binary file, a directory, a glob, or a list of these.
    storage_options
        What fsspec takes for the scheme.

    Raises
    ------
    PlanError
        If the path, or the options for it, cannot work.
    """
    options = _checked_options(storage_options)
    if isinstance(path, (list, tuple)):
        if not path:
            raise PlanError("the list of paths is empty", hint="give at least one path.")
        return Paths(tuple(_location(one, options) for one in path))
    return Paths((_location(path, options),))


def _location(path: Any, options: dict[str, Any]) -> Location:
    if hasattr(path, "read") and not isinstance(path, (str, bytes, os.PathLike)):
        _no_options(options, "an open file")
        handle = Handle(path)
        return HandleLocation(label=handle.name or "an open file", handle=handle)
    if hasattr(path, "fs") and hasattr(path, "path"):
        # A UPath. fsspec.url_to_fs would drop its filesystem and look on the local disk.
        _no_options(options, "a UPath, which has its own")
        return _on_filesystem(path.fs, str(path.path))
    if isinstance(path, os.PathLike):
        path = os.fspath(path)
    if not isinstance(path, str):
        raise PlanError(
            f"a path needs to be a str, a PathLike, an open binary file or a list of these, got {type(path).__name__}",
            hint="write sorted(paths)." if isinstance(path, Iterable) and not isinstance(path, bytes) else None,
        )
    if not path.strip():
        raise PlanError("the path is empty")
    return _from_text(path, options)


def _from_text(text: str, options: dict[str, Any]) -> Location:
    allow_chained, options = _allow_chained(options)
    if _chained(text):
        if not allow_chained:
            raise PlanError(
                f"{redact(text)} is a chained URL, which can serve a truncated copy as good",
                hint="give the innermost URL; compression is read by its suffix. "
                'With {"allow_chained": True} in storage_options fsspec reads it alone, without our checks.',
            )
        _only_web(options, text)
        return RemoteLocation(label=redact(text), uri=text, storage_options=options, chained=True)
    scheme, slashes, rest = text.partition("://")
    scheme = scheme.lower()
    if not slashes or not re.fullmatch(r"[a-z][a-z0-9+.\-]*", scheme):
        _no_options(options, "a local file")
        return _local(text, label=text)
    if scheme in ("file", "local"):
        _no_options(options, "a local file")
        return _local(unquote(rest.removeprefix("localhost")), label=text)
    if scheme in ("http", "https"):
        url = text.partition("#")[0]
        try:
            parts = urlsplit(url)
        except ValueError as error:
            raise PlanError(
                f"{redact(url)} is not a URL: {error}", hint="check the host, and the [ ] of IPv6."
            ) from None
        if not parts.hostname or not _has_port(parts):
            what = "port" if parts.hostname else "host"
            raise PlanError(
                f"{redact(text)} is not a URL: it has no {what}",
                hint="it has to be like https://host/path; in a password, /, ? and # are written as %2F, %3F and %23.",
            )
        _check_http_options(url, options)
        return HttpLocation(label=redact(url), url=url, storage_options=options)
    import fsspec

    known = {*fsspec.available_protocols(), *fsspec.registry}
    if scheme not in known:
        raise PlanError(
            f"{redact(text)}: the scheme {scheme!r} is not known",
            hint=did_you_mean(scheme, [*known, "http", "https"]) or "use a path, http(s)://, s3:// or gs://.",
        )
    _only_web(options, text)
    return RemoteLocation(label=redact(text), uri=text, storage_options=options)


def _local(path: str, *, label: str) -> Location:
    if "\0" in path:
        raise PlanError(f"the path {label!r} holds a NUL, which no file is called by")
    return LocalLocation(label=label, path=os.path.abspath(os.path.expanduser(path)))


def _on_filesystem(fs: Any, path: str) -> Location:
    protocols = (fs.protocol,) if isinstance(fs.protocol, str) else tuple(fs.protocol)
    if "file" in protocols:
        return _local(path, label=path)
    uri = str(fs.unstrip_protocol(path))
    if "https" in protocols or "http" in protocols:
        from fsspec.implementations.http import HTTPFileSystem

        if type(fs) is HTTPFileSystem and not fs.storage_args:
            # Its options under our own session, which has the environment's proxies and our checks.
            return _from_text(uri, dict(fs.storage_options))
        return HttpLocation(label=redact(uri), url=uri, fs=fs)
    return RemoteLocation(label=redact(uri), uri=uri, fs=fs)


def _chained(text: str) -> bool:
    # Neither an IPv6 host nor a path or query of a web page is a chain.
    first, colons, _ = re.sub(r"\[[^\]]*\]", "", text).partition("::")
    if not colons or first.lower().startswith(("http://", "https://")):
        return False
    if "://" in first:
        return True
    import fsspec

    return first.lower() in fsspec.available_protocols()


def _checked_options(options: Mapping[str, Any] | None) -> dict[str, Any]:
    if options is None:
        return {}
    if not isinstance(options, Mapping):
        raise PlanError(f"storage_options needs a dict, got {type(options).__name__}")
    return dict(options)


def _no_options(options: dict[str, Any], what: str) -> None:
    if options:
        raise PlanError(f"storage_options do nothing for {what}", hint="leave them out, or give a URL.")


def _allow_chained(options: dict[str, Any]) -> tuple[bool, dict[str, Any]]:
    value = options.get("allow_chained", False)
    if not isinstance(value, bool):
        raise PlanError(f"storage_options: allow_chained needs True or False, got {value!r}")
    return value, {name: other for name, other in options.items() if name != "allow_chained"}


def _only_web(options: dict[str, Any], text: str) -> None:
    # fsspec would take them without a word, and check nothing.
    for name in ("allow_hosts", "block_private"):
        if options.get(name):
            raise PlanError(f"{redact(text)}: {name} cannot be checked", hint="it is for http:// and https:// alone.")


def _has_port(parts: SplitResult) -> bool:
    """Tell whether what stands for a port is one, or there is none."""
    try:
        return parts.port is None or parts.port >= 0
    except ValueError:  # its text would show what may be half of a password
        return False


def _check_http_options(url: str, options: dict[str, Any]) -> None:
    foreign = [str(name) for name in options if name not in _HTTP_OPTIONS]
    if foreign:
        # pandas takes the headers themselves here; fsspec would drop them in silence.
        raise PlanError(
            f"storage_options for http(s) does not know {', '.join(map(repr, foreign))}",
            hint=f'headers go one level down: storage_options={{"headers": {{"{foreign[0]}": "…"}}}}.',
        )
    for name in ("headers", "client_kwargs"):
        if not isinstance(options.get(name) or {}, Mapping):
            raise PlanError(f"storage_options: {name} needs a dict", hint='such as {"headers": {"X-Api-Key": "…"}}.')
    wrong = [name for name, value in (options.get("headers") or {}).items() if not isinstance(value, str)]
    if wrong:
        raise PlanError(f"storage_options: the header {wrong[0]!r} needs a str", hint="write its value as text.")
    HttpOptions.of(options)
    check_identity(url, options)
    check_proxy(options)


def _short(location: Location) -> str:
    return location.name or location.label
