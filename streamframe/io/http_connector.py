"""The connections of a session.

Rule: imports aiohttp, so it is imported only where a session is made.
"""

from __future__ import annotations

import ssl

import aiohttp


def connector() -> aiohttp.TCPConnector:
    """Make a pool of connections that trusts the authorities which the environment names now."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return aiohttp.TCPConnector(ssl=context)
