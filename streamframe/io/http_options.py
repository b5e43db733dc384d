"""Our own keys in the `storage_options` of a web page; all others are fsspec's.

Rule: they are checked at the call and taken out before fsspec sees the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from streamframe.errors import PlanError
from streamframe.io.http_reach import Reach
from streamframe.io.http_session import Client
from streamframe.options import parse_bytes
from streamframe.plan.arguments import is_sha256

if TYPE_CHECKING:
    import aiohttp

OWN_KEYS = frozenset(
    {"retries", "read_timeout", "expect_bytes", "expect_sha256", "max_copy", "allow_hosts", "block_private"}
)

# The wait for one of aiohttp's 100 connections, which would otherwise have no end.
_POOL_TIMEOUT_S = 60


@dataclass(frozen=True)
class HttpOptions:
    """How patient to be with a server, and what its body must turn out to be.

    Attributes
    ----------
    retries : int
        Attempts in a row without a new byte, after the first; 5 outlast the restart of a server.
    connect_timeout_s : float
        For making a connection.
    read_timeout_s : float or None
        Without a byte from the server while we wait for one. Not for all of the body: slow but alive
        is fine for hours.
    expect_bytes : int or None
        The size of the body as it is on the wire.
    expect_sha256 : str or None
        Its SHA-256, in hexadecimal digits.
    max_copy_bytes : int or None
        How large a file may be that has to be copied to a temporary file, because it is read in
        ranges and the server has none; None leaves it to the disk.
    reach : Reach
        Which servers it may come from.
    """

    retries: int = 5
    connect_timeout_s: float = 30
    read_timeout_s: float | None = 60
    expect_bytes: int | None = None
    expect_sha256: str | None = None
    max_copy_bytes: int | None = None
    reach: Reach = field(default_factory=Reach)

    @classmethod
    def of(cls, storage_options: Mapping[str, Any]) -> HttpOptions:
        """Read our keys.

        Raises
        ------
        PlanError
            If a value makes no sense.
        """
        read_timeout_s = _seconds(storage_options, "read_timeout", cls.read_timeout_s)
        connect_timeout_s = cls.connect_timeout_s
        timeout = storage_options.get("timeout", (storage_options.get("client_kwargs") or {}).get("timeout"))
        if _is_client_timeout(timeout):
            if "read_timeout" in storage_options:
                raise PlanError("storage_options has both read_timeout and a ClientTimeout", hint="give one of them.")
            read_timeout_s = timeout.sock_read
        elif "timeout" in storage_options:
            connect_timeout_s = _seconds(storage_options, "timeout", cls.connect_timeout_s) or cls.connect_timeout_s
        return cls(
            retries=_count(storage_options, "retries", cls.retries),
            connect_timeout_s=connect_timeout_s,
            read_timeout_s=read_timeout_s,
            expect_bytes=_count(storage_options, "expect_bytes", None),
            expect_sha256=_sha256(storage_options),
            max_copy_bytes=_nbytes(storage_options, "max_copy"),
            reach=_reach(storage_options),
        )

    @property
    def client_timeout(self) -> aiohttp.ClientTimeout:
        """The same for aiohttp, with no limit for the whole."""
        import aiohttp

        return aiohttp.ClientTimeout(
            total=None,
            connect=self.connect_timeout_s + _POOL_TIMEOUT_S,
            sock_connect=self.connect_timeout_s,
            sock_read=self.read_timeout_s,
        )


def fsspec_options(storage_options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what fsspec is to get: the others, and how its session is made."""
    return {"get_client": Client.of(storage_options), **request_options(storage_options)}


def request_options(storage_options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what aiohttp is to get with each request."""
    kept = {name: value for name, value in storage_options.items() if name not in OWN_KEYS}
    if "timeout" in kept and not _is_client_timeout(kept["timeout"]):
        del kept["timeout"]
    return kept


def _is_client_timeout(value: Any) -> bool:
    return hasattr(value, "sock_read")


def _seconds(options: Mapping[str, Any], name: str, default: float | None) -> float | None:
    value = options.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < float("inf"):
        raise PlanError(f"storage_options: {name} needs seconds > 0, got {value!r}")
    return float(value)


def _count(options: Mapping[str, Any], name: str, default: Any) -> Any:
    value = options.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise PlanError(f"storage_options: {name} needs an int >= 0, got {value!r}")
    return value


def _nbytes(options: Mapping[str, Any], name: str) -> int | None:
    value = options.get(name)
    return None if value is None else parse_bytes(value, name=f"storage_options: {name}")


def _reach(options: Mapping[str, Any]) -> Reach:
    reach = Reach.of(options)
    theirs = "connector" in (options.get("client_kwargs") or {}) or options.get("get_client") is not None
    if reach.by_address and theirs:
        raise PlanError(
            "storage_options: block_private and allow_hosts cannot check a connector or get_client of yours",
            hint="leave it out.",
        )
    return reach


def _sha256(options: Mapping[str, Any]) -> str | None:
    value = options.get("expect_sha256")
    if value is None:
        return None
    if not is_sha256(value):
        raise PlanError("storage_options: expect_sha256 needs 64 hexadecimal digits")
    return str(value).lower()
