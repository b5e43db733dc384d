"""One row group, decoded whole or in slices of bounded weight.

Rules: each column is decoded from its start to its end, so a slice waits at each column until the one before has
had its turn there; while that one is at the next column, both are at work. What a row weighs is learned while
reading, since the footer knows nothing of dictionaries: a 5 KB file may decode to gigabytes. Few rows are therefore
decoded first, then more; a slice that is heavy all the same comes in parts.
"""

from __future__ import annotations

import math
import threading
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import chain
from typing import Any

import pyarrow as pa

from streamframe.batch import held_bytes, rows_without_columns
from streamframe.errors import DecodeError, StreamError
from streamframe.formats.image import FileImage, coalesced
from streamframe.formats.parquet.chunks import Chunk, image_of
from streamframe.formats.parquet.columns import ArrowColumns, ColumnReader, KernelColumn
from streamframe.formats.parquet.encoded import with_dictionaries
from streamframe.formats.parquet.footer import Footer
from streamframe.formats.parquet.kernel import Kernel
from streamframe.formats.parquet.pages import DAMAGED_HINT
from streamframe.formats.parquet.pieces import BatchEnds
from streamframe.formats.parquet.weight import FIRST_ROWS, RowWeight
from streamframe.formats.wording import first_line
from streamframe.io.ranged import RangedFile
from streamframe.native.parquet import ColumnChunk
from streamframe.native.parquet_many import Held

