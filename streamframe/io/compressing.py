"""Put gz, zst, bz2, xz or lz4 around bytes that are written: the other half of `compression`.

Rule: what a compressor keeps is told by `held_bytes`, since a high level may take more than a whole run is allowed to.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Protocol, cast

from streamframe.errors import PlanError
from streamframe.io.compression import codec_named, codec_of_suffix, lz4_frame

# Beyond these, files hardly shrink while time doubles.
_ISAL_LEVEL = 2
_MB = 1 << 20


class Compressor(Protocol):
    """A compressor as `zlib`, `isal`, `zstd`, `bz2` and `lzma` spell it."""

    def compress(self, data: Any) -> bytes:
        """Take bytes; return what is ready of the compressed form."""
        ...

    def flush(self) -> bytes:
        """Return the rest, and end the member."""
        ...


def compressor_for(compression: str | None, label: str, level: int | None = None) -> Compressor | None:
    """Return a compressor; None where bytes are written as they are.

    Parameters
    ----------
    compression
        ``"infer"`` goes by the suffix of `label`; None, or a name that `codec_named` knows.
    label
        The target.
    level
        How hard to compress; None for the compression's own.
    """
    name = _name_of(compression, label)
    return None if name is None else _kind_of(name).new(level)


def held_bytes(compression: str | None, label: str, level: int | None = None) -> int:
    """Return what such a compressor keeps in memory, about."""
    name = _name_of(compression, label)
    return 0 if name is None else _kind_of(name).held_bytes(level)


def synced(compressor: Compressor, compression: str | None, label: str) -> bytes:
    """Return what such a compressor keeps of bytes that it has taken, and let it go on; nothing where it cannot."""
    name = _name_of(compression, label)
    mode = None if name is None else _kind_of(name).sync
    return b"" if mode is None else compressor.flush(mode)  # type: ignore[call-arg]


def checked_level(compression: str | None, label: str, level: Any) -> None:
    """Raise `PlanError` if what a target is compressed with has no such level."""
    if level is None:
        return
    name = _name_of(compression, label)
    if name is None:
        raise PlanError(
            "compression_level: the text is not compressed",
            hint='pass compression="zstd", say, or a path that ends so.',
        )
    kind = _kind_of(name)
    if isinstance(level, bool) or not isinstance(level, int) or not kind.lowest <= level <= kind.highest:
        raise PlanError(
            f"compression_level needs a whole number of {kind.lowest} to {kind.highest} for {name!r}, got {level!r}",
            hint=f"{kind.default} is the default.",
        )


def suffix_of(compression: str | None) -> str:
    """Return the suffix by which readers know it; empty for None, and for ``"infer"`` where there is no name yet."""
    return codec_named(compression).suffixes[0] if compression not in (None, "infer") else ""


def _name_of(compression: str | None, label: str) -> str | None:
    if compression == "infer":
        codec = codec_of_suffix(PurePosixPath(label).suffix)
        return None if codec is None else codec.name
    return None if compression is None else codec_named(compression).name


@dataclass(frozen=True)
class _Kind:
    """How one compression is made: its levels, and what each keeps, as (from this level on, bytes)."""

    make: Callable[[int | None], Compressor]
    lowest: int
    highest: int
    default: int
    keeps: tuple[tuple[int, int], ...]
    # What its `flush` is told so that it goes on; None where it has no such word.
    sync: int | None = None

    def new(self, level: int | None) -> Compressor:
        return self.make(level)

    def held_bytes(self, level: int | None) -> int:
        wanted = self.default if level is None else level
        return max(nbytes for start, nbytes in self.keeps if start <= max(wanted, self.keeps[0][0]))


def _kind_of(name: str) -> _Kind:
    if name == "zip":
        raise PlanError("zip is read, but not written", hint="write .gz or .zst: they need no archive around one file.")
    return _KINDS[name]


def _gzip(level: int | None) -> Compressor:
    gzip_bits = 31
    if level is None:
        try:
            from isal import isal_zlib
        except ImportError:
            pass
        else:
            return cast("Compressor", isal_zlib.compressobj(_ISAL_LEVEL, wbits=gzip_bits))
    import zlib

    # The levels that are known by these numbers are zlib's; isal has three others.
    return zlib.compressobj(_KINDS["gzip"].default if level is None else level, wbits=gzip_bits)


def _zstd(level: int | None) -> Compressor:
    from streamframe.io import zstd

    return cast("Compressor", zstd.ZstdCompressor(_KINDS["zstd"].default if level is None else level))


def _bz2(level: int | None) -> Compressor:
    import bz2

    return bz2.BZ2Compressor(_KINDS["bz2"].default if level is None else level)


def _xz(level: int | None) -> Compressor:
    import lzma

    return lzma.LZMACompressor(preset=level)


class _Lz4Compressor:
    """lz4 in the shape of `Compressor`: its own begins with a call of its own."""

    def __init__(self, level: int | None) -> None:
        self._inner = lz4_frame().LZ4FrameCompressor(compression_level=level or 0, content_checksum=True)
        self._head = self._inner.begin()

    def compress(self, data: Any) -> bytes:
        head, self._head = self._head, b""
        out: bytes = head + self._inner.compress(data)
        return out

    def flush(self) -> bytes:
        out: bytes = self._head + self._inner.flush()
        return out


# Z_SYNC_FLUSH of zlib and isal; FLUSH_BLOCK of zstd.
_ZLIB_SYNC, _ZSTD_SYNC = 2, 1
# What they keep: `man xz`; of zstd its window and two tables, as its levels set them.
_KINDS = {
    "gzip": _Kind(_gzip, 0, 9, 6, ((0, _MB // 2),), _ZLIB_SYNC),
    "zstd": _Kind(
        _zstd, -131_072, 22, 3,
        ((-131_072, 4 * _MB), (9, 16 * _MB), (10, 32 * _MB), (12, 68 * _MB), (19, 90 * _MB), (20, 200 * _MB),
         (21, 400 * _MB), (22, 800 * _MB)),
        _ZSTD_SYNC,
    ),
    "bz2": _Kind(_bz2, 1, 9, 9, ((1, 8 * _MB),)),
    "xz": _Kind(
        _xz, 0, 9, 6,
        ((0, 3 * _MB), (1, 9 * _MB), (2, 17 * _MB), (3, 32 * _MB), (4, 48 * _MB), (5, 94 * _MB), (7, 186 * _MB),
         (8, 370 * _MB), (9, 674 * _MB)),
    ),
    "lz4": _Kind(_Lz4Compressor, 0, 12, 0, ((0, _MB // 2),)),
}  # fmt: skip
