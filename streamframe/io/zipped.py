"""A zip archive with one member, taken off a stream in the order in which it was written.

Rules: the member is what its header and its descriptor say, to the last byte and bit: size and CRC-32 are checked.
What follows has to be the directory of the archive, up to its end; another member is an error that
names both. (The format: PKWARE's APPNOTE.TXT, sections 4.3 and 4.5.)
"""

from __future__ import annotations

import struct
import zlib
from typing import Any

_LOCAL = struct.Struct("<4s5H3L2H")
_LOCAL_MAGIC, _ENTRY_MAGIC, _END_MAGIC = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
_DESCRIPTOR_MAGIC, _END64_MAGIC, _LOCATOR_MAGIC = b"PK\x07\x08", b"PK\x06\x06", b"PK\x06\x07"
_ENCRYPTED, _SIZES_FOLLOW, _UTF8 = 0x1, 0x8, 0x800
_STORED, _DEFLATED = 0, 8
_IN_EXTRA = 0xFFFFFFFF
_ZIP64 = 1
# With its magic number, the longer form, and the start of what comes next.
_MAX_DESCRIPTOR_BYTES = 26


class ZipError(Exception):
    """The archive is damaged, or is not one that can be read in order."""


class ZipDecoder:
    """The one member of an archive, in the shape of `streamframe.io.compression.Decoder`."""

    def __init__(self) -> None:
        self.eof = False
        self.unused_data = b""
        self._step: Any = self._header
        self._data = b""
        self._starved = True
        self._name = ""
        self._inflate: Any = None
        self._sizes_follow = False
        # Bytes and check of the member, as told; None while they are not.
        self._told: tuple[int, int, int] | None = None
        self._packed = self._unpacked = self._crc = 0

    @property
    def needs_input(self) -> bool:
        return self._starved

    def decompress(self, data: Any, max_length: int = -1) -> bytes:
        """Take bytes; return some of the member's."""
        self._data += bytes(data)
        self._starved = False
        out = b""
        while not out and not self._starved and not self.eof:
            out = self._step(max_length)
        if self.eof:
            self.unused_data, self._data = self._data, b""
        return out

    def _take(self, count: int) -> bytes | None:
        """Return so many bytes; None, and ask for more, if they are not there yet."""
        if len(self._data) < count:
            self._starved = True
            return None
        taken, self._data = self._data[:count], self._data[count:]
        return taken

    def _header(self, _: int) -> bytes:
        if len(self._data) < _LOCAL.size:
            self._starved = True
            return b""
        magic, _, flags, method, _, _, crc, packed, unpacked, name_bytes, more = _LOCAL.unpack_from(self._data)
        if magic != _LOCAL_MAGIC:
            raise ZipError("a member was expected")
        head = self._take(_LOCAL.size + name_bytes + more)
        if head is None:
            return b""
        raw = head[_LOCAL.size : _LOCAL.size + name_bytes]
        name = raw.decode("utf-8" if flags & _UTF8 else "cp437", "replace")
        if self._name:
            raise ZipError(f"it holds more than one file: {self._name!r}, {name!r} …; unpack it first")
        if flags & _ENCRYPTED:
            raise ZipError(f"{name!r} is encrypted; unpack it first")
        if method not in (_STORED, _DEFLATED):
            raise ZipError(f"{name!r} is packed by method {method}; only deflate can be unpacked in order")
        self._sizes_follow = bool(flags & _SIZES_FOLLOW)
        if method == _STORED and self._sizes_follow and not name.endswith("/"):
            raise ZipError(f"{name!r} is stored without its size in front of it; unpack it first")
        if _IN_EXTRA in (packed, unpacked):
            unpacked, packed = _zip64_sizes(head[_LOCAL.size + name_bytes :])
        if name.endswith("/"):
            return b""  # a folder: the next header follows
        self._name = name
        self._told = None if self._sizes_follow else (crc, packed, unpacked)
        self._inflate = zlib.decompressobj(wbits=-15) if method == _DEFLATED else None
        self._step = self._body
        return b""

    def _body(self, max_length: int) -> bytes:
        if self._inflate is None:
            assert self._told is not None
            left = self._told[1] - self._packed
            piece = self._data[: min(left, max_length if max_length > 0 else left)]
            self._data = self._data[len(piece) :]
            self._packed += len(piece)
            out, ended = piece, self._packed == self._told[1]
            self._starved = not ended and not self._data
        else:
            given = len(self._data)
            out = self._inflate.decompress(self._data, max(0, max_length))
            ended = self._inflate.eof
            self._data = self._inflate.unused_data if ended else self._inflate.unconsumed_tail
            self._packed += given - len(self._data)
            # It may hold more output when it has filled all the room, even with no input left.
            self._starved = not ended and not self._data and len(out) != max_length
        self._unpacked += len(out)
        self._crc = zlib.crc32(out, self._crc)
        if ended:
            self._step = self._descriptor if self._sizes_follow else self._checked
        return out

    def _descriptor(self, _: int) -> bytes:
        # With or without a magic number, with sizes of 4 or of 8 bytes: told apart by what fits.
        if len(self._data) < _MAX_DESCRIPTOR_BYTES:  # the directory that follows is longer
            self._starved = True
            return b""
        start = 4 if self._data.startswith(_DESCRIPTOR_MAGIC) else 0
        for form in ("<3L", "<L2Q"):
            size = struct.calcsize(form)
            told = struct.unpack_from(form, self._data, start)
            behind = self._data[start + size : start + size + 2]
            if told == (self._crc, self._packed, self._unpacked) and behind == b"PK":
                self._data = self._data[start + size :]
                self._told = told
                self._step = self._checked
                return b""
        raise ZipError(f"{self._name!r} is damaged: it does not have the size or the CRC-32 that it should")

    def _checked(self, _: int) -> bytes:
        if self._told != (self._crc, self._packed, self._unpacked):
            raise ZipError(f"{self._name!r} is damaged: it does not have the size or the CRC-32 that it should")
        self._step = self._directory
        return b""

    def _directory(self, _: int) -> bytes:
        """Pass over what follows the member, up to the end of the archive."""
        magic = self._data[:4]
        if len(magic) < 4:
            self._starved = True
        elif magic == _LOCAL_MAGIC:
            self._step = self._header
        elif magic == _ENTRY_MAGIC:
            self._skip(46, lambda head: sum(struct.unpack_from("<3H", head, 28)))
        elif magic == _END64_MAGIC:
            self._skip(12, lambda head: int(struct.unpack_from("<Q", head, 4)[0]))
        elif magic == _LOCATOR_MAGIC:
            self._skip(20, lambda _: 0)
        elif magic == _END_MAGIC:
            self.eof = self._skip(22, lambda head: int(struct.unpack_from("<H", head, 20)[0]))
        else:
            raise ZipError(f"its directory is damaged: it goes on with {magic!r}")
        return b""

    def _skip(self, head_bytes: int, more: Any) -> bool:
        if len(self._data) < head_bytes:
            self._starved = True
            return False
        return self._take(head_bytes + more(self._data[:head_bytes])) is not None


def _zip64_sizes(extra: bytes) -> tuple[int, int]:
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<2H", extra)
        if kind == _ZIP64 and size >= 16 and len(extra) >= 20:
            unpacked, packed = struct.unpack_from("<2Q", extra, 4)
            return unpacked, packed
        extra = extra[4 + size :]
    raise ZipError("its header is damaged: it lacks the sizes")
