"""Rows of one file, or of many, one behind another.

Rules: a file is a part. The schema is found once and holds for all: that of the first file, or one over
all of them. One file is open at a time; it is opened by the thread that reads, when its turn comes.
Columns from the paths stand behind those of the files, and take the place of one of the same name.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Self

import pyarrow as pa

from streamframe.errors import StreamError
from streamframe.expr import Expr
from streamframe.formats.base import FileFormat, OpenFile
from streamframe.io.location import Location
from streamframe.io.locations import Paths
from streamframe.plan.context import RunContext
from streamframe.plan.node import Scan
from streamframe.plan.report import Completeness, worst
from streamframe.plan.source import Block, BlockReader, OpenSource, Source, SourceFact, fact_column, fact_type
from streamframe.sources.fitting import Fit, fitted
from streamframe.sources.hive import Hive, partition_values
from streamframe.sources.pruning import matching_files
from streamframe.sources.schemas import SchemaOver, Surveys, require_equal, require_within, schema_over, survey
from streamframe.sources.starting import started
from streamframe.sources.wrapped import RowsBefore


class FrozenSchema:
    """What is found once, by the first run or look, and then holds for good."""

    def __init__(self) -> None:
        # The columns of the files, and with those of their paths.
        self.files: pa.Schema | None = None
        self.found: pa.Schema | None = None
        # The keys in the paths, one row for each file: those of the latest run.
        self.partitions: pa.RecordBatch | None = None
        self.surveys: Surveys = {}


@dataclass(frozen=True)
class Files(Source):
    """All rows of these files, in the order given (globs and directories: sorted by name)."""

    paths: Paths
    format: FileFormat
    schema_over: SchemaOver = "first"
    hive: Hive = None
    facts: tuple[SourceFact, ...] = ()
    frozen: FrozenSchema = field(default_factory=FrozenSchema, compare=False, repr=False)

    @property
    def replayable(self) -> bool:
        return self.paths.replayable

    @property
    def quarantines(self) -> bool:
        return self.format.quarantines

    def fingerprint(self) -> str:
        return f"{self.describe()} as {self.format!r}, schema={self.schema_over!r}, hive={self.hive!r}"

    @property
    def known_schema(self) -> pa.Schema | None:
        found = self.frozen.found
        if found is None or not self.facts:
            return found
        return pa.schema([*found, *((fact_column(fact), fact_type(fact)) for fact in self.facts)])

    def telling(self, fact: SourceFact) -> Self:
        return self if fact in self.facts else dataclasses.replace(self, facts=(*self.facts, fact))

    def open(self, context: RunContext) -> OpenSource:
        locations = self.paths.expand(self.format.suffixes)
        frozen = self.frozen
        known = None if frozen.partitions is None else frozen.partitions.schema
        partitions = partition_values(locations, self.hive, known)
        parts = _Parts(self, locations, context.block_bytes)
        first = None
        if frozen.files is None and self.schema_over != "first":
            frozen.files = schema_over(self.schema_over, self.format, locations, frozen.surveys, context.block_bytes)
        elif frozen.files is None:
            first = parts.open(0)
            frozen.files = first.schema
        own = [one for one in frozen.files if one.name not in partitions.schema.names]
        frozen.partitions, frozen.found = partitions, pa.schema([*own, *partitions.schema])
        return _OpenFiles(parts, partitions, first)

    def spared(self, predicate: Expr) -> str:
        partitions, schema = self.frozen.partitions, self.frozen.found
        if schema is None or partitions is None or not partitions.schema.names:
            return ""
        kept = matching_files(partitions, schema.names, predicate)
        return f"{len(kept):,} of {partitions.num_rows:,} files"

    def describe(self) -> str:
        return f"read_{self.format.name}({self.paths.label!r})"


class _Parts:
    """The files, and how each is opened."""

    def __init__(self, files: Files, locations: Sequence[Location], block_bytes: int) -> None:
        self.files = files
        self.locations = locations
        self._block_bytes = block_bytes
        self._identities: dict[int, str] = {}

    def identity(self, part: int) -> str:
        """Return what a file was like when it was opened, or now if that takes a connection."""
        if part >= len(self.locations):
            return "nothing"
        if part not in self._identities:
            self._identities[part] = self.locations[part].identity()
        return f"{self.locations[part].label}: {self._identities[part]}"

    def open(self, part: int) -> OpenFile:
        """Open a file, under the frozen schema once there is one."""
        location = self.locations[part]
        expected = self._expected(part)
        try:
            if location.identity_is_cheap:
                # Before it is read: a file that is replaced later is another one.
                self._identities[part] = location.identity()
            return self.files.format.open(location, expected=expected, block_bytes=self._block_bytes)
        except StreamError as error:
            raise error.locate(source=location.label, part=part) from error.__cause__

    def _expected(self, part: int) -> pa.Schema | None:
        frozen, file_format = self.files.frozen, self.files.format
        if frozen.files is None or self.files.schema_over == "first":
            return frozen.files
        location = self.locations[part]
        found = survey(file_format, location, part, frozen.surveys, self._block_bytes)
        if self.files.schema_over == "strict":
            require_equal(frozen.files, found, self.locations[0].label, location.label)
        else:
            require_within(frozen.files, found, location.label)
        return file_format.expected_of(found, frozen.files)


class _OpenFiles(OpenSource):
    def __init__(self, parts: _Parts, partitions: pa.RecordBatch, first: OpenFile | None) -> None:
        self._parts = parts
        self._partitions = partitions
        self._first = first

    @property
    def schema(self) -> pa.Schema:
        return self._parts.files.known_schema

    def read(self, scan: Scan) -> BlockReader:
        kept = self._kept(scan.hint)
        if scan.start is not None:
            kept = [part for part in kept if part >= scan.start.part]
        if self._first is not None and 0 not in kept:
            self.close()
        rows = RowsBefore(scan.start)
        readers = (lambda part=part: self._read(scan, part, rows) for part in kept)
        return _FilesReader(readers, rows, single=len(kept) == 1)

    def identity(self, part: int) -> str:
        return self._parts.identity(part)

    def close(self) -> None:
        if self._first is not None:
            self._first.close()

    def _kept(self, predicate: Expr | None) -> Sequence[int]:
        every = range(len(self._parts.locations))
        if predicate is None or not self._partitions.schema.names:
            return every
        return matching_files(self._partitions, self.schema.names, predicate)

    def _read(self, scan: Scan, part: int, rows: RowsBefore) -> BlockReader:
        opened, self._first = self._first if part == 0 else None, self._first if part else None
        opened = opened or self._parts.open(part)
        found, schema = opened.schema, self.schema
        wanted = schema if scan.columns is None else pa.schema([schema.field(name) for name in scan.columns])
        # Arrow makes a new list of all names at each `.names`: with 10,000 columns, asked for each, that takes seconds.
        names = frozenset(wanted.names)
        constants = {
            name: self._partitions.column(name)[part] for name in self._partitions.schema.names if name in names
        }
        if scan.start is not None and part != scan.start.part:
            scan = dataclasses.replace(scan, start=None)
        label = self._parts.locations[part].label
        # A name that is no UTF-8 shows its bytes.
        constants[fact_column("path")] = pa.scalar(label.encode(errors="backslashreplace").decode())
        own = [one for one in found if one.name in names and one.name not in constants]
        if wanted.equals(pa.schema(own)):
            return started(opened.read(scan, part=part), scan.start)
        numbered = fact_column("row") in names
        # Rows are counted from the start of the file, and statistics are of the types in the file.
        exact = not numbered and all(one.type == schema.field(one.name).type for one in own)
        inner = dataclasses.replace(
            scan,
            columns=tuple(one.name for one in own),
            hint=scan.hint if exact else None,
            dictionaries=frozenset(),
        )
        fit = Fit(wanted, constants, fact_column("row") if numbered else None)
        return fitted(started(opened.read(inner, part=part), scan.start), fit, rows)


class _FilesReader(BlockReader):
    """The blocks of one file after another."""

    def __init__(self, files: Iterator[Callable[[], BlockReader]], rows: RowsBefore, *, single: bool) -> None:
        open_first = next(files, None)
        self._first = self._current = open_first() if open_first is not None else _NoRows()
        self._rest = files
        self._rows = rows
        self._single = single
        self._lock = threading.Lock()
        self._closed = False
        # Read to their ends, but some of their blocks are not decoded yet.
        self._finished: list[BlockReader] = []
        self._bytes_before = 0
        self._retries_before = 0
        self._completeness_before: Completeness = "verified"

    @property
    def bytes_read(self) -> int:
        return self._bytes_before + self._current.bytes_read

    @property
    def bytes_total(self) -> int | None:
        return self._current.bytes_total if self._single else None

    @property
    def bytes_again(self) -> int:
        # Only the first is entered in its middle.
        return self._first.bytes_again

    @property
    def retries(self) -> int:
        return self._retries_before + self._current.retries

    @property
    def completeness(self) -> Completeness:
        return worst([self._completeness_before, self._current.completeness])

    def next_bytes(self) -> int:
        return self._current.next_bytes()

    def next_block(self) -> Block | None:
        while (block := self._current.next_block()) is None:
            open_next = next(self._rest, None)
            if open_next is None or self._closed:
                return None
            finished, opened = self._current, open_next()
            with self._lock:
                self._bytes_before += finished.bytes_read
                self._retries_before += finished.retries
                self._completeness_before = worst([self._completeness_before, finished.completeness])
                self._current = opened
                self._finished.append(finished)
                done = [one for one in self._finished if self._closed or not one.pending]
                self._finished = [one for one in self._finished if one not in done]
                if self._closed:
                    done.append(opened)
            for one in done:
                one.close()
            if opened in done:
                return None
        return block

    def close(self) -> None:
        with self._lock:
            self._closed = True
            left = [*self._finished, self._current]
        for reader in left:
            reader.close()
        self._rows.give_up()


class _NoRows(BlockReader):
    """What is left where no file can match."""

    @property
    def bytes_read(self) -> int:
        return 0

    def next_bytes(self) -> int:
        return 0

    def next_block(self) -> None:
        return None

    def close(self) -> None:
        pass
