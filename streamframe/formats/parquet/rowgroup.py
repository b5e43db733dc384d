"""One row group, decoded whole or in slices of bounded weight.

Rules: slices are decoded one after another, whichever thread gets them: each waits for its turn,
since they share one Arrow reader. What a row weighs is learned while reading, since the footer
knows nothing of dictionaries: a 5 KB file may decode to gigabytes. Arrow's reader is therefore
asked for few rows first, then for more; a slice that is heavy all the same comes in parts. It is the
same reader that is asked: a new one would decode again what came before.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from streamframe.batch import held_bytes
from streamframe.errors import DecodeError, StreamError
from streamframe.formats.image import FileImage
from streamframe.formats.parquet.chunks import image_of
from streamframe.formats.parquet.footer import Footer
from streamframe.formats.wording import first_line
from streamframe.io.ranged import RangedFile

_FIRST_ROWS = 16
# How many times as many rows are asked for, after a batch that was as light as the ones before. More would
# let more rows in unseen, which may be heavy.
_GROWTH = 2
_READ_BUFFER_BYTES = 256 << 10
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
        dictionaries: frozenset[str] = frozenset(),
    ) -> None:
        self.label = file.label
        self.index = index
        self._file = file
        self._metadata = footer.metadata
        self._weight = weight
        self.rows: int = footer.metadata.row_group(index).num_rows
        self._chunks: list[Any] = footer.chunks(index, frozenset(schema.names))
        self._dictionaries = [
            name
            for name in schema.names
            # Arrow's reader is told of paths: one with a dot may be that of two columns.
            if name in dictionaries and "." not in name and all(map(_is_encoded, footer.chunks(index, (name,))))
        ]
        self._schema = _with_dictionaries(schema, self._dictionaries)
        self.uncompressed_bytes: int = sum(chunk.total_uncompressed_size for chunk in self._chunks)
        self.compressed_bytes: int = sum(chunk.total_compressed_size for chunk in self._chunks)
        self._image: FileImage | None = None
        self._reader: pq.ParquetFile | None = None
        self._batches: Iterator[pa.RecordBatch] = iter(())
        self._done_rows = 0
        self._slice_rows: int = self.rows
        self._slices = 1
        self._slice_bytes = 0
        self._turn = threading.Condition()
        self._next_slice = 0
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
        with translated(self.label, self.index):
            first = next(self._open(_FIRST_ROWS)[1], None)
        if first is not None:
            self._weight.learn(first.num_rows, held_bytes(first), self._slice_bytes or 1 << 20)

    def decode(self, slice_index: int) -> tuple[pa.RecordBatch, bool]:
        """Decode one slice, when its turn has come, and tell whether more of it is left."""
        with self._turn:
            self._turn.wait_for(lambda: self._next_slice == slice_index or self._given_up)
        more = False
        try:
            # Without the lock: whose turn it is has the reader to itself.
            if self._given_up:
                raise DecodeError("an earlier slice of the row group could not be decoded", source=self.label)
            end = min((slice_index + 1) * self._slice_rows, self.rows)
            with translated(self.label, self.index):
                data = self._decode_until(end)
            more = self._done_rows < end
            return data, more
        except BaseException:
            self._given_up = True
            raise
        finally:
            with self._turn:
                self._next_slice += 0 if more else 1
                self._let_go()

    @property
    def done(self) -> bool:
        """All slices have been decoded."""
        return self._next_slice >= self._slices

    def give_up(self) -> None:
        """Let slices that wait for their turn fail: one before them may have been cancelled."""
        with self._turn:
            self._given_up = True
            self._let_go()

    def _let_go(self) -> None:
        if self.done or self._given_up:
            self._reader = self._image = None
            self._batches = iter(())
        self._turn.notify_all()

    def _decode_until(self, end: int) -> pa.RecordBatch:
        """Return the rows up to `end`, or fewer if they are heavy."""
        pieces = []
        nbytes = 0
        while self._done_rows < end and nbytes < 2 * self._slice_bytes:
            piece = self._next_batch(end - self._done_rows)
            weight = held_bytes(piece)
            self._weight.learn(piece.num_rows, weight, self._slice_bytes)
            self._done_rows += piece.num_rows
            nbytes += weight
            pieces.append(piece)
        data = pieces[0] if len(pieces) == 1 else pa.concat_batches(pieces)
        if not self._schema.names:
            return data.select([])
        columns = [data.column(field.name) for field in self._schema]
        # Where the writer has noted that text is to be read as views.
        plain = [
            column if column.type == field.type else column.cast(field.type)
            for column, field in zip(columns, self._schema, strict=True)
        ]
        return pa.RecordBatch.from_arrays(plain, schema=self._schema)

    def _next_batch(self, most: int) -> pa.RecordBatch:
        """Return the next rows of Arrow's reader: so many at most, and no more than are trusted."""
        rows = min(most, self._weight.trusted_rows) if self._schema.names else most
        if self._reader is None:
            self._reader, self._batches = self._open(rows)
        # Heeded from the next batch on.
        self._reader.reader.set_batch_size(rows)
        batch = next(self._batches, None)
        if batch is None:
            raise DecodeError("the row group holds fewer rows than the footer says", source=self.label)
        for name in self._dictionaries:
            # What a damaged page points at is looked at by nobody else.
            batch.column(name).validate(full=True)
        return batch

    def _open(self, batch_rows: int) -> tuple[pq.ParquetFile, Iterator[pa.RecordBatch]]:
        image = self._image
        if image is None and self._file.local_path is None:
            raise DecodeError("the row group was closed while it was read", source=self.label)
        where = self._file.local_path if image is None else image.reader()
        # Without verification a flipped bit is another value. Pages written without a checksum pass.
        opened = pq.ParquetFile(
            where,
            metadata=self._metadata,
            pre_buffer=False,
            buffer_size=_READ_BUFFER_BYTES,
            page_checksum_verification=True,
            read_dictionary=self._dictionaries,
        )
        batches: Iterator[pa.RecordBatch] = opened.iter_batches(
            batch_size=batch_rows,
            row_groups=[self.index],
            columns=self._schema.names,
            # Columns of a sliced group are decoded side by side: its slices cannot be.
            use_threads=self._slices > 1,
        )
        return opened, batches


def _is_encoded(chunk: Any) -> bool:
    """Tell whether hardly any value of a chunk is written plainly, in four bytes and more, and few differ."""
    if not chunk.has_dictionary_page:
        return False
    light = chunk.total_uncompressed_size <= _ENCODED_VALUE_BYTES * chunk.num_values
    return bool(light and chunk.data_page_offset - chunk.dictionary_page_offset <= _DICTIONARY_BYTES)


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
