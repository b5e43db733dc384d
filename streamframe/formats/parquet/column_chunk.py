"""One column of a row group as the bytes that stand in a file, and what its footer says of them.

Rules: a chunk depends on nothing but its rows, so that chunks are made side by side; its offsets count from its own
first byte until `placed` moves them to where it stands. What the kernel does not know, Arrow writes, as a file of one
row group, of which the chunks are taken.
See https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from streamframe.formats.parquet import thrift
from streamframe.formats.parquet.thrift import Struct, binary, flag, i32, i64, items, nested
from streamframe.native.parquet_write import ColumnPages, Form

try:
    from isal.isal_zlib import crc32
except ImportError:
    # Slower, and the same.
    crc32 = zlib.crc32

# `enum Encoding`, `enum PageType`.
_PLAIN, _RLE, _RLE_DICTIONARY = 0, 3, 8
_DATA_PAGE, _DICTIONARY_PAGE = 0, 2
# `enum Type`, by the bytes of a value.
_BOOLEAN, _BYTE_ARRAY = 0, 6
_INTEGERS, _FLOATS = {4: 1, 8: 2}, {4: 4, 8: 5}
_CODECS = {"none": 0, "snappy": 1, "gzip": 2, "brotli": 4, "zstd": 6, "lz4": 7}
# Fields of `ColumnMetaData` and of `ColumnChunk` that say where something is.
_PAGE_OFFSETS = (9, 10, 11, 14)
_FIRST_PAGES = (11, 9)
_METADATA, _BLOOM_OFFSET, _BLOOM_LENGTH, _COMPRESSED, _UNCOMPRESSED = 3, 14, 15, 7, 6
# Longer bounds are left out, as Arrow does.
_MOST_STATISTICS_BYTES = 4096


@dataclass(frozen=True)
class Chunk:
    """A chunk, not placed yet.

    Attributes
    ----------
    data
        Its bytes.
    metadata
        `ColumnMetaData`, its offsets counted from the first byte.
    compressed, uncompressed
        Bytes of its pages. A bloom filter may stand behind them.
    """

    data: bytes | pa.Buffer
    metadata: Struct
    compressed: int
    uncompressed: int

    def placed(self, start: int) -> bytes:
        """Return `ColumnChunk` for a chunk that starts at a byte of a file."""
        moved = {
            field: i64(value.value + start) if field in _PAGE_OFFSETS else value
            for field, value in self.metadata.items()
        }
        return thrift.written({2: i64(0), _METADATA: nested(moved)})


@dataclass(frozen=True)
class ChunkOptions:
    """How chunks are written: as `ParquetEncoding` says, by column.

    Attributes
    ----------
    for_arrow
        What Arrow's writer is told.
    """

    compression: str
    level: int | None
    checksums: bool
    statistics: bool
    bloom_filter: bool
    for_arrow: dict[str, Any]


def takes_dictionary(kind: pa.DataType) -> bool:
    """Tell whether arrays of a type may come as dictionaries of their values."""
    form = Form.of(kind)
    return form is not None and form.takes_dictionary


def chunks_of(field: pa.Field, arrays: Sequence[pa.Array], options: ChunkOptions) -> list[Chunk]:
    """Return the chunks of one column: several if it is nested."""
    form = Form.of(field.type)
    if form is None or options.bloom_filter:
        return _by_arrow(field, arrays, options)
    return [_by_kernel(field, form, arrays, options)]


def _by_kernel(field: pa.Field, form: Form, arrays: Sequence[pa.Array], options: ChunkOptions) -> Chunk:
    column = ColumnPages(arrays, form, nullable=field.nullable)
    codec = None if options.compression == "none" else _codec(options)
    pieces: list[Any] = []
    compressed = uncompressed = 0
    counts = {True: 0, False: 0}

    def add(kind: int, body: Any, length: int, header: int, fields: Struct) -> None:
        nonlocal compressed, uncompressed
        packed = body if codec is None else codec.compress(body)
        about: Struct = {1: i32(kind), 2: i32(length), 3: i32(len(packed)), header: nested(fields)}
        if options.checksums:
            sum_of = crc32(packed)
            about[4] = i32(sum_of - (1 << 32) if sum_of >> 31 else sum_of)
        head = thrift.written(about)
        # A body that is not packed is overwritten by the next one.
        pieces.extend((head, packed if codec is not None else bytes(packed)))
        compressed += len(head) + len(packed)
        uncompressed += len(head) + length

    try:
        dictionary = column.dictionary
        if dictionary is not None:
            fields = {1: i32(dictionary.values), 2: i32(_PLAIN), 3: flag(False)}
            add(_DICTIONARY_PAGE, dictionary.body, len(dictionary.body), 7, fields)
        first_data = compressed
        for body, rows, by_number in column.pages():
            encoding = _RLE_DICTIONARY if by_number else _PLAIN
            fields = {1: i32(rows), 2: i32(encoding), 3: i32(_RLE), 4: i32(_RLE)}
            add(_DATA_PAGE, body, body.size, 5, fields)
            counts[by_number] += 1
    finally:
        column.close()
    encodings = [_PLAIN, _RLE, *([_RLE_DICTIONARY] if dictionary is not None else [])]
    made = [(_DATA_PAGE, _RLE_DICTIONARY, counts[True]), (_DATA_PAGE, _PLAIN, counts[False])]
    if dictionary is not None:
        made.insert(0, (_DICTIONARY_PAGE, _PLAIN, 1))
    metadata = {
        1: i32(physical_type(form)),
        2: items(thrift.I32, encodings),
        3: items(thrift.BINARY, [field.name.encode()]),
        4: i32(_CODECS[options.compression]),
        5: i64(column.values + column.nulls),
        _UNCOMPRESSED: i64(uncompressed),
        _COMPRESSED: i64(compressed),
        9: i64(first_data),
        13: items(thrift.STRUCT, [{1: i32(kind), 2: i32(how), 3: i32(count)} for kind, how, count in made if count]),
    }
    if dictionary is not None:
        metadata[11] = i64(0)
    if options.statistics:
        metadata[12] = nested(_statistics(column, form))
    return Chunk(_joined(pieces, compressed), metadata, compressed, uncompressed)


def _joined(pieces: Sequence[Any], nbytes: int) -> pa.Buffer:
    """Return bytes on end, by Arrow's allocator: libc keeps what is freed of such sizes, for each thread."""
    made = pa.allocate_buffer(nbytes)
    view, at = memoryview(made).cast("B"), 0
    for piece in pieces:
        view[at : at + len(piece)] = memoryview(piece).cast("B")
        at += len(piece)
    return made


