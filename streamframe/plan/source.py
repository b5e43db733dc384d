"""What a source promises to an engine.

Rules: a `Source` is frozen and does no I/O until it is opened. What is opened has one owner
and a `close`, which may be called from another thread to free a stalled read.

The way of a record: `Source.open` -> `OpenSource.read` -> `BlockReader.next_block` (reader
thread, I/O only) -> `Block.decode` (pool, computing only).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, Self

import pyarrow as pa

from streamframe.batch import Mark
from streamframe.plan.report import Completeness

if TYPE_CHECKING:
    from types import TracebackType

    from streamframe.expr import Expr
    from streamframe.expr.patterns import Pattern
    from streamframe.plan.context import RunContext
    from streamframe.plan.node import Scan

# What is told of a record that cannot be read. Rows count from 1; without a column, it is the record as a whole.
REJECTS = pa.schema(
    [
        ("source", pa.string()),
        ("row", pa.int64()),
        ("byte_offset", pa.int64()),
        ("column", pa.string()),
        ("reason", pa.string()),
        ("record", pa.binary()),
    ]
)
# What a source can tell of a row beside its columns: its file, its number there, from 1, and where its record starts.
SourceFact = Literal["path", "row", "byte_offset"]


def fact_column(fact: SourceFact) -> str:
    """Return the name of the column in which a source tells a fact; no file has one of that name."""
    return f"source({fact!r})"


def fact_type(fact: SourceFact) -> pa.DataType:
    """Return the type of that column."""
    return pa.string() if fact == "path" else pa.int64()


@dataclass(frozen=True)
class Source(ABC):
    """Where rows come from."""

    @property
    def replayable(self) -> bool:
        """A second run reads the same rows again."""
        return True

    @property
    def resumable(self) -> bool:
        """A second run reads the same rows in the same order, and may start in their middle."""
        return self.replayable

    @property
    def threaded(self) -> bool:
        """A thread of ours may read it; user code and foreign streams stay on the consumer's."""
        return True

    @property
    def quarantines(self) -> bool:
        """What cannot be read is left out, and told."""
        return False

    @property
    def leaves_out(self) -> bool:
        """A record with a value that cannot be read is left out: which columns are wanted decides on the rows."""
        return False

    def fingerprint(self) -> str:
        """Return what tells this source from others that describe themselves alike; no secrets."""
        return self.describe()

    @property
    def traceable(self) -> bool:
        """The fingerprint tells it from all others."""
        return True

    @property
    def known_schema(self) -> pa.Schema | None:
        """The schema, where it is known without I/O."""
        return None

    def telling(self, fact: SourceFact) -> Source | None:
        """Return this source with a column `fact_column(fact)` more; None if it cannot tell."""
        return None

    def taking_apart(self, column: str, pattern: Pattern) -> Source | None:
        """Return this source with the groups of a pattern in the place of a column; None if it does not do that.

        It does where it knows what becomes of a record that the pattern does not match.
        """
        return None

    def spared(self, predicate: Expr) -> str:
        """Return what a predicate leaves to read, in a few words; empty where it takes I/O to know."""
        return ""

    @abstractmethod
    def open(self, context: RunContext) -> OpenSource:
        """Open the source and read as much as it takes to know the schema.

        Raises
        ------
        SourceError, DecodeError, SchemaError
            If it cannot be opened, or what it holds is not what was promised.
        """

    @abstractmethod
    def describe(self) -> str:
        """Return the reader's call as a person would type it, without secrets."""


