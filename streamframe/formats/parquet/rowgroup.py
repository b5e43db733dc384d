"""One row group, decoded whole or in slices of bounded weight.

Rules: each column is decoded from its start to its end, so a slice waits at each column until the one before has
had its turn there; while that one is at the next column, both are at work. What a row weighs is learned while
reading, since the footer knows nothing of dictionaries: a 5 KB file may decode to gigabytes. Few rows are therefore
decoded first, then more; a slice that is heavy all the same comes in parts.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from streamframe.batch import held_bytes, rows_without_columns
from streamframe.errors import DecodeError, StreamError
from streamframe.formats.image import FileImage
from streamframe.formats.limits import Limits
from streamframe.formats.parquet.chunks import Chunk, image_of
from streamframe.formats.parquet.columns import ArrowColumns, ColumnReader, KernelColumn
from streamframe.formats.parquet.footer import Footer
from streamframe.formats.parquet.kernel import Kernel
from streamframe.formats.parquet.pages import require_small
from streamframe.formats.wording import first_line
from streamframe.io.ranged import RangedFile
from streamframe.native.parquet import ColumnChunk

_FIRST_ROWS = 16
# How many times as many rows are asked for, after a batch that was as light as the ones before. More would
# let more rows in unseen, which may be heavy.
_GROWTH = 2
# A slice that weighs a little more than others is not worth to be put together from two pieces.
_WHOLE = 1.25
# A column is left encoded where its chunk has no more bytes a value, and its dictionary no more than so many:
# each batch carries all of it.
_ENCODED_VALUE_BYTES = 2
_DICTIONARY_BYTES = 64 << 10


class RowWeight:
    """What a decoded row weighs, as far as it is known; shared by the row groups of a file.

    Written by the pool and read by the reader thread without a lock: a forecast may be a slice late.
    """

    def __init__(self) -> None:
        self.nbytes = 0.0
        # So many rows at once have been seen to weigh what they should.
        self.trusted_rows: int = _FIRST_ROWS

    def learn(self, rows: int, nbytes: int, slice_bytes: int) -> None:
        """Take one batch into account."""
        weight = nbytes / max(1, rows)
        self.nbytes = max(weight, (self.nbytes + weight) / 2)
        fitting = max(1, int(slice_bytes / max(self.nbytes, 1.0)))
        self.trusted_rows = min(fitting, max(self.trusted_rows, rows * _GROWTH))


class RowGroup:
    """One row group of a file, and how far it has been decoded."""

    def __init__(
        self,
        file: RangedFile,
        footer: Footer,
        index: int,
        schema: pa.Schema,
        weight: RowWeight,
        kernel: Kernel,
        dictionaries: frozenset[str] = frozenset(),
    ) -> None:
        self.label = file.label
        self.index = index
        self._file = file
        self._footer = footer
        self._weight = weight
        self._kernel = kernel
        self.rows: int = footer.metadata.row_group(index).num_rows
        self._chunks = footer.chunks(index, frozenset(schema.names))
        encoded = [
            name
            for name in schema.names
            # Arrow's reader is told of paths: one with a dot may be that of two columns.
            if name in dictionaries and "." not in name and all(map(_is_encoded, footer.chunks(index, (name,))))
        ]
        self.schema = _with_dictionaries(schema, encoded)
        self.uncompressed_bytes: int = sum(chunk.nbytes for chunk in self._chunks)
        self.compressed_bytes: int = sum(chunk.end - chunk.start for chunk in self._chunks)
        self._image: FileImage | None = None
        self._readers: list[ColumnReader] | None = None
        self._slice_rows: int = self.rows
        self._slices = 1
        self._slice_bytes = 0
        self._turn = threading.Condition()
        # By column reader: the slice that it is at.
        self._at_slice: list[int] = []
        # By slice that has come in part: its rows so far.
        self._done_rows: dict[int, int] = {}
        self._done_slices = 0
        self._given_up = False

    def plan(self, slice_rows: int, slices: int, slice_bytes: int) -> None:
        """Decide into how many slices the group is cut, and how heavy one should be."""
        self._slice_rows, self._slices, self._slice_bytes = slice_rows, slices, slice_bytes

    def fetch(self) -> None:
        """Get the bytes of a remote row group; the reader thread calls this, once."""
        if self._file.local_path is None and self._image is None:
            self._image = image_of(self._file, self._chunks)

    def probe(self) -> None:
        """Decode a few rows to learn what one weighs."""
        self.fetch()
        rows = min(_FIRST_ROWS, self.rows)
        with translated(self.label, self.index):
            readers = self._open()
            try:
                arrays = [array for reader in readers for array in reader.read(rows)]
            finally:
                # Whoever keeps an error would keep their files open.
                readers.clear()
        self._weight.learn(rows, sum(array.get_total_buffer_size() for array in arrays), self._slice_bytes or 1 << 20)

    def decode(self, slice_index: int) -> tuple[pa.RecordBatch, bool]:
        """Decode one slice, as soon as its turn has come, and tell whether more of it is left."""
        try:
            with translated(self.label, self.index):
                return self._decode(slice_index)
        except BaseException:
            self.give_up()
            raise

    def trusts(self, rows: int) -> bool:
        """Tell whether so many rows at once are known not to be too heavy."""
        return rows <= _WHOLE * self._weight.trusted_rows

    def chunks(self) -> list[ColumnChunk] | None:
        """Return the chunks of all columns for somebody else to read; None if the kernel does not know them all."""
        found = []
        with translated(self.label, self.index):
            for column in self.schema:
                chunk = self._chunk(column)
                if chunk is None:
                    return None
                found.append(chunk)
        return found

    def learn(self, name: str, *, sure: bool) -> None:
        """Take into account whether the kernel could read a column of `chunks`."""
        self._kernel.learn(name, sure=sure)

    def weigh(self, rows: pa.RecordBatch) -> None:
        """Take into account what such rows weigh."""
        self._weight.learn(rows.num_rows, held_bytes(rows), self._slice_bytes)

    def finish(self) -> None:
        """Let go of everything: somebody else has read `chunks`."""
        with self._turn:
            self._done_slices = self._slices
            self._let_go()

    @property
    def done(self) -> bool:
        """All slices have been decoded."""
        return self._done_slices >= self._slices

    def give_up(self) -> None:
        """Let slices that wait for their turn fail: one before them may have been cancelled."""
        with self._turn:
            self._given_up = True
            self._let_go()

    def _let_go(self) -> None:
        if self.done or self._given_up:
            # Those that are at work have theirs; whoever keeps an error shall not keep the files of the others open.
            if self._readers is not None:
                self._readers.clear()
            self._readers = self._image = None
        self._turn.notify_all()

    def _decode(self, slice_index: int) -> tuple[pa.RecordBatch, bool]:
        """Return the rows of a slice that are left, or some of them if they are heavy."""
        first = slice_index * self._slice_rows
        rows = min(self._slice_rows, self.rows - first)
        done = self._done_rows.get(slice_index, 0)
        pieces: list[pa.RecordBatch] = []
        nbytes = 0
        while done < rows and (not pieces or nbytes < 2 * self._slice_bytes):
            some = rows - done
            if self.schema.names and some > _WHOLE * self._weight.trusted_rows:
                some = self._weight.trusted_rows
            piece = self._read(slice_index, some, last=done + some == rows)
            if piece is None:
                raise DecodeError("an earlier slice of the row group could not be decoded", source=self.label)
            weight = held_bytes(piece)
            self._weight.learn(some, weight, self._slice_bytes)
            done += some
            nbytes += weight
            pieces.append(piece)
        with self._turn:
            self._done_rows[slice_index] = done
            self._done_slices += done == rows
            self._let_go()
        return pieces[0] if len(pieces) == 1 else pa.concat_batches(pieces), done < rows

    def _read(self, slice_index: int, rows: int, *, last: bool) -> pa.RecordBatch | None:
        """Return the next rows of a slice, None if that has been given up.

        With the last ones, each column is left to the next slice. An error raised here would keep open what it read.
        """
        if not self.schema.names:
            return rows_without_columns(rows)
        with self._turn:
            if self._readers is None and not self._given_up:
                self._readers = self._open()
                self._at_slice = [0] * len(self._readers)
            readers = self._readers or []
        columns: dict[str, pa.Array] = {}
        for place, reader in enumerate(readers):
            if not self._turn_has_come(place, slice_index):
                break
            # Without the lock: whose turn it is has the reader to itself.
            columns.update(zip(reader.names, reader.read(rows), strict=True))
            if last:
                with self._turn:
                    self._at_slice[place] += 1
                    self._turn.notify_all()
        if self._given_up:
            return None
        return pa.RecordBatch.from_arrays([columns[name] for name in self.schema.names], schema=self.schema)

    def _turn_has_come(self, place: int, slice_index: int) -> bool:
        """Wait until a slice may have a column; False if that will not be."""
        with self._turn:
            self._turn.wait_for(lambda: self._given_up or self._at_slice[place] == slice_index)
        return not self._given_up

    def _open(self) -> list[ColumnReader]:
        """Return readers of all columns: of each that the kernel knows, and one of the rest."""
        readers: list[ColumnReader] = []
        rest = []
        for column in self.schema:
            chunk = self._chunk(column)
            if chunk is None:
                rest.append(column)
            else:
                readers.append(KernelColumn(chunk, column, self._kernel, self._by_arrow))
        return [*readers, self._by_arrow(rest)] if rest else readers

    def _chunk(self, column: pa.Field) -> ColumnChunk | None:
        encoded = pa.types.is_dictionary(column.type)
        plain = column.with_type(column.type.value_type) if encoded else column
        return self._kernel.chunk(self.index, plain, self._bytes, encoded=encoded)

    def _by_arrow(self, columns: Sequence[pa.Field]) -> ArrowColumns:
        if self._image is None and self._file.local_path is None:
            raise self._closed()
        limits = Limits(self._slice_bytes, self._kernel.most_page_bytes)
        for column in columns:
            for chunk in self._footer.chunks(self.index, (column.name,)):
                require_small(chunk, self.rows, limits, self._bytes, column=column.name, label=self.label)
        where = self._file.local_path if self._image is None else self._image.reader()
        # Columns of a sliced group are decoded side by side: its slices cannot be.
        return ArrowColumns(where, self._footer, self.index, columns, use_threads=self._slices > 1)

    def _bytes(self, offset: int, nbytes: int) -> Any:
        image = self._image
        if image is not None:
            return image.buffer(offset, nbytes)
        if self._file.local_path is None:
            raise self._closed()
        return self._file.read_range(offset, nbytes)

    def _closed(self) -> DecodeError:
        return DecodeError("the row group was closed while it was read", source=self.label)


def _is_encoded(chunk: Chunk) -> bool:
    """Tell whether hardly any value of a chunk is written plainly, in four bytes and more, and few differ."""
    if chunk.dictionary_bytes is None:
        return False
    return chunk.nbytes <= _ENCODED_VALUE_BYTES * chunk.values and chunk.dictionary_bytes <= _DICTIONARY_BYTES


def _with_dictionaries(schema: pa.Schema, names: list[str]) -> pa.Schema:
    for name in names:
        at = schema.get_field_index(name)
        field = schema.field(at)
        schema = schema.set(at, field.with_type(pa.dictionary(pa.int32(), field.type)))
    return schema


class translated:  # noqa: N801 - read as a word in a `with` line
    """Turn Arrow's exceptions into ours, naming file and row group."""

    def __init__(self, label: str, group: int) -> None:
        self._label = label
        self._group = group

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (pa.ArrowException, OSError)) and not isinstance(error, StreamError):
            raise DecodeError(
                f"row group {self._group} cannot be decoded: {first_line(error)}",
                source=self._label,
                hint="the file is damaged or was cut short; write or download it again.",
            ) from error