def _codec(options: ChunkOptions) -> pa.Codec:
    name = "lz4_raw" if options.compression == "lz4" else options.compression
    return pa.Codec(name, options.level)


def physical_type(form: Form) -> int:
    """Return the number of a form's type in Parquet."""
    if form.is_text:
        return _BYTE_ARRAY
    if form.is_boolean:
        return _BOOLEAN
    return (_FLOATS if form.is_float else _INTEGERS)[form.stored_width]


def _statistics(column: ColumnPages, form: Form) -> Struct:
    found: Struct = {3: i64(column.nulls)}
    if column.least is None or column.most is None:
        return found
    least, most = column.least, column.most
    if not form.is_text:
        least, most = least[: form.stored_width], most[: form.stored_width]
    if form.is_float:
        # Which zero it is, nobody is to rely on.
        spelled = "<f" if form.stored_width == 4 else "<d"
        least, most = (
            struct.pack(spelled, zero) if not struct.unpack(spelled, bound)[0] else bound
            for bound, zero in ((least, -0.0), (most, 0.0))
        )
    if len(least) > _MOST_STATISTICS_BYTES or len(most) > _MOST_STATISTICS_BYTES:
        return found
    return {**found, 5: binary(most), 6: binary(least), 7: flag(True), 8: flag(True)}


def _by_arrow(field: pa.Field, arrays: Sequence[pa.Array], options: ChunkOptions) -> list[Chunk]:
    rows = pa.Table.from_arrays([pa.chunked_array(arrays, field.type)], schema=pa.schema([field]))
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, rows.schema, store_schema=False, **options.for_arrow) as writer:
        writer.write_table(rows, row_group_size=max(1, rows.num_rows))
    file = sink.getvalue()
    view = memoryview(file)
    (_, row_groups) = footer_of(view)[4].value
    if len(row_groups) != 1:
        raise pa.ArrowNotImplementedError(f"{field.type} was written as {len(row_groups)} row groups")
    return [_taken(view, chunk[_METADATA].value) for chunk in row_groups[0][1].value[1]]


def footer_of(file: memoryview) -> Struct:
    """Return `FileMetaData` of a file that Arrow has just written."""
    length = int.from_bytes(file[-8:-4], "little")
    return thrift.read(bytes(file[-8 - length : -8]))


def _taken(file: memoryview, metadata: Struct) -> Chunk:
    """Return a chunk of a file, and its bloom filter behind it."""
    start = min(metadata[field].value for field in _FIRST_PAGES if field in metadata and metadata[field].value)
    length = metadata[_COMPRESSED].value
    data = bytes(file[start : start + length])
    moved = {field: i64(value.value - start) if field in _PAGE_OFFSETS else value for field, value in metadata.items()}
    if _BLOOM_OFFSET in metadata:
        filter_at = metadata[_BLOOM_OFFSET].value
        data += bytes(file[filter_at : filter_at + metadata[_BLOOM_LENGTH].value])
        moved[_BLOOM_OFFSET] = i64(length)
    return Chunk(data, moved, length, metadata[_UNCOMPRESSED].value)
