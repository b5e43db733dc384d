"""Take gz, zst, bz2, xz, lz4 and zip off a stream, whole or not at all.

Rules: all members of a file are read; a file that ends inside one raises `TruncatedError`; bytes
that belong to none raise `DecodeError`. One step makes at most `_STEP_BYTES`, whatever a bomb promises, and all steps
together no more than `Expansion` allows.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, cast

from streamframe.errors import DecodeError, MissingDependencyError, PlanError, StreamError, TruncatedError, did_you_mean
from streamframe.io.expansion import Expansion
from streamframe.io.stream import ByteStream, WrappedStream
from streamframe.io.zipped import ZipDecoder, ZipError, require_one_file

_INPUT_BYTES = 1 << 18
_STEP_BYTES = 1 << 20
# A dictionary is memory that we hold: xz -9 needs 65 MiB, and nobody needs much more.
_MAX_DICTIONARY_BYTES = 256 << 20


class Decoder(Protocol):
    """One member's decompressor, as `bz2`, `lzma`, `zstd` and `isal` spell it."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: Any, max_length: int = -1) -> bytes: ...


@dataclass(frozen=True)
class Codec:
    """A compression: its suffixes, how a member starts, and what may lie between members.

    `look_ahead` raises if a stream that can seek is not to be read at all. `single`: one member is all there is.
    """

    name: str
    suffixes: tuple[str, ...]
    starts: re.Pattern[bytes]
    magic_bytes: int
    new_decoder: Callable[[], tuple[Decoder, type[Exception]]]
    zero_padded: bool = False
    single: bool = False
    look_ahead: Callable[[ByteStream], None] | None = None


class DecompressedStream(WrappedStream):
    """What is inside a compressed stream."""

    def __init__(self, inner: ByteStream, codec: Codec, expansion: Expansion | None = None) -> None:
        super().__init__(inner)
        self._codec = codec
        self._expansion = expansion or Expansion()
        self._from = inner.offset
        self._made_bytes = 0
        self._buffer = bytearray(_INPUT_BYTES)
        self._ready = b""  # compressed bytes that no decoder has seen yet
        self._decoder: Decoder | None = None
        self._error: type[Exception] = ValueError
        self._members = 0

    def _fill(self, target: memoryview) -> int:
        limit = min(len(target), _STEP_BYTES)
        while self._decoder is not None or self._next_member():
            assert self._decoder is not None
            data: Any = b""
            if self._decoder.needs_input:
                data = self._ready or self._more()
                self._ready = b""
                if not len(data):
                    raise self._truncated()
            try:
                out = self._decoder.decompress(data, limit)
            except self._error as error:
                raise self._corrupt(str(error)) from error
            except StreamError as error:
                error.locate(source=self.label)
                raise
            if self._decoder.eof:
                self._ready = self._decoder.unused_data
                self._decoder = None
            if out:
                self._made_bytes += len(out)
                taken_bytes = self._inner.offset - self._from
                self._expansion.check(taken_bytes, self._made_bytes, self.label, self._codec.name)
                target[: len(out)] = out
                return len(out)
        return 0

    def _next_member(self) -> bool:
        """Start on the next member; False at the end of the file."""
        codec = self._codec
        if codec.look_ahead and not self._members:
            try:
                codec.look_ahead(self._inner)
            except StreamError as error:
                error.locate(source=self.label)
                raise
        while True:
            if codec.zero_padded and self._members:
                self._ready = self._ready.lstrip(b"\0")
            if len(self._ready) >= codec.magic_bytes:
                break
            more = bytes(self._more())
            if not more:
                if self._ready or not self._members:
                    raise self._truncated()
                return False
            self._ready += more
        if not codec.starts.match(self._ready) or (codec.single and self._members):
            raise self._foreign()
        self._decoder, self._error = codec.new_decoder()
        self._members += 1
        return True

    def _more(self) -> memoryview:
        view = memoryview(self._buffer)
        return view[: self._inner.read_into(view)]

    def _truncated(self) -> TruncatedError:
        return TruncatedError(
            f"{self.label} is cut off: its {self._codec.name} data ends too early, "
            f"at compressed byte offset {self._inner.offset:,}",
            source=self.label,
            byte_offset=self._inner.offset,
            hint="get the file again: what is there is not all of it.",
        )

    def _corrupt(self, reason: str) -> DecodeError:
        return DecodeError(
            f"{self.label} holds corrupt {self._codec.name} data before "
            f"compressed byte offset {self._inner.offset:,}: {reason}",
            source=self.label,
            byte_offset=self._inner.offset,
        )

    def _foreign(self) -> DecodeError:
        name = self._codec.name
        if self._members:
            return DecodeError(
                f"{self.label} has bytes behind its {name} data that are not {name}",
                source=self.label,
                byte_offset=self._inner.offset - len(self._ready),
            )
        return DecodeError(
            f"{self.label} is not {name}: it starts with {self._ready[:8]!r}",
            source=self.label,
            byte_offset=0,
            hint="if the file is not compressed, whatever its name says, pass compression=None.",
        )


