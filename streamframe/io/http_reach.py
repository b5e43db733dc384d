"""Which servers may be reached: the options `allow_hosts` and `block_private`.

Rules:
- A host is checked by its name before each request and each redirect, and by the address that is
  connected to at each connection: what a name meant when somebody else looked it up proves nothing.
- A name in `allow_hosts` allows whatever address it has; a network allows every name that leads into
  it. `block_private` narrows both.
- What cannot be checked is refused: numbers that only some resolvers take for an address, and names
  that a proxy would look up.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from streamframe.errors import PlanError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_NAME = re.compile(r"(\*\.)?[^\s/:*@?#\[\]]+")
_NAT64 = IPv6Network("64:ff9b::/96")


class HostRefusedError(OSError):
    """A resolver's word for an address that may not be reached; users get a `TransportError`."""


@dataclass(frozen=True)
class Reach:
    """The servers that a location may reach; by default all.

    Attributes
    ----------
    names : tuple of str
        Allowed host names in lower case, such as ``"example.com"`` or ``"*.example.com"``.
    networks : tuple of IPv4Network or IPv6Network
        Allowed addresses.
    only_allowed : bool
        Whatever is neither in `names` nor in `networks` is refused.
    only_public : bool
        Addresses that are not public (loopback, private, link-local, multicast, reserved) are refused.
    """

    names: tuple[str, ...] = ()
    networks: tuple[Network, ...] = ()
    only_allowed: bool = False
    only_public: bool = False

    @classmethod
    def of(cls, storage_options: Mapping[str, Any]) -> Reach:
        """Read `allow_hosts` and `block_private`.

        Raises
        ------
        PlanError
            If a value makes no sense.
        """
        block_private = storage_options.get("block_private", False)
        if not isinstance(block_private, bool):
            raise PlanError(f"storage_options: block_private needs True or False, got {block_private!r}")
        allowed = storage_options.get("allow_hosts")
        if allowed is None:
            return cls(only_public=block_private)
        if not isinstance(allowed, (list, tuple, set, frozenset)) or not allowed:
            raise PlanError(
                f"storage_options: allow_hosts needs a list of hosts, got {allowed!r}",
                hint='such as ["data.example.com", "*.example.org", "10.0.0.0/8"].',
            )
        entries = [_entry(one) for one in allowed]
        return cls(
            names=tuple(one for one in entries if isinstance(one, str)),
            networks=tuple(one for one in entries if not isinstance(one, str)),
            only_allowed=True,
            only_public=block_private,
        )

    @property
    def by_address(self) -> bool:
        """A name alone does not tell; the address has to be seen."""
        return self.only_public or bool(self.networks)

    def refuses_host(self, host: str) -> str | None:
        """Return why nothing may be asked of this host, before it is looked up; None if it may."""
        host = host.rstrip(".")
        address = _literal(host)
        if address is not None:
            return self.refuses_address(host, address)
        if self.by_address and (":" in host or host[-1:].isdigit()):
            # 2130706433, 0x7f.1 and 0177.0.0.1 are 127.0.0.1 to the C library.
            return f"{host} is neither a name nor an address"
        if self.only_allowed and not self.networks and not self._names(host):
            return f"{host} is not in allow_hosts"
        return None

    def refuses_address(self, host: str, address: Address) -> str | None:
        """Return why this address of a host may not be connected to; None if it may."""
        shown = host if _literal(host) is not None else f"{host} ({address})"
        # ::ffff:10.0.0.1 is a way to write 10.0.0.1.
        address = getattr(address, "ipv4_mapped", None) or address
        if self.only_allowed and not self._names(host) and not any(address in network for network in self.networks):
            return f"{shown} is not in allow_hosts"
        if self.only_public and not all(_is_public(one) for one in _meant(address)):
            return f"{shown} is not a public address, and block_private is set"
        return None

    def _names(self, host: str) -> bool:
        host = host.rstrip(".").lower()
        return any(host == name or (name.startswith("*.") and host.endswith(name[1:])) for name in self.names)


def _entry(value: Any) -> str | Network:
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            return ip_network(value.strip("[]"))
        with contextlib.suppress(UnicodeError):
            if _NAME.fullmatch(value) and not re.fullmatch(r"[0-9.]+", value):
                return value.encode("idna").decode().rstrip(".").lower()
    raise PlanError(
        f"storage_options: allow_hosts does not understand {value!r}",
        hint='each is a host name, "*." before one, an address or a network, without scheme and port.',
    )


def _literal(host: str) -> Address | None:
    """Return the address that a host is, in its one right spelling."""
    with contextlib.suppress(ValueError):
        return ip_address(host)
    return None


def _meant(address: Address) -> tuple[Address, ...]:
    """Return the addresses that a packet to this one may end up at."""
    if isinstance(address, IPv4Address):
        return (address,)
    if address in _NAT64:
        # How a network of IPv6 alone names every server of IPv4.
        return (IPv4Address(int(address) & 0xFFFFFFFF),)
    inner = (address.sixtofour, *(address.teredo or ()))
    return (address, *(one for one in inner if one is not None))


def _is_public(address: Address) -> bool:
    # is_global alone lets multicast through.
    odd = address.is_multicast or address.is_reserved or address.is_unspecified or address.is_link_local
    return address.is_global and not odd
