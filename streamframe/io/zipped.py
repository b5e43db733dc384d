"""Take the one file out of a zip archive, from front to back.

Rules: the directory at the end of an archive is not needed, since each member has a header before it; but it
has to be there, or the archive is cut off. Size and checksum of the member are verified. Folders, and
what macOS puts beside a file, do not count; a second file is an error. Where an archive can be looked at from its
end, that is told before its first byte is read; else when the second file begins.
"""

from __future__ import annotations

import struct
import zlib
from typing import Any, Protocol

from streamframe.errors import DecodeError
from streamframe.io.stream import ByteStream

_MEMBER, _DIRECTORY, _END, _DESCRIPTOR = b"PK\3\4", b"PK\1\2", b"PK\5\6", b"PK\7\x08"
_MEMBER_HEAD = struct.Struct("<4s5H3L2H")
_DIRECTORY_HEAD = struct.Struct("<4s6H3L5H2L")
_END_HEAD = struct.Struct("<4s4H2LH")
# Structures of the directory: where the lengths of what follows stand in them.
_LENGTHS = {
    _DIRECTORY: struct.Struct("<28x3H12x"),
    b"PK\6\6": struct.Struct("<4xQ"),
    b"PK\6\7": struct.Struct("<20x"),
    b"PK\5\5": struct.Struct("<4xH"),
    _END: struct.Struct("<20xH"),
}
_ENCRYPTED, _SIZES_BEHIND, _UTF8 = 1 << 0, 1 << 3, 1 << 11
_ZIP64_EXTRA, _IN_EXTRA = 1, 0xFFFFFFFF
_STORED, _DEFLATED = 0, 8
_NAMES = {9: "deflate64", 12: "bzip2", 14: "LZMA", 93: "zstd", 95: "xz", 99: "AES"}
# Its end may have a comment of 64 KiB behind it.
_MAX_END_BYTES = _END_HEAD.size + (1 << 16)
_MAX_DIRECTORY_BYTES = 1 << 20
_SHOWN_NAMES = 10


class ZipError(Exception):
    """The archive is damaged."""


