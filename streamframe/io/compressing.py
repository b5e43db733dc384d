"""Put gz, zst, bz2, xz or lz4 around bytes that are written: the other half of `compression`."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any, Protocol, cast

from streamframe.errors import PlanError
from streamframe.io.compression import codec_named, codec_of_suffix, lz4_frame

# Beyond these, files hardly shrink while time doubles.
_GZIP_LEVEL = 6
_ISAL_LEVEL = 2
_ZSTD_LEVEL = 3


class Compressor(Protocol):
    """A compressor as `zlib`, `isal`, `zstd`, `bz2` and `lzma` spell it."""

    def compress(self, data: Any) -> bytes:
        """Take bytes; return what is ready of the compressed form."""
        ...

    def flush(self) -> bytes:
        """Return the rest, and end the member."""
        ...


def compressor_for(compression: str | None, label: str) -> Compressor | None:
    """Return a compressor; None where bytes are written as they are.

    Parameters
    ----------
    compression
        ``"infer"`` goes by the suffix of `label`; None, or a name that `codec_named` knows.
    label
        The target.
    """
    if compression is None:
        return None
    if compression == "infer":
        codec = codec_of_suffix(PurePosixPath(label).suffix)
        return _new(codec.name) if codec is not None else None
    return _new(codec_named(compression).name)


def suffix_of(compression: str | None) -> str:
    """Return the suffix by which readers know it; empty for None, and for ``"infer"`` where there is no name yet."""
    return codec_named(compression).suffixes[0] if compression not in (None, "infer") else ""


def _new(name: str) -> Compressor:
    if name == "gzip":
        return _new_gzip()
    if name == "zstd":
        return _new_zstd()
    if name == "bz2":
        import bz2

        return bz2.BZ2Compressor()
    if name == "lz4":
        return _Lz4Compressor()
    if name == "zip":
        raise PlanError("zip is read, but not written", hint="write .gz or .zst: they need no archive around one file.")
    import lzma

    return lzma.LZMACompressor()


def _new_gzip() -> Compressor:
    gzip_bits = 31
    try:
        from isal import isal_zlib
    except ImportError:
        import zlib

        return zlib.compressobj(_GZIP_LEVEL, wbits=gzip_bits)
    return cast("Compressor", isal_zlib.compressobj(_ISAL_LEVEL, wbits=gzip_bits))


def _new_zstd() -> Compressor:
    try:
        from compression import zstd  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        from backports import zstd
    return cast("Compressor", zstd.ZstdCompressor(_ZSTD_LEVEL))


class _Lz4Compressor:
    """lz4 in the shape of `Compressor`: its own begins with a call of its own."""

    def __init__(self) -> None:
        self._inner = lz4_frame().LZ4FrameCompressor(content_checksum=True)
        self._head = self._inner.begin()

    def compress(self, data: Any) -> bytes:
        head, self._head = self._head, b""
        out: bytes = head + self._inner.compress(data)
        return out

    def flush(self) -> bytes:
        out: bytes = self._head + self._inner.flush()
        return out