class _ZlibDecoder:
    """zlib in the shape of `Decoder`, for machines where isal has no wheel."""

    def __init__(self) -> None:
        import zlib

        self._inner = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail and not self._full

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    _full = False

    def decompress(self, data: Any, max_length: int = -1) -> bytes:
        out = self._inner.decompress(self._inner.unconsumed_tail or data, max(0, max_length))
        # zlib may hold more output when it has filled all the room, even with no input left.
        self._full = len(out) == max_length
        return out


def _new_gzip() -> tuple[Decoder, type[Exception]]:
    try:
        from isal import igzip_lib
    except ImportError:
        return _new_zlib()
    decoder = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
    return decoder, cast("type[Exception]", igzip_lib.IsalError)


def _new_zlib() -> tuple[Decoder, type[Exception]]:
    import zlib

    return _ZlibDecoder(), zlib.error


def _new_zstd() -> tuple[Decoder, type[Exception]]:
    from streamframe.io import zstd

    return zstd.ZstdDecompressor(), zstd.ZstdError


def _new_bz2() -> tuple[Decoder, type[Exception]]:
    import bz2

    return cast("Decoder", bz2.BZ2Decompressor()), OSError


def _new_xz() -> tuple[Decoder, type[Exception]]:
    import lzma

    decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MAX_DICTIONARY_BYTES)
    return cast("Decoder", decoder), lzma.LZMAError


class _Lz4Decoder:
    """lz4 in the shape of `Decoder`: its own has None where there are no unused bytes."""

    def __init__(self, frame: Any) -> None:
        self._inner = frame.LZ4FrameDecompressor()

    @property
    def eof(self) -> bool:
        return bool(self._inner.eof)

    @property
    def needs_input(self) -> bool:
        return bool(self._inner.needs_input)

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data or b""

    def decompress(self, data: Any, max_length: int = -1) -> bytes:
        out: bytes = self._inner.decompress(data, max_length)
        return out


def _new_lz4() -> tuple[Decoder, type[Exception]]:
    # Arrow's own would pull from a Python file, and call back into our I/O.
    return _Lz4Decoder(lz4_frame()), RuntimeError


def lz4_frame() -> Any:
    """Return the module ``lz4.frame``."""
    try:
        import lz4.frame
    except ImportError as error:
        raise MissingDependencyError.extra("lz4", "lz4") from error
    return lz4.frame


def _new_zip() -> tuple[Decoder, type[Exception]]:
    return ZipDecoder(), ZipError


GZIP = Codec("gzip", (".gz", ".gzip"), re.compile(rb"\x1f\x8b"), 2, _new_gzip, zero_padded=True)
# The second form is a skippable frame, which may stand before, between and behind the others.
ZSTD = Codec("zstd", (".zst", ".zstd"), re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18"), 4, _new_zstd)
BZ2 = Codec("bz2", (".bz2",), re.compile(rb"BZh"), 3, _new_bz2)
XZ = Codec("xz", (".xz",), re.compile(rb"\xfd7zXZ\x00"), 6, _new_xz, zero_padded=True)
# The second form is skippable, as in zstd.
LZ4 = Codec("lz4", (".lz4",), re.compile(rb"\x04\x22\x4d\x18|[\x50-\x5f]\x2a\x4d\x18"), 4, _new_lz4)
ZIP = Codec(
    "zip", (".zip",), re.compile(rb"PK\x03\x04|PK\x05\x06"), 4, _new_zip, single=True, look_ahead=require_one_file
)

_BY_NAME = {"gz": GZIP, "gzip": GZIP, "zst": ZSTD, "zstd": ZSTD, "bz2": BZ2, "xz": XZ, "lz4": LZ4, "zip": ZIP}
_BY_SUFFIX = {suffix: codec for codec in (GZIP, ZSTD, BZ2, XZ, LZ4, ZIP) for suffix in codec.suffixes}


def codec_of_suffix(suffix: str) -> Codec | None:
    """Return the codec that a suffix such as ``".gz"`` stands for."""
    return _BY_SUFFIX.get(suffix.lower())


def codec_named(name: str) -> Codec:
    """Return the codec of that name.

    Raises
    ------
    PlanError
        If there is none.
    """
    codec = _BY_NAME.get(name.lower()) if isinstance(name, str) else None
    if codec is None:
        known = ["gz", "zst", "bz2", "xz", "lz4", "zip", "infer"]
        near = did_you_mean(str(name), [*_BY_NAME, "infer"])
        raise PlanError(f"compression={name!r} is not known", hint=near or f"use one of {', '.join(known)}, or None.")
    return codec


def checked_compression(compression: str | None) -> str | None:
    """Return `compression` if it is ``"infer"``, None or a known name; else raise `PlanError`."""
    if compression is None or compression == "infer":
        return compression
    return codec_named(compression).name
