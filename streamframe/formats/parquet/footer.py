"""The footer of a Parquet file, of which nothing is asked that pyarrow would die of.

Rule: what a damaged footer says of a column chunk, `RowGroupMetaData.column` meets with an exception in C++ that
nothing catches, and the process aborts (pyarrow 26: size statistics or a type that do not fit the column). So the
kernel reads what is said of them. Where it is not sure, or where Arrow has to look, one of Arrow's readers, which do
catch that, is made first, of a file without bytes: where it comes to reading them, the chunks are sound.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property
from typing import Any, NoReturn

import pyarrow as pa
import pyarrow.parquet as pq

from streamframe.errors import DecodeError
from streamframe.formats.image import FileImage
from streamframe.formats.parquet import thrift
from streamframe.formats.parquet.chunks import Chunk
from streamframe.formats.wording import first_line
from streamframe.io.ranged import RangedFile
from streamframe.native.parquet_footer import AS_INTEGERS, ChunkFacts, facts_of

_TAIL_BYTES = 64 << 10
_MAGIC = b"PAR1"
# Behind the footer: its length, and the magic once more.
_END_BYTES = 8
# Fields of `FileMetaData` and of `SchemaElement`.
_SCHEMA, _REPETITION = 2, 3
_REPETITIONS = [thrift.i32(how) for how in range(3)]


class Footer:
    """A footer, and the name of its file.

    Attributes
    ----------
    metadata : pyarrow.parquet.FileMetaData
        What it says; column chunks are asked for by `chunks` only.
    data : bytes
        A file that holds the footer alone.
    """

    def __init__(self, label: str, metadata: pq.FileMetaData, data: bytes) -> None:
        self.label = label
        self.metadata = metadata
        self.data = data
        self._sound: set[tuple[int, int]] = set()

    def chunks(self, group: int, columns: Collection[str]) -> dict[str, list[Chunk]]:
        """Return the chunks of these columns in a row group, by column; a nested one has one for each of its leaves.

        Raises
        ------
        DecodeError
            If they cannot be what the schema says.
        """
        leaves = self._leaves_of(columns)
        if self._facts is not None:
            facts = self._facts[group]
            found = [Chunk.of_facts(facts[leaf]) for leaf in leaves]
        else:
            found = [Chunk.of_arrow(chunk) for chunk in self._by_arrow(group, leaves)]
        by_column: dict[str, list[Chunk]] = {}
        for leaf, chunk in zip(leaves, found, strict=True):
            by_column.setdefault(self._root_of_leaf[leaf], []).append(chunk)
        return by_column

    def leaf(self, column: str) -> Any | None:
        """Return what the schema says of how a column is stored; None if it is stored as several."""
        leaves = self._leaves_of((column,))
        return self.metadata.schema.column(leaves[0]) if len(leaves) == 1 else None

    def bounds(self, column: str) -> list[tuple[int, int] | None] | None:
        """Return the least and the greatest value of a column of whole numbers in each row group, None where not told.

        None for all if it takes Arrow to know.
        """
        leaf = self.leaf(column)
        if self._facts is None or leaf is None or leaf.max_repetition_level or not leaf.physical_type.startswith("INT"):
            return None
        (place,) = self._leaves_of((column,))
        chunks = [group[place] for group in self._facts]
        if any(chunk.bounds not in (0, AS_INTEGERS) for chunk in chunks):
            return None
        return [(chunk.least, chunk.most) if chunk.bounds else None for chunk in chunks]

    def has_statistics(self, columns: Collection[str]) -> bool:
        """Tell whether some row group knows the least and the greatest value of one of these columns.

        Raises
        ------
        DecodeError
            If a chunk of them cannot be what the schema says.
        """
        schema = self.metadata.schema
        leaves = self._leaves_of(columns)
        if self._facts is not None and not any(group[leaf].bounds for group in self._facts for leaf in leaves):
            return False
        found = False
        for group in range(self.metadata.num_row_groups):
            for leaf, chunk in zip(leaves, self._by_arrow(group, leaves), strict=True):
                # Whoever looks at the statistics of a chunk of another type is aborted.
                if chunk.physical_type != schema.column(leaf).physical_type:
                    self._refuse(group, f"a chunk of {chunk.path_in_schema!r} is of type {chunk.physical_type}")
                found = found or chunk.is_stats_set
        return found

    def _leaves_of(self, columns: Collection[str]) -> list[int]:
        return [leaf for leaf, root in enumerate(self._root_of_leaf) if root in columns]

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

    @cached_property
    def _facts(self) -> list[list[ChunkFacts]] | None:
        schema = self.metadata.schema
        types = [schema.column(leaf).physical_type for leaf in range(self.metadata.num_columns)]
        return facts_of(self.data[len(_MAGIC) : -_END_BYTES], self.metadata.num_row_groups, types)

    @cached_property
    def _root_of_leaf(self) -> list[str]:
        # Not by their paths: a dot may be in a name.
        return [field.name for field in self.metadata.schema.to_arrow_schema() for _ in range(_leaves(field.type))]


def footer_of(file: RangedFile) -> Footer:
    """Read and parse the footer of a Parquet file.

    Raises
    ------
    DecodeError
        If this is not a Parquet file, or its end is missing.
    """
    size = file.size
    if size < 12:
        raise _not_parquet(file, f"it has {size} bytes")
    tail_start = max(0, size - _TAIL_BYTES)
    tail = file.read_range(tail_start, size - tail_start)
    if tail[-4:] != _MAGIC:
        head = file.read_range(0, 4)
        if head == _MAGIC:
            raise _not_parquet(file, "its end is missing: it was cut short, or is still being written")
        raise _not_parquet(file, f"it starts with {head!r}")
    footer_bytes = int.from_bytes(tail[-8:-4], "little") + _END_BYTES
    if footer_bytes > size:
        raise _not_parquet(file, "its footer is damaged")
    if footer_bytes > len(tail):
        tail_start = size - footer_bytes
        tail = file.read_range(tail_start, footer_bytes)
    image = FileImage(size)
    image.put(0, _MAGIC)
    image.put(tail_start, tail)
    try:
        metadata = pq.read_metadata(image.reader())
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise _not_parquet(file, "its footer is damaged") from error
    data = bytes(tail[-footer_bytes:])
    if not _is_each_column_known(data):
        raise _not_parquet(file, "its footer is damaged")
    return Footer(file.label, metadata, _MAGIC + data)


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


def _not_parquet(file: RangedFile, why: str) -> DecodeError:
    return DecodeError(
        f"{file.label} is not a complete Parquet file: {why}",
        source=file.label,
        byte_offset=file.size,
        hint="check the path and the suffix; download or write the file again if it was cut short.",
    )


def _leaves(kind: pa.DataType) -> int:
    """Return how many columns of Parquet hold a column of this type."""
    if isinstance(kind, pa.BaseExtensionType):
        return _leaves(kind.storage_type)
    if pa.types.is_dictionary(kind):
        return _leaves(kind.value_type)
    return sum(_leaves(kind.field(place).type) for place in range(kind.num_fields)) if kind.num_fields else 1


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
