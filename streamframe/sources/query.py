"""The rows of a query, as a database hands them out.

Rules: every run asks the query again. A connection of the user's is used on the consumer's thread
only, where the user uses it too; one that we open is read ahead from, and closed with the run.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pyarrow as pa

from streamframe.batch import Mark, rows_without_columns
from streamframe.databases.base import Column, Piece, Result
from streamframe.databases.column_types import column_of, frozen_schema, known
from streamframe.databases.errors import asked, secrets_of_params
from streamframe.databases.rows import described
from streamframe.databases.targets import Target
from streamframe.errors import SourceError
from streamframe.formats.wording import shortened
from streamframe.plan.context import RunContext
from streamframe.plan.node import Scan
from streamframe.plan.source import Block, BlockReader, Decoded, OpenSource, Source

_SHOWN_CHARACTERS = 60
_SAMPLED_ROWS = 1_000

T = TypeVar("T")


@dataclass(frozen=True)
class Query(Source):
    """What a query finds."""

    query: Any
    target: Target
    params: Any = field(default=None, repr=False)
    dtype: Mapping[str, pa.DataType] = field(default_factory=dict)

    @property
    def resumable(self) -> bool:
        # Without an ORDER BY, no two runs need agree.
        return False

    @property
    def traceable(self) -> bool:
        # A fingerprint of parameters would let a secret be guessed.
        return self.params is None

    def fingerprint(self) -> str:
        digest = hashlib.sha256(str(self.query).encode(errors="backslashreplace")).hexdigest()
        types = {name: str(kind) for name, kind in self.dtype.items()}
        return f"{self.describe()}: sha256 {digest[:16]}, dtype={types}"

    @property
    def threaded(self) -> bool:
        return self.target.owned

    def open(self, context: RunContext) -> OpenSource:
        secrets = (*self.target.secrets, *secrets_of_params(self.params))
        nbytes = context.block_bytes
        result = asked(
            lambda: self.target.connect(False).query(self.query, self.params, nbytes),
            self.target.label,
            secrets,
            SourceError,
            "the query failed",
        )
        rows = _Rows(result, self.target.label, secrets, nbytes)
        try:
            return _OpenQuery(rows, self.describe(), frozen_schema(*rows.sampled(), self.dtype))
        except BaseException:
            rows.close()
            raise

    def describe(self) -> str:
        text = " ".join(str(self.query).split())
        return f"read_sql({shortened(text, _SHOWN_CHARACTERS)!r}, {self.target.label})"


class _Rows:
    """A result whose errors are ours, and which may be closed while another thread fetches."""

    def __init__(self, result: Result, label: str, secrets: tuple[str, ...], nbytes: int) -> None:
        self.label = label
        self.nbytes = nbytes
        self._result = result
        self._secrets = secrets
        self._rows = 0
        self._waiting: list[Piece] = []
        self._closed = False
        self._gone = False
        self._turn = threading.Lock()

    def sampled(self) -> tuple[list[Column], list[list[Any]]]:
        """Return the columns, and the first values of those whose type has to be found."""
        columns = self._asked(lambda: described(self._result.columns), "the query failed")
        values: list[list[Any]] = [[] for _ in columns]
        unknown = [place for place, column in enumerate(columns) if column.type is None]
        # As many rows as fit, if it takes them to find a value that is not null.
        while (
            any(len(values[place]) < _SAMPLED_ROWS or not known(values[place]) for place in unknown)
            and sum(piece.nbytes for piece in self._waiting) < self.nbytes
            and (piece := self._fetched()) is not None
        ):
            self._waiting.append(piece)
            for place in unknown:
                found = piece.columns[place]
                values[place] += found.to_pylist() if isinstance(found, pa.Array) else found
        return list(columns), values

    def next(self) -> Piece | None:
        """Return the next rows."""
        return self._waiting.pop(0) if self._waiting else self._fetched()

    def close(self) -> None:
        """Free a fetch under way, and let go of the result; waits for nobody, since a finalizer may call it."""
        self._closed = True
        if not self._turn.acquire(blocking=False):
            # Who fetches lets go when it is back. What the driver says now is of no use to anybody.
            with contextlib.suppress(Exception):
                self._result.cancel()
            return
        try:
            if not self._gone:
                self._gone = True
                self._waiting.clear()
                with contextlib.suppress(Exception):
                    self._result.close()
        finally:
            self._turn.release()

    def _fetched(self) -> Piece | None:
        try:
            with self._turn:
                if self._closed:
                    return None
                piece = self._asked(lambda: self._result.fetch(self.nbytes), f"stopped after {self._rows:,} rows")
        finally:
            if self._closed:
                self.close()
        self._rows += piece.num_rows if piece is not None else 0
        return piece

    def _asked(self, ask: Callable[[], T], what: str) -> T:
        return asked(ask, self.label, self._secrets, SourceError, what)


class _OpenQuery(OpenSource):
    def __init__(self, rows: _Rows, name: str, schema: pa.Schema) -> None:
        self._rows = rows
        self._name = name
        self._schema = schema

    @property
    def schema(self) -> pa.Schema:
        return self._schema

    def known_identities(self) -> Mapping[int, str]:
        return {0: self._name}

    def read(self, scan: Scan) -> BlockReader:
        return _QueryReader(self._rows, self._schema, scan.columns)

    def close(self) -> None:
        self._rows.close()


class _QueryReader(BlockReader):
    def __init__(self, rows: _Rows, schema: pa.Schema, columns: tuple[str, ...] | None) -> None:
        self._rows = rows
        self._schema = schema
        self._columns = columns
        self._bytes_read = 0
        self._forecast = rows.nbytes

    @property
    def bytes_read(self) -> int:
        return self._bytes_read

    def next_bytes(self) -> int:
        return self._forecast

    def next_block(self) -> Block | None:
        piece = self._rows.next()
        if piece is None:
            return None
        self._bytes_read += piece.nbytes
        block = _QueryBlock(piece, self._schema, self._columns, self._rows.label)
        self._forecast = block.nbytes
        return block

    def close(self) -> None:
        self._rows.close()


class _QueryBlock(Block):
    def __init__(self, piece: Piece, schema: pa.Schema, columns: tuple[str, ...] | None, label: str) -> None:
        self.label = label
        # As fetched, and as the batch that is made of it.
        self.nbytes = 2 * piece.nbytes
        self._piece = piece
        self._schema = schema
        self._names = schema.names if columns is None else list(columns)

    def decode(self) -> Decoded:
        rows = self._piece.num_rows
        if not self._names:
            return Decoded(rows_without_columns(rows), rows)
        places = [self._schema.get_field_index(name) for name in self._names]
        fields = [self._schema.field(place) for place in places]
        arrays = [column_of(self._piece.columns[place], self._schema.field(place)) for place in places]
        return Decoded(pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields)), rows)

    def mark(self, rows: int) -> Mark:
        return Mark(part=0, token=rows, rows=rows)
