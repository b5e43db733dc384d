"""The chunks that an ORC file compresses its streams in.

Rule: each has three bytes in front, which say how long it is and whether it is compressed at all; what it becomes has a
limit, which the file names. What is no such chunk is a `ValueError`.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator

import pyarrow as pa

NONE = 0
_HEADER_BYTES = 3


def decompressed(data: bytes, codec: int, chunk_bytes: int) -> bytes:
    """Return what a stream holds."""
    if codec == NONE:
        return data
    decompress = _CODECS[codec]
    made = []
    for start, length, is_original in _chunks(data):
        chunk = data[start : start + length]
        made.append(chunk if is_original else decompress(chunk, chunk_bytes))
    return b"".join(made)


def can_decompress(codec: int) -> bool:
    """Tell whether a codec is known."""
    return codec == NONE or codec in _CODECS


def most_bytes(read: Callable[[int, int], bytes], length: int, codec: int, chunk_bytes: int) -> int:
    """Return how many bytes a stream of so many can hold at most; of its chunks only the headers are read."""
    if codec == NONE:
        return length
    most = at = 0
    while at < length:
        size, is_original = _header(read(at, _HEADER_BYTES))
        most += size if is_original else chunk_bytes
        at += _HEADER_BYTES + size
    return most


def _chunks(data: bytes) -> Iterator[tuple[int, int, bool]]:
    at = 0
    while at < len(data):
        length, is_original = _header(data[at : at + _HEADER_BYTES])
        at += _HEADER_BYTES
        if at + length > len(data):
            raise ValueError("a chunk goes beyond its stream")
        yield at, length, is_original
        at += length


def _header(data: bytes) -> tuple[int, bool]:
    if len(data) < _HEADER_BYTES:
        raise ValueError("a stream ends within the header of a chunk")
    number = int.from_bytes(data, "little")
    return number >> 1, bool(number & 1)


def _deflated(chunk: bytes, most: int) -> bytes:
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(chunk, most)
    except zlib.error as error:
        raise ValueError(str(error)) from error


def _zstd(chunk: bytes, most: int) -> bytes:
    from streamframe.io import zstd

    try:
        return bytes(zstd.ZstdDecompressor().decompress(chunk, most))
    except zstd.ZstdError as error:
        raise ValueError(str(error)) from error


def _snappy(chunk: bytes, most: int) -> bytes:
    size = shift = 0
    for byte in chunk[:5]:
        size |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    return _by_arrow("snappy", chunk, size, most)


def _lz4(chunk: bytes, most: int) -> bytes:
    # A block of LZ4 does not say what it becomes; its sequences, of literals and of a match each, do.
    at = size = 0
    try:
        while at < len(chunk):
            token = chunk[at]
            literals, at = _lz4_length(chunk, at + 1, token >> 4)
            at, size = at + literals, size + literals
            if at < len(chunk):
                match, at = _lz4_length(chunk, at + 2, token & 15)
                size += match + 4
    except IndexError as error:
        raise ValueError("a sequence of LZ4 is cut") from error
    return _by_arrow("lz4_raw", chunk, size, most)


def _lz4_length(chunk: bytes, at: int, length: int) -> tuple[int, int]:
    if length == 15:
        while True:
            byte, at = chunk[at], at + 1
            length += byte
            if byte < 255:
                break
    return length, at


def _by_arrow(codec: str, chunk: bytes, size: int, most: int) -> bytes:
    if size > most:
        raise ValueError("a chunk becomes larger than the file allows")
    try:
        return bytes(pa.decompress(chunk, decompressed_size=size, codec=codec, asbytes=True))
    except (pa.ArrowException, OSError) as error:
        raise ValueError(str(error)) from error


_CODECS: dict[int, Callable[[bytes, int], bytes]] = {1: _deflated, 2: _snappy, 4: _lz4, 5: _zstd}
