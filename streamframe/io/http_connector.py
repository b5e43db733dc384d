"""Connections that go only to addresses which were checked.

Rule: imports aiohttp, so it is imported only where a session is made.
"""

from __future__ import annotations

import functools
import socket
import ssl
from ipaddress import ip_address
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from streamframe.io.http_body import SCRATCH_BYTES, BodyProtocol
from streamframe.io.http_reach import HostRefusedError, Reach


def connector(reach: Reach, *, own_certificates: bool) -> aiohttp.TCPConnector:
    """Make the pool of connections of one session.

    Parameters
    ----------
    reach
        Where they may go.
    own_certificates
        The environment names other authorities than it did when aiohttp was imported.
    """
    context = ssl.create_default_context() if own_certificates else None
    if context is not None:
        context.set_alpn_protocols(["http/1.1"])
    resolver = CheckedResolver(reach) if reach.by_address else None
    made = aiohttp.TCPConnector(ssl=context or True, resolver=resolver)
    # Not offered in public: where aiohttp has it no more, bodies come as they do for everybody.
    if hasattr(made, "_factory"):
        scratch = bytearray(SCRATCH_BYTES)
        factory: Any = functools.partial(BodyProtocol, loop=made._loop, scratch=scratch)
        made._factory = factory
    return made


class CheckedResolver(AbstractResolver):
    """Looks names up, and returns only addresses that may be connected to.

    aiohttp connects to what its resolver returns and asks nobody again, so nothing can change in
    between. It does not ask for a host that is an address already: `Reach.refuses_host` has seen that.
    """

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._inner = aiohttp.DefaultResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        reasons = [self._reach.refuses_address(host, ip_address(one["host"])) for one in found]
        allowed = [one for one, reason in zip(found, reasons, strict=True) if reason is None]
        if not allowed:
            raise HostRefusedError(next((reason for reason in reasons if reason), f"{host} has no address"))
        return allowed

    async def close(self) -> None:
        await self._inner.close()
