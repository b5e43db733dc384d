"""Rows that are here already, or that the user's own code makes: batches, tables, DataFrames.

Rules: user code and foreign Arrow streams are called on the consumer's thread only, one batch
ahead of nobody. What the user holds is the user's; only what we keep is counted.
"""

from __future__ import annotations

import hashlib
import io
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from streamframe.batch import Mark
from streamframe.errors import SchemaError, SourceError
from streamframe.plan.context import RunContext
from streamframe.plan.node import Scan
from streamframe.plan.source import Block, BlockReader, Decoded, OpenSource, Source
from streamframe.schema import without_views
from streamframe.sources.starting import started

# Large tables are handed on in slices, so that what is computed from one stays small.
SLICE_ROWS = 65_536


@dataclass(frozen=True)
class Batches(Source):
    """The batches that `make` yields; `make` is called anew by every run."""

    make: Callable[[], Iterator[pa.RecordBatch]] = field(repr=False)
    call: str
    schema: pa.Schema | None = None
    # The rows are here already: to go on in their middle, they have to be the same ones.
    held: bool = False

    @property
    def replayable(self) -> bool:
        return not isinstance(self.make, Once)

    @property
    def threaded(self) -> bool:
        return False

    @property
    def known_schema(self) -> pa.Schema | None:
        return None if self.schema is None else without_views(self.schema)

    def open(self, context: RunContext) -> OpenSource:
        if self.known_schema is not None:
            _require_unique(self.known_schema, self.call)
            return _OpenBatches(self, self.make(), self.known_schema, None)
        batches = self.make()
        first = next(batches, None)
        if first is None:
            raise SchemaError(
                f"{self.call} yields nothing, so its columns are unknown",
                hint="yield at least one, be it without rows; from_batches also takes schema=.",
            )
        _require_unique(first.schema, self.call)
        return _OpenBatches(self, batches, without_views(first.schema), first)

    def describe(self) -> str:
        return self.call

    def content(self) -> str:
        """Return what tells these rows from others; takes a pass over them, at a gigabyte a second or so."""
        digest = _Digest()
        writer = None
        for batch in self.make():
            if writer is None:
                writer = pa.ipc.new_stream(pa.PythonFile(digest, mode="w"), batch.schema)
            writer.write_batch(batch)
        if writer is not None:
            writer.close()
        return f"{self.call}: sha256 {digest.hash.hexdigest()[:16]}"


class _Digest(io.RawIOBase):
    """Takes bytes only to add them up."""

    def __init__(self) -> None:
        self.hash = hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.hash.update(data)
        return len(data)


def _require_unique(schema: pa.Schema, call: str) -> None:
    for name, count in Counter(schema.names).items():
        if count > 1:
            raise SchemaError(
                f"{call} has more than one column named {name!r}",
                column=name,
                hint="rename them first: columns are found by name.",
            )


class Once:
    """Batches of an iterator that nobody can start again; a look at the schema takes none away."""

    def __init__(self, batches: Iterator[pa.RecordBatch], call: str) -> None:
        self._batches = batches
        self._call = call
        self._peeked: list[pa.RecordBatch] = []
        self._taken = False
        self._lock = threading.Lock()

    def __call__(self) -> Iterator[pa.RecordBatch]:
        """Return the batches; what a look has seen comes first."""
        with self._lock:
            if self._taken:
                raise SourceError(
                    f"{self._call} has been read already, and an iterator can be read only once",
                    hint="pass a function that makes a new iterator, or a list.",
                )
        return _Taking(self)

    def take(self) -> pa.RecordBatch | None:
        """Return the next batch."""
        return self._peeked.pop() if self._peeked else next(self._batches, None)

    def give_back(self, batch: pa.RecordBatch) -> None:
        """Undo a look: this batch comes first again."""
        self._peeked.append(batch)

    def spend(self) -> None:
        """Note that a run begins to read: from now on nobody else can."""
        self._taken = True


class _Taking(Iterator[pa.RecordBatch]):
    def __init__(self, once: Once) -> None:
        self.once = once

    def __next__(self) -> pa.RecordBatch:
        batch = self.once.take()
        if batch is None:
            raise StopIteration
        return batch


class _OpenBatches(OpenSource):
    def __init__(
        self, source: Batches, batches: Iterator[pa.RecordBatch], schema: pa.Schema, first: pa.RecordBatch | None
    ) -> None:
        self._source = source
        self._batches = batches
        self._schema = schema
        self._first = first

    @property
    def schema(self) -> pa.Schema:
        return self._schema

    def read(self, scan: Scan) -> BlockReader:
        if isinstance(self._batches, _Taking):
            self._batches.once.spend()
        first, self._first = self._first, None
        return started(_BatchReader(self._source.call, self._batches, self._schema, first, scan.columns), scan.start)

    def identity(self, part: int) -> str:
        return self._source.content() if self._source.held else ""

    def known_identities(self) -> Mapping[int, str]:
        return {0: self._source.call}

    def close(self) -> None:
        if self._first is not None and isinstance(self._batches, _Taking):
            self._batches.once.give_back(self._first)
        self._first = None


class _BatchReader(BlockReader):
    def __init__(
        self,
        call: str,
        batches: Iterator[pa.RecordBatch],
        schema: pa.Schema,
        first: pa.RecordBatch | None,
        columns: tuple[str, ...] | None,
    ) -> None:
        self._call = call
        self._batches = batches
        self._schema = schema
        self._columns = columns
        self._pending = first
        self._start = 0
        self._index = -1
        self._bytes_read = 0
        if first is not None:
            self._begin(first)

    @property
    def bytes_read(self) -> int:
        return self._bytes_read

    def next_bytes(self) -> int:
        return 0

    def next_block(self) -> Block | None:
        while self._pending is None or self._start >= self._pending.num_rows:
            following = next(self._batches, None)
            if following is None:
                return None
            self._begin(following)
        piece = self._fitted(self._pending.slice(self._start, SLICE_ROWS))
        self._start += piece.num_rows
        return _BatchBlock(piece if self._columns is None else piece.select(list(self._columns)), self._call)

    def close(self) -> None:
        self._pending = None
        close = getattr(self._batches, "close", None)
        if close is not None:
            close()

    def _begin(self, batch: pa.RecordBatch) -> None:
        self._index += 1
        self._fitted(batch.slice(0, 0))  # one without rows has to fit as well
        self._pending, self._start = batch, 0
        self._bytes_read += batch.nbytes

    def _fitted(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        if batch.schema.equals(self._schema):
            return batch
        try:
            return batch.cast(self._schema)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as error:
            raise SchemaError(
                f"{self._call}: batch {self._index + 1} does not fit the first one's schema: {error}",
                hint="make all alike, in columns, order and types; from_batches also takes schema= that fits them all.",
            ) from error


class _BatchBlock(Block):
    def __init__(self, batch: pa.RecordBatch, label: str) -> None:
        self.nbytes = 0
        self.label = label
        self._batch = batch

    def decode(self) -> Decoded:
        return Decoded(self._batch, self._batch.num_rows)

    def mark(self, rows: int) -> Mark:
        return Mark(part=0, token=rows, rows=rows)