class OpenSource(ABC):
    """A source whose schema is known; `read` may be called once."""

    @property
    @abstractmethod
    def schema(self) -> pa.Schema:
        """The schema of all columns, frozen from now on."""

    @abstractmethod
    def read(self, scan: Scan) -> BlockReader:
        """Start reading what the scan asks for. The reader then owns what was opened."""

    def identity(self, part: int) -> str:
        """Return what changes when the content of a part does, also while and after it is read; may do I/O."""
        return ""

    def known_identities(self) -> Mapping[int, str]:
        """Return a line for each part that was opened: its identity where that is known, or its name. No I/O."""
        return {}

    @abstractmethod
    def close(self) -> None:
        """Let go of everything; safe to call twice, and after `read`."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class BlockReader(ABC):
    """Takes bytes from a source and cuts them into blocks. One thread calls it."""

    @property
    @abstractmethod
    def bytes_read(self) -> int:
        """Bytes taken from the source so far, as they came (compressed, say)."""

    @property
    def bytes_total(self) -> int | None:
        """Bytes there are to read, in the unit of `bytes_read`; None if nobody can tell."""
        return None

    @property
    def file_bytes(self) -> int | None:
        """How large the file is that is read, as it is stored; None where nobody knows, or it is none."""
        return None

    @property
    def bytes_again(self) -> int:
        """Bytes before the start of the scan that had to be read all the same, decompressed."""
        return 0

    @property
    def retries(self) -> int:
        """Connections that were opened again after a fault."""
        return 0

    @property
    def completeness(self) -> Completeness:
        """Whether what was read up to its end is sure to be all there is."""
        return "verified"

    @property
    def rows_before(self) -> int:
        """Rows of its part before its first block: where it could not start at the mark, fewer than that says."""
        return 0

    @property
    def pending(self) -> bool:
        """Blocks that it handed out are not decoded yet, and closing it would make them fail."""
        return False

    @abstractmethod
    def next_bytes(self) -> int:
        """Return the bytes that the next block will hold, raw and decoded together: a forecast."""

    @abstractmethod
    def next_block(self) -> Block | None:
        """Read the next block; None at the end of the source."""

    @abstractmethod
    def close(self) -> None:
        """Free a stalled read and let go of everything; safe to call twice, from any thread."""


class Decoded(NamedTuple):
    """What a block decodes to."""

    data: pa.RecordBatch
    # Records in the block, before any filter: what the row numbers of errors are counted by.
    records: int
    # The block turned out heavier than foretold: `decode` has to be called again for what is left.
    more: bool = False
    # The places of the rows among the records, from 0; None if they are all of them.
    places: pa.Array | None = None
    # Records that could not be read, as `REJECTS` has them; rows and places count from the block's start.
    rejects: pa.RecordBatch | None = None
    # Values that could not be read, and are null instead.
    nulled: int = 0
    # How many times heavier than the block the steps have made it.
    growth: float = 1.0
    # Where it is of several blocks: each of them, and what is to be known of it beside its rows.
    each: tuple[tuple[Block, Decoded], ...] = ()

    @property
    def rejected(self) -> int:
        """How many records are missing, since they could not be read."""
        return 0 if self.places is None else self.records - len(self.places)


class Joined(NamedTuple):
    """What several blocks decode to, all of whose records could be read."""

    data: pa.RecordBatch
    # How many of the rows each block has.
    rows: Sequence[int]


class Block(ABC):
    """One piece of input, read but not decoded.

    Attributes
    ----------
    nbytes : int
        What it holds now and will hold once decoded, as well as can be told.
    part : int
        Which part of the source it comes from.
    label : str
        The part's name, without secrets; for errors.
    """

    nbytes: int
    part: int = 0
    label: str = ""

    @abstractmethod
    def decode(self) -> Decoded:
        """Turn the bytes into a batch. Runs in the pool: no I/O but on local files, no waiting.

        A block that turns out much heavier than foretold may give a part, and say that there is
        more; the rest is then asked for by the consumer, part by part.

        Raises
        ------
        DecodeError
            With `row` counted from 1 at the start of this block; the engine adds the rows before.
        """

    def decode_with(self, following: Sequence[Block]) -> Joined | None:
        """Return the rows of this block and of those behind it, decoded as one; None if that cannot be.

        Where it is none, or fails, nothing has happened, and each may be decoded by itself.
        """
        return None

    @abstractmethod
    def mark(self, rows: int) -> Mark:
        """Return the mark behind this block, when `rows` rows of its part lie before it."""