class _Inflater(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    @property
    def unconsumed_tail(self) -> bytes: ...
    def decompress(self, data: Any, max_length: int = 0) -> bytes: ...


class ZipDecoder:
    """An archive of one file, in the shape of `Decoder`."""

    def __init__(self) -> None:
        self.eof = False
        self.needs_input = True
        self._data = b""
        self._member: _Member | None = None
        self._name: str | None = None
        self._in_directory = False

    @property
    def unused_data(self) -> bytes:
        """What lies behind the archive."""
        return self._data

    def decompress(self, data: Any, max_length: int = -1) -> bytes:
        """Take bytes; return at most `max_length` of the file, perhaps none."""
        self._data += bytes(data)
        self.needs_input = False
        out = b""
        while not out and not self.eof and not self.needs_input:
            if self._member is not None:
                out = self._decompress(self._member, max_length)
            elif self._in_directory:
                self._pass_directory()
            else:
                self._open_member()
        return out

    def _decompress(self, member: _Member, max_length: int) -> bytes:
        out, self._data = member.decompress(self._data, max_length)
        if member.whole:
            if (behind := member.verified(self._data)) is None:
                self.needs_input = True
            else:
                self._data = self._data[behind:]
                self._member = None
        elif not out:
            self.needs_input = True
        return out if member.counts else b""

    def _open_member(self) -> None:
        kind = self._data[:4]
        if len(kind) == 4 and kind != _MEMBER:
            self._in_directory = True
            return
        if len(self._data) < _MEMBER_HEAD.size:
            self.needs_input = True
            return
        head = _MEMBER_HEAD.unpack_from(self._data)
        names_at = _MEMBER_HEAD.size
        behind = names_at + head[-2] + head[-1]
        if len(self._data) < behind:
            self.needs_input = True
            return
        raw_name, extra = self._data[names_at : names_at + head[-2]], self._data[names_at + head[-2] : behind]
        self._data = self._data[behind:]
        self._member = _Member(head, raw_name, extra)
        if self._member.counts:
            if self._name is not None:
                raise several([self._name, self._member.name], more=True)
            self._name = self._member.name

    def _pass_directory(self) -> None:
        """Pass over one structure of the directory; the last of them ends the archive."""
        if self._name is None:
            raise DecodeError("the archive holds no file")
        kind = self._data[:4]
        lengths = _LENGTHS.get(kind)
        if len(kind) == 4 and lengths is None:
            raise ZipError("what lies behind the file is no directory of an archive")
        if lengths is None or len(self._data) < lengths.size:
            self.needs_input = True
            return
        behind = lengths.size + sum(lengths.unpack_from(self._data))
        if len(self._data) < behind:
            self.needs_input = True
            return
        self._data = self._data[behind:]
        self.eof = kind == _END


class _Member:
    """One file of an archive, on its way out."""

    def __init__(self, head: tuple[Any, ...], raw_name: bytes, extra: bytes) -> None:
        _, _, flags, method, _, _, self._crc, packed, size, _, _ = head
        self.name = raw_name.decode("utf-8" if flags & _UTF8 else "cp437", "replace")
        self._sizes_behind = bool(flags & _SIZES_BEHIND)
        self._packed, self._size = _sizes(packed, size, extra)
        if flags & _ENCRYPTED:
            raise DecodeError(f"{self.name!r} is encrypted", hint="unpack the archive with its password first.")
        if method not in (_STORED, _DEFLATED):
            named = _NAMES.get(method, f"method {method}")
            raise DecodeError(f"{self.name!r} is compressed with {named}", hint="unpack the archive first.")
        if method == _STORED and self._sizes_behind and not self._packed:
            raise DecodeError(
                f"{self.name!r} is stored without its size, so that its end cannot be told",
                hint="unpack the archive first, or write it again, compressed.",
            )
        is_folder = self.name.endswith("/") and not self._size
        self.counts = not is_folder and not self.name.startswith("__MACOSX/")
        self._inflater: _Inflater | None = zlib.decompressobj(wbits=-15) if method == _DEFLATED else None
        self._taken = 0
        self._made = 0
        self._made_crc = 0
        self.whole = False

    def decompress(self, data: bytes, max_length: int) -> tuple[bytes, bytes]:
        """Return some of the file, and what is left of `data`."""
        if self.whole:
            return b"", data
        if self._inflater is None:
            room = self._packed - self._taken
            count = min(len(data), room, max_length if max_length >= 0 else room)
            out, rest = data[:count], data[count:]
            self.whole = count == room
        else:
            try:
                out = self._inflater.decompress(data, max(0, max_length))
            except zlib.error as error:
                raise ZipError(str(error)) from error
            self.whole = self._inflater.eof
            rest = self._inflater.unused_data if self.whole else self._inflater.unconsumed_tail
        self._taken += len(data) - len(rest)
        self._made += len(out)
        self._made_crc = zlib.crc32(out, self._made_crc)
        return out, rest

    def verified(self, data: bytes) -> int | None:
        """Return how many bytes behind a whole file belong to it; None if it takes more to tell.

        Raises
        ------
        ZipError
            If the file is not what was packed.
        """
        if not self._sizes_behind:
            if (self._crc, self._packed, self._size) != (self._made_crc, self._taken, self._made):
                raise ZipError(f"{self.name!r} has another size or checksum than the archive says")
            return 0
        # With a signature or without, its sizes in 4 bytes or in 8: nothing says which. The longest first,
        # since sizes of zero make the others look like its start. A directory follows, so there is that much.
        if len(data) < 24:
            return None
        for start in (_DESCRIPTOR, b""):
            for form in ("<LQQ", "<LLL"):
                mask = 0xFFFFFFFF if form == "<LLL" else -1
                expected = start + struct.pack(form, self._made_crc, self._taken & mask, self._made & mask)
                if data.startswith(expected):
                    return len(expected)
        raise ZipError(f"{self.name!r} has another size or checksum than the archive says")


def _sizes(packed: int, size: int, extra: bytes) -> tuple[int, int]:
    """Return the packed and the real size of a member, which stand elsewhere if they are huge."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if kind == _ZIP64_EXTRA:
            large = iter(struct.unpack_from(f"<{min(length, len(extra) - at - 4) // 8}Q", extra, at + 4))
            size = next(large, size) if size == _IN_EXTRA else size
            packed = next(large, packed) if packed == _IN_EXTRA else packed
        at += 4 + length
    return packed, size


def require_one_file(stream: ByteStream) -> None:
    """Raise `DecodeError` if an archive that can be looked at from its end holds several files."""
    if not stream.seekable or stream.size is None:
        return
    here = stream.offset
    stream.seek(max(here, stream.size - _MAX_END_BYTES))
    tail = stream.read_up_to(_MAX_END_BYTES)
    names = []
    at = tail.rfind(_END)
    if 0 <= at <= len(tail) - _END_HEAD.size:
        *_, size, start, _ = _END_HEAD.unpack_from(tail, at)
        if start + size <= stream.size and size <= _MAX_DIRECTORY_BYTES:
            stream.seek(start)
            names = _names_in(stream.read_up_to(size))
    stream.seek(here)
    if len(names) > 1:
        raise several(names)


def _names_in(directory: bytes) -> list[str]:
    names = []
    at = 0
    while directory.startswith(_DIRECTORY, at) and at + _DIRECTORY_HEAD.size <= len(directory):
        head = _DIRECTORY_HEAD.unpack_from(directory, at)
        name_at = at + _DIRECTORY_HEAD.size
        name = directory[name_at : name_at + head[10]].decode("utf-8" if head[3] & _UTF8 else "cp437", "replace")
        if not name.endswith("/") and not name.startswith("__MACOSX/"):
            names.append(name)
        at = name_at + head[10] + head[11] + head[12]
    return names


def several(names: list[str], *, more: bool = False) -> DecodeError:
    """Return the error for an archive of several files."""
    shown = ", ".join(map(repr, names[:_SHOWN_NAMES]))
    rest = ", and perhaps more" if more else f", and {len(names) - _SHOWN_NAMES} more" * (len(names) > _SHOWN_NAMES)
    return DecodeError(
        f"the archive holds several files: {shown}{rest}",
        hint="unpack it, and read the files as a list or a glob.",
    )