# A slice that weighs a little more than others is not worth to be put together from two pieces.
_WHOLE = 1.25


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
        self.rows: int = footer.rows[index]
        self._names = frozenset(schema.names)
        self.schema = with_dictionaries(schema, dictionaries, self._chunks) if dictionaries else schema
        self.compressed_bytes, self.uncompressed_bytes = footer.sizes(index, self._names)
        self._image: FileImage | None = None
        self._readers: list[ColumnReader] | None = None
        self._slice_rows: int = self.rows
        self._slices = 1
        self._slice_bytes = 0
        self._turn = threading.Condition()
        # By column reader: the slice that it is at.
        self._at_slice: list[int] = []
        self._ends = BatchEnds(footer, index, kernel.most_page_bytes, self._bytes)
        # By slice that has come in part: its rows so far.
        self._done_rows: dict[int, int] = {}
        self._done_slices = 0
        self._given_up = False

    @cached_property
    def _chunks(self) -> dict[str, list[Chunk]]:
        return self._footer.chunks(self.index, self._names)

    def plan(self, slice_rows: int, slices: int, slice_bytes: int) -> None:
        """Decide into how many slices the group is cut, and how heavy one should be."""
        self._slice_rows, self._slices, self._slice_bytes = slice_rows, slices, slice_bytes

    def fetch(self) -> None:
        """Get the bytes of a remote row group; the reader thread calls this, once."""
        if self._file.local_path is None and self._image is None:
            self._image = image_of(self._file, self._all_chunks())

    def probe(self) -> None:
        """Decode a few rows to learn what one weighs."""
        self.fetch()
        rows = min(FIRST_ROWS, self.rows)
        with translated(self.label, self.index):
            readers = self._open()
            rows = self._ends.fitting(0, rows)
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

    def is_like(self, other: RowGroup) -> bool:
        """Tell whether both are of files with the same columns, and read alike."""
        return self._kernel is other._kernel and self.schema.equals(other.schema)

    def room_for(self, rows: int) -> int:
        """Return how many bytes may be taken by so many rows at once; 0 if they are likely to take more."""
        room = int(_WHOLE * self._slice_bytes)
        return room if rows * self._weight.nbytes <= room else 0

    def chunks(self) -> list[ColumnChunk] | None:
        """Return the chunks of all columns, with all their bytes, for somebody else to read.

        None if the kernel does not know them all.
        """
        found = []
        with translated(self.label, self.index):
            for column in self.schema:
                chunk = self._chunk(column)
                if chunk is None:
                    return None
                found.append(chunk)
            spans = coalesced((chunk.extent.start, chunk.extent.end) for chunk in found)
            read = [(start, self._all_bytes(start, end - start)) for start, end in spans]
            for chunk in found:
                start, data = read[bisect_right(spans, (chunk.extent.start, math.inf)) - 1]
                chunk.take_input(data.slice(chunk.extent.start - start, chunk.extent.end - chunk.extent.start))
        return found

    def held(self) -> Held | None:
        """Return the row group as somebody else may read it, all at once; None if its file is not in memory."""
        facts = self._footer.facts(self.index)
        return None if self._file.kept is None or facts is None else Held(self._file.kept, facts, self.rows)

    def read_many(self, groups: Sequence[Held], most_bytes: int) -> list[pa.Array] | None:
        """Return all rows of row groups that are like this one; None if they would take more bytes, or take Arrow."""
        return self._kernel.read_many(groups, self.schema, most_bytes)

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

    def checked(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """Return rows of the group; those of a remote file once they are validated in full, as text has to be UTF-8."""
        if self._file.local_path is None:
            with translated(self.label, self.index):
                rows.validate(full=True)
        return rows

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
        self._start()
        while done < rows and (not pieces or nbytes < 2 * self._slice_bytes):
            some = rows - done
            if self.schema.names and some > _WHOLE * self._weight.trusted_rows:
                some = self._weight.trusted_rows
            some = self._ends.fitting(first + done, some)
            piece = self._read(slice_index, some, last=done + some == rows)
            if piece is None:
                raise DecodeError("an earlier slice of the row group could not be decoded", source=self.label)
            self.checked(piece)
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

    def _start(self) -> None:
        with self._turn:
            if self._readers is None and not self._given_up and self.schema.names:
                self._readers = self._open()
                self._at_slice = [0] * len(self._readers)

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
            if chunk is None or not self._is_light(column, chunk):
                rest.append(column)
            else:
                readers.append(KernelColumn(chunk, column, self._kernel, self._by_arrow))
        return [*readers, self._by_arrow(rest)] if rest else readers

    def _is_light(self, column: pa.Field, chunk: ColumnChunk) -> bool:
        """Tell whether the kernel may read a column; of one whose text may become a lot, note where batches end."""
        if chunk.form.width or chunk.encoded:
            return True
        longest = chunk.longest()
        if longest is None:
            self._kernel.learn(column.name, sure=False)
            return False
        (facts,) = self._chunks[column.name]
        if self._ends.may_be_heavy(facts, longest, self._slice_bytes):
            self._ends.look_at(column.name, [facts], self._slice_bytes, longest)
        return True

    def _chunk(self, column: pa.Field) -> ColumnChunk | None:
        encoded = pa.types.is_dictionary(column.type)
        plain = column.with_type(column.type.value_type) if encoded else column
        return self._kernel.chunk(plain, self._chunks[column.name], self._bytes, encoded=encoded)

    def _all_chunks(self) -> Iterable[Chunk]:
        return chain.from_iterable(self._chunks.values())

    def _by_arrow(self, columns: Sequence[pa.Field]) -> ArrowColumns:
        if self._image is None and self._file.local_path is None:
            raise self._closed()
        for column in columns:
            self._ends.look_at(column.name, self._chunks[column.name], self._slice_bytes)
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

    def _all_bytes(self, offset: int, nbytes: int) -> pa.Buffer:
        """Return many bytes; those of a local file in memory that will be used again."""
        if self._image is not None or self._file.local_path is None:
            return pa.py_buffer(self._bytes(offset, nbytes))
        data = pa.allocate_buffer(nbytes)
        self._file.read_into(offset, memoryview(data).cast("B"))
        return data

    def _closed(self) -> DecodeError:
        return DecodeError("the row group was closed while it was read", source=self.label)


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
                hint=DAMAGED_HINT,
            ) from error
