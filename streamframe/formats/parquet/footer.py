"""The footer of a Parquet file, of which nothing is asked that pyarrow would die of.

Rule: what a damaged footer says of a column chunk, `RowGroupMetaData.column` meets with an exception in C++ that
nothing catches, and the process aborts (pyarrow 26: size statistics or a type that do not fit the column). So the
kernel reads what is said of them, and Arrow what is said of the schema alone: of many row groups it would make objects
that take time and stay. Where the kernel is not sure, or where Arrow has to look, one of Arrow's readers, which do
catch that, is made first, of a file without bytes: where it comes to reading them, the chunks are sound.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from streamframe.errors import DecodeError
from streamframe.formats.parquet import thrift
from streamframe.formats.parquet.chunks import Chunk
from streamframe.formats.parquet.stored import StoredColumns
from streamframe.formats.wording import first_line
from streamframe.io.ranged import RangedFile
from streamframe.native.parquet_footer import AS_INTEGERS, Facts, facts_of, without_row_groups

_TAIL_BYTES = 64 << 10
_MAGIC = b"PAR1"
# Behind the footer: its length, and the magic once more.
_END_BYTES = 8
# Fields of `FileMetaData` and of `SchemaElement`.
_SCHEMA, _REPETITION = 2, 3
_REPETITIONS = [thrift.i32(how) for how in range(3)]


class Footer:
    """A footer, and the name and the size of its file.

    Attributes
    ----------
    data : bytes
        A file that holds the footer alone.
    columns : StoredColumns
        What it says of the columns: `like` says it, where that is the same.
    rows : list of int
        Of each row group.

    Raises
    ------
    DecodeError
        If it is damaged.
    """

    def __init__(self, label: str, data: bytes, size: int, like: Footer | None = None) -> None:
        self.label = label
        self.data = data
        self._size = size
        self._sound: set[tuple[int, int]] = set()
        self._facts: Facts | None = None
        footer = data[len(_MAGIC) : -_END_BYTES]
        self.columns: StoredColumns
        self._alone: bytes | None = None
        if (found := without_row_groups(footer)) is not None:
            self._alone, groups = found
            if like is not None and like._alone == self._alone:
                self.columns = like.columns
            else:
                alone = _MAGIC + self._alone + len(self._alone).to_bytes(4, "little") + _MAGIC
                self.columns = self._checked(self._parsed(alone))
            self._facts = facts_of(footer, groups, self.columns.physical_types)
        if self._facts is not None:
            self.rows = self._facts.rows
        else:
            self._alone, self.columns = None, self._checked(self.metadata)
            self.rows = [self.metadata.row_group(group).num_rows for group in range(self.metadata.num_row_groups)]

    @cached_property
    def metadata(self) -> pq.FileMetaData:
        """All that Arrow knows; column chunks are asked for by `chunks` only."""
        return self._parsed(self.data)

    def chunks(self, group: int, columns: Collection[str]) -> dict[str, list[Chunk]]:
        """Return the chunks of these columns in a row group, by column; a nested one has one for each of its leaves.

        Raises
        ------
        DecodeError
            If they cannot be what the schema says.
        """
        leaves = self.columns.leaves_of(columns)
        if self._facts is not None:
            found = list(map(Chunk.of_facts, self._facts.chunks(group, leaves)))
        else:
            found = [Chunk.of_arrow(chunk) for chunk in self._by_arrow(group, leaves)]
        by_column: dict[str, list[Chunk]] = {}
        for leaf, chunk in zip(leaves, found, strict=True):
            by_column.setdefault(self.columns.roots[leaf], []).append(chunk)
        return by_column

    def sizes(self, group: int, columns: Collection[str]) -> tuple[int, int]:
        """Return how many bytes these columns have in a row group, as they are stored and without compression.

        Raises
        ------
        DecodeError
            As `chunks`.
        """
        if self._facts is not None:
            return self._facts.sizes(group, self.columns.leaves_of(columns))
        chunks = [chunk for some in self.chunks(group, columns).values() for chunk in some]
        return sum(chunk.end - chunk.start for chunk in chunks), sum(chunk.nbytes for chunk in chunks)

    def facts(self, group: int) -> np.ndarray | None:
        """Return what the kernel has found of the chunk of each leaf in a row group; None if that took Arrow."""
        return None if self._facts is None else self._facts.of(group)

    def bounds(self, column: str) -> list[tuple[int, int] | None] | None:
        """Return the least and the greatest value of a column of whole numbers in each row group, None where not told.

        None for all if it takes Arrow to know.
        """
        leaf = self.columns.leaf(column)
        if self._facts is None or leaf is None or leaf.max_repetition_level or not leaf.physical_type.startswith("INT"):
            return None
        (place,) = self.columns.leaves_of((column,))
        told = self._facts.column(place, "bounds")
        if not {0, AS_INTEGERS}.issuperset(told):
            return None
        bounds = zip(self._facts.column(place, "least"), self._facts.column(place, "most"), strict=True)
        return [both if is_told else None for is_told, both in zip(told, bounds, strict=True)]

    def has_statistics(self, columns: Collection[str]) -> bool:
        """Tell whether some row group knows the least and the greatest value of one of these columns.

        Raises
        ------
        DecodeError
            If a chunk of them cannot be what the schema says.
        """
        leaves = self.columns.leaves_of(columns)
        if self._facts is not None and not any(any(self._facts.column(leaf, "bounds")) for leaf in leaves):
            return False
        found = False
        for group in range(len(self.rows)):
            for leaf, chunk in zip(leaves, self._by_arrow(group, leaves), strict=True):
                # Whoever looks at the statistics of a chunk of another type is aborted.
                if chunk.physical_type != self.columns.physical_types[leaf]:
                    self._refuse(group, f"a chunk of {chunk.path_in_schema!r} is of type {chunk.physical_type}")
                found = found or chunk.is_stats_set
        return found

    def _by_arrow(self, group: int, leaves: list[int]) -> list[Any]:
        self._require_sound(group, leaves)
        row_group = self.metadata.row_group(group)
        return [row_group.column(leaf) for leaf in leaves]

    def _require_sound(self, group: int, leaves: list[int]) -> None:
        unknown = [leaf for leaf in leaves if (group, leaf) not in self._sound]
        if not unknown:
            return
        if self.metadata.row_group(group).num_columns != self.metadata.num_columns:
            self._refuse(group, "it has another number of columns than the schema")
        bytes_of_none, reader = self._reader
        bytes_of_none.reached = False
        try:
            next(reader.iter_batches(1, row_groups=[group], column_indices=unknown, use_threads=False), None)
        except (pa.ArrowException, OSError) as error:
            if not bytes_of_none.reached:
                self._refuse(group, first_line(error))
        self._sound.update((group, leaf) for leaf in unknown)

    def _refuse(self, group: int, why: str) -> NoReturn:
        raise DecodeError(
            f"row group {group} cannot be decoded: {why}",
            source=self.label,
            hint="the file is damaged; write or download it again.",
        )

    @cached_property
    def _reader(self) -> tuple[_WithoutBytes, Any]:
        without_bytes = _WithoutBytes()
        file = pa.PythonFile(without_bytes, mode="r")
        # Without a buffer it would read when it is made.
        made = pq.ParquetFile(file, metadata=self.metadata, pre_buffer=False, buffer_size=1 << 16)
        return without_bytes, made.reader

    def _checked(self, metadata: pq.FileMetaData) -> StoredColumns:
        if not _is_each_column_known(self.data[len(_MAGIC) :]):
            raise _not_parquet(self.label, self._size, "its footer is damaged")
        return StoredColumns(metadata.schema)

    def _parsed(self, file: bytes) -> pq.FileMetaData:
        try:
            return pq.read_metadata(pa.BufferReader(file))
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise _not_parquet(self.label, self._size, "its footer is damaged") from error


def footer_of(file: RangedFile, like: Footer | None = None) -> Footer:
    """Read and parse the footer of a Parquet file; of one that is not larger than what is read, all bytes are kept.

    `like` is that of another file, which may say the same of the columns.

    Raises
    ------
    DecodeError
        If this is not a Parquet file, or its end is missing.
    """
    size = file.size
    if size < 12:
        raise _not_parquet(file.label, size, f"it has {size} bytes")
    tail_start = max(0, size - _TAIL_BYTES)
    tail = file.read_range(tail_start, size - tail_start)
    if tail[-4:] != _MAGIC:
        head = file.read_range(0, 4)
        if head == _MAGIC:
            raise _not_parquet(file.label, size, "its end is missing: it was cut short, or is still being written")
        raise _not_parquet(file.label, size, f"it starts with {head!r}")
    footer_bytes = int.from_bytes(tail[-8:-4], "little") + _END_BYTES
    if footer_bytes > size:
        raise _not_parquet(file.label, size, "its footer is damaged")
    if footer_bytes > len(tail):
        tail = file.read_range(size - footer_bytes, footer_bytes)
    if len(tail) == size:
        file.keep(tail)
    return Footer(file.label, _MAGIC + bytes(tail[-footer_bytes:]), size, like)


def _is_each_column_known(footer: bytes) -> bool:
    """Tell whether each column may be missing, or not, or is a list.

    Arrow takes anything else for one that may not, and then what tells where values are missing for the values.
    """
    try:
        schema = thrift.read(footer, last=_SCHEMA).get(_SCHEMA)
    except ValueError:
        return False
    if schema is None or schema.kind != thrift.LIST:
        return False
    inner, columns = schema.value
    return inner == thrift.STRUCT and all(
        column.get(_REPETITION, _REPETITIONS[0]) in _REPETITIONS for column in columns
    )


def _not_parquet(label: str, size: int, why: str) -> DecodeError:
    return DecodeError(
        f"{label} is not a complete Parquet file: {why}",
        source=label,
        byte_offset=size,
        hint="check the path and the suffix; download or write the file again if it was cut short.",
    )


class _WithoutBytes:
    """A file, as far as Arrow looks before it reads."""

    closed = False
    # Arrow has come as far as to read. Not told by an exception: Arrow would spell out its traceback.
    reached = False

    def read(self, nbytes: int = -1) -> bytes:
        self.reached = True
        return b""

    def seek(self, offset: int, whence: int = 0) -> int:
        return offset

    def tell(self) -> int:
        # As many bytes as any chunk may claim to end at.
        return 1 << 62

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        pass
