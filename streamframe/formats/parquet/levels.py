"""From the bytes of a page to its levels and its values, and the lengths of texts in it.

Rules: no more is decompressed than is looked at, where the codec lets one stop. What is not as Parquet has it, is
`Damaged`.
See https://github.com/apache/parquet-format/blob/master/Encodings.md.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from streamframe.formats.parquet.pages import DATA_PAGE_2, Page
from streamframe.formats.parquet.thrift import write_varint
from streamframe.formats.parquet.weighing import BY_INDEX, EQUAL, IN_FRONT, IN_ORDER, Array, Damaged, next_length
from streamframe.native.parquet_rows import lengths_of

# `enum Encoding` of Parquet's format.
_PLAIN, _RLE, _BIT_PACKED, _DELTA_LENGTH, _DELTA = 0, 3, 4, 6, 7
BY_DICTIONARY = (2, 8)
# What is held of all values of a page at once; that many are in no ordinary page.
MOST_DELTAS, _MOST_BIT_PACKED = 1 << 22, 1 << 26
_64_BITS = (1 << 64) - 1
_STREAMED = {"GZIP": "gzip", "ZSTD": "zstd", "BROTLI": "brotli"}
_AT_ONCE = {**_STREAMED, "SNAPPY": "snappy", "LZ4_RAW": "lz4_raw"}


class Leaf(NamedTuple):
    """What the schema says of a column chunk.

    Attributes
    ----------
    most_repetition, most_definition
        The greatest levels there are: how often a list is around a value, and how often it may be missing.
    width
        Bytes of a value; None for text.
    """

    most_repetition: int
    most_definition: int
    width: int | None


class Sections(NamedTuple):
    """The parts of a page, how the lengths of its values are told, and these if they are."""

    parts: tuple[Any, Any, Any]
    how: int
    lengths: Array | None


def sections_of(page: Page, body: Any, codec: str, leaf: Leaf, dictionary: Array | None) -> Sections:
    """Return what a page of data consists of; `dictionary` has the lengths of its texts."""
    if page.kind == DATA_PAGE_2:
        repetition, definition, packed = _split(body, page.repetition_bytes, page.definition_bytes)
        values: Any = b""
        if leaf.width is None:
            nbytes = page.nbytes - page.repetition_bytes - page.definition_bytes
            values = _unpacked(packed, codec if page.packed else "UNCOMPRESSED", nbytes)
    else:
        only = leaf.width is not None
        data = _front(body, codec, page, leaf) if only else _unpacked(body, codec, page.nbytes)
        repetition, data = _levels(data, leaf.most_repetition, page.repetition_encoding, page.values)
        definition, values = (
            (b"", b"") if only else _levels(data, leaf.most_definition, page.definition_encoding, page.values)
        )
    if leaf.width is not None:
        return Sections((repetition, b"", b""), EQUAL, None)
    how, lengths = _text(page, values, dictionary)
    return Sections((repetition, definition, values), how, lengths)


def dictionary_lengths(page: Page, body: Any, codec: str) -> Array:
    """Return the lengths of the texts of a dictionary."""
    if page.values * 4 > page.nbytes:
        raise Damaged
    texts = _unpacked(body, codec, page.nbytes)
    found = lengths_of(texts, page.values)
    if found is not None:
        return found
    made, at = np.empty(page.values, np.int32), 0
    for place in range(page.values):
        made[place], at = next_length(texts, at)
    return made


def _text(page: Page, values: Any, dictionary: Array | None) -> tuple[int, Array | None]:
    if page.encoding in BY_DICTIONARY:
        if dictionary is None:
            raise Damaged
        return BY_INDEX, dictionary
    if page.encoding == _PLAIN:
        return IN_FRONT, None
    if page.encoding not in (_DELTA_LENGTH, _DELTA) or page.values > MOST_DELTAS:
        raise Damaged
    lengths, rest = _deltas(values, page.values)
    if page.encoding == _DELTA:
        # These were what a text shares with the one before it.
        more, _ = _deltas(rest, page.values)
        if len(more) != len(lengths):
            raise Damaged
        lengths = lengths + more
    if len(lengths) and (lengths.min() < 0 or lengths.max() > page.nbytes):
        raise Damaged
    return IN_ORDER, lengths.astype(np.int32)


def _levels(data: Any, most: int, encoding: int, count: int) -> tuple[Any, Any]:
    """Return levels of a page of the first version, and what is behind them."""
    if not most:
        return b"", data
    if encoding == _RLE:
        nbytes = int.from_bytes(data[:4], "little")
        if len(data) < 4 + nbytes:
            raise Damaged
        return data[4 : 4 + nbytes], data[4 + nbytes :]
    width = most.bit_length()
    nbytes = -(-count * width // 8)
    if encoding != _BIT_PACKED or nbytes > len(data) or count > _MOST_BIT_PACKED:
        raise Damaged
    # As old writers have them: the highest bit first, and without a length. Turned to a run as the others are.
    bits = np.unpackbits(np.frombuffer(data[:nbytes], np.uint8))[: count * width].reshape(count, width)[:, ::-1]
    groups = -(-count // 8)
    run = np.zeros((groups * 8, width), np.uint8)
    run[:count] = bits
    packed = bytearray()
    write_varint(packed, groups << 1 | 1)
    return bytes(packed) + np.packbits(run, bitorder="little").tobytes(), data[nbytes:]


def _split(body: Any, repetition: int, definition: int) -> tuple[Any, Any, Any]:
    if repetition + definition > len(body):
        raise Damaged
    return body[:repetition], body[repetition : repetition + definition], body[repetition + definition :]


def _front(body: Any, codec: str, page: Page, leaf: Leaf) -> Any:
    """Return of a page of the first version what tells where its rows start, or more."""
    if codec not in _STREAMED or not leaf.most_repetition or page.repetition_encoding != _RLE:
        return _unpacked(body, codec, page.nbytes)
    try:
        with pa.CompressedInputStream(pa.BufferReader(body), _STREAMED[codec]) as stream:
            head = stream.read(4)
            return memoryview(head + stream.read(min(int.from_bytes(head, "little"), page.nbytes)))
    except (pa.ArrowException, OSError) as error:
        raise Damaged from error


def _unpacked(packed: Any, codec: str, nbytes: int) -> memoryview:
    """Return so many bytes as they were before they were compressed."""
    if codec == "UNCOMPRESSED":
        return memoryview(packed).cast("B")
    if nbytes <= 0:
        return memoryview(b"")
    try:
        if codec != "LZ4":
            return memoryview(pa.Codec(_AT_ONCE[codec]).decompress(packed, nbytes)).cast("B")
        made = _from_hadoop(bytes(packed), nbytes) or pa.Codec("lz4_raw").decompress(packed, nbytes)
        return memoryview(made).cast("B")
    except (pa.ArrowException, OSError, KeyError) as error:
        raise Damaged from error


def _from_hadoop(packed: bytes, nbytes: int) -> bytes | None:
    """Return what is in frames of Hadoop, each behind its lengths; None if there are none, as some writers have it."""
    made, at, codec = bytearray(), 0, pa.Codec("lz4_raw")
    while at < len(packed):
        whole, length = (int.from_bytes(packed[start : start + 4], "big") for start in (at, at + 4))
        at += 8 + length
        if at > len(packed) or len(made) + whole > nbytes:
            return None
        made += codec.decompress(packed[at - length : at], whole).to_pybytes()
    return bytes(made) if len(made) == nbytes else None


def _deltas(data: Any, most: int) -> tuple[Array, Any]:
    """Return whole numbers that are written by their differences, and what is behind them."""
    reader = _Bytes(data)
    block, parts, count = reader.varint(), reader.varint(), reader.varint()
    first = reader.zigzag()
    if not parts or block % (128 if block else 1) or block // parts % 32 or not block or count > most:
        raise Damaged
    found = [np.array([first & _64_BITS][:count], np.uint64)]
    left, in_part = count - 1, block // parts
    while left > 0:
        least = reader.zigzag()
        widths = reader.take(parts)
        for width in widths:
            if left <= 0:
                break
            if width > 64:
                raise Damaged
            some = min(left, in_part)
            bits = np.unpackbits(np.frombuffer(reader.take(in_part * width // 8), np.uint8), bitorder="little")
            weights = np.left_shift(np.uint64(1), np.arange(width, dtype=np.uint64))
            # Modulo 2**64, as it was written.
            numbers = (
                bits.reshape(in_part, width)[:some].astype(np.uint64) @ weights if width else np.zeros(some, np.uint64)
            )
            found.append(numbers + np.uint64(least & _64_BITS))
            left -= some
    return np.concatenate(found).cumsum().astype(np.int64), data[reader.at :]


class _Bytes:
    def __init__(self, data: Any) -> None:
        self._data, self.at = data, 0

    def take(self, count: int) -> Any:
        self.at += count
        if self.at > len(self._data):
            raise Damaged
        return self._data[self.at - count : self.at]

    def varint(self) -> int:
        value = shift = 0
        while (byte := self.take(1)[0]) > 0x7F:
            value |= (byte & 0x7F) << shift
            shift += 7
            if shift > 63:
                raise Damaged
        return int(value | byte << shift)

    def zigzag(self) -> int:
        value = self.varint()
        return value >> 1 if not value & 1 else -(value >> 1) - 1
