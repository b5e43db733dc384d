"""What a file format promises.

Rules: a format is frozen and does no I/O until it opens a file. Opening takes one connection:
what was read to know the schema is also the start of the data. Blocks are cut by the thread
that reads and decoded in a pool; nothing in here starts a thread.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

import pyarrow as pa

if TYPE_CHECKING:
    from streamframe.expr.patterns import Pattern
    from streamframe.io.atomic import AtomicFile
    from streamframe.io.location import Location
    from streamframe.plan.context import RunContext
    from streamframe.plan.node import Scan
    from streamframe.plan.source import BlockReader


@dataclass(frozen=True)
class FileFormat(ABC):
    """How the rows of a file are written down; holds the reader's options."""

    name: ClassVar[str]
    # Of a directory that holds files with one of these, only they are read; compression's come behind them.
    suffixes: ClassVar[tuple[str, ...]] = ()
    # Types are not written down in the file: any that the text can be read as may be expected.
    text: ClassVar[bool] = False
    # Each record starts at a byte of its own: a scan may also want the column `fact_column("byte_offset")`.
    located: ClassVar[bool] = False

    @property
    def quarantines(self) -> bool:
        """Records that cannot be read are left out, and told."""
        return False

    @property
    def leaves_out(self) -> bool:
        """A record with a value that cannot be read is left out, if the value's column is wanted."""
        return False

    @property
    def widens(self) -> bool:
        """Columns become text in which a later value does not fit the type that a sample tells."""
        return False

    @property
    def given_types(self) -> Mapping[str, pa.DataType]:
        """The types that the user gave, by column."""
        return {}

    def without_types(self, names: Collection[str]) -> Self:
        """Return the same without the given types of these columns, which come from elsewhere."""
        return self

    @property
    def schema_of_nothing(self) -> pa.Schema | None:
        """The columns of files that are all empty, where the options tell them."""
        return None

    def taking_apart(self, column: str, pattern: Pattern) -> Self | None:
        """Return the same with the groups of a pattern in the place of a column; None if it does not do that.

        It does where the options say what becomes of records that cannot be read.
        """
        return None

    def survey(self, location: Location, *, block_bytes: int) -> pa.Schema:
        """Return the columns of a file as it alone tells them; of type null where no value does.

        Raises
        ------
        SourceError, DecodeError
            As `open`.
        EmptyFileError
            If the file tells of no column, since it holds no record.
        """
        opened = self.open(location, expected=None, block_bytes=block_bytes)
        try:
            return opened.schema
        finally:
            opened.close()

    def expected_of(self, found: pa.Schema, schema: pa.Schema) -> pa.Schema:
        """Return what to expect of a file with the columns `found`, whose rows shall become those of `schema`."""
        return pa.schema([schema.field(field.name) for field in found]) if self.text else found

    @abstractmethod
    def open(
        self, location: Location, *, expected: pa.Schema | None, block_bytes: int, like: OpenFile | None = None
    ) -> OpenFile:
        """Open one file and read as much of it as it takes to know the schema.

        Parameters
        ----------
        location
            The file.
        expected
            The frozen schema, once it is known. Then nothing is inferred; the columns may stand
            in another order in the file, and come out in the order of `expected`.
        block_bytes
            How many raw bytes a block may have, so that enough of them fit the budget.
        like
            One of the same format and `expected` schema that was opened before: what was found out for it need not be
            found out again.

        Raises
        ------
        SourceError
            If the file cannot be opened or read.
        DecodeError
            If it is not of this format.
        EmptyFileError
            If nothing was `expected`, and the file holds nothing that tells its columns.
        SchemaError
            If its columns are not those of `expected`; names the file and the column.
        """


class OpenFile(ABC):
    """A file whose schema is known; `read` may be called once."""

    @property
    @abstractmethod
    def schema(self) -> pa.Schema:
        """The schema of all columns."""

    @abstractmethod
    def read(self, scan: Scan, *, part: int) -> BlockReader:
        """Start reading what the scan asks for. The reader then owns what was opened.

        `scan.columns` is exact; `scan.hint`, `scan.limit` and `scan.dictionaries` may be ignored.
        """

    def unfit_columns(self, names: Collection[str], context: RunContext) -> frozenset[str]:
        """Read the whole file instead of `read`; return the columns of `names` with a value that does not fit its type.

        Only of formats that may widen.
        """
        raise NotImplementedError

    @abstractmethod
    def close(self) -> None:
        """Let go of everything; safe to call twice, from any thread, and after `read`."""


@dataclass(frozen=True)
class FileEncoding(ABC):
    """How batches are written down in a file; holds the writer's options."""

    name: ClassVar[str]
    # It has `small_files`.
    many_at_once: ClassVar[bool] = False

    @property
    def suffix(self) -> str:
        """What the names of its files end in, where we choose them."""
        return f".{self.name}"

    @property
    def tells_columns(self) -> bool:
        """Whether a file without rows says which columns it has."""
        return True

    def open_bytes(self, schema: pa.Schema) -> int:
        """Return what a file keeps in memory for as long as it is open, beside its rows: a compressor's tables, say."""
        return 0

    def takes_dictionaries(self, schema: pa.Schema) -> frozenset[str]:
        """Return the columns that batches may bring as dictionaries of their values; all of them are text."""
        return frozenset()

    @abstractmethod
    def start(self, file: AtomicFile, schema: pa.Schema, context: RunContext) -> Encoder:
        """Begin a file of this schema.

        Raises
        ------
        SchemaError
            If the format has no way to hold a column; names it.
        """

    def small_files(
        self, schema: pa.Schema, rows: pa.RecordBatch, ends: Sequence[int], labels: Sequence[str]
    ) -> Iterator[bytes | pa.Buffer]:
        """Return the bytes of a file of the first rows, of one of those behind them, and so on, up to each of `ends`.

        They are what encoders of their own would write, made with less ado; any thread may do that. Only of encodings
        that have `many_at_once`.

        Raises
        ------
        SchemaError, SinkError
            While they are made, as encoders do.
        """
        raise NotImplementedError


def _nothing() -> None:
    """Do nothing: what is left where all is done."""


class Encoder(ABC):
    """Writes batches into a file that somebody else commits or aborts."""

    @abstractmethod
    def write(self, batch: pa.RecordBatch) -> None:
        """Write one batch. It may be kept; then its bytes are held against the budget."""

    def flush(self) -> None:  # noqa: B027 - some keep nothing
        """Begin to write what is kept: memory is short, or the file's size is asked for."""

    @property
    def end_bytes(self) -> int:
        """What ends the file, as far as it is known: bytes that `finish` writes beside what is kept."""
        return 0

    def settle(self) -> None:  # noqa: B027
        """Wait until what was handed over is in the file."""

    @abstractmethod
    def finish(self) -> None:
        """Write what is kept, and what ends the file."""

    def finish_beside(self) -> Callable[[], object]:
        """Do of `finish` what needs this thread; return the rest, for any thread to do before the file is committed."""
        self.finish()
        return _nothing

    @abstractmethod
    def abort(self) -> None:
        """Give up what is kept; nothing more is written."""
