"""Rows of one file, or of many, one behind another.

Rules: a file is a part. The schema is found once and holds for all: that of the first file that is not
empty, or one over all of them. One file is open at a time; it is opened by the thread that reads, when its turn comes.
Columns from the paths stand behind those of the files, and take the place of one of the same name.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import pyarrow as pa

from streamframe.errors import EmptyFileError, PlanError, StreamError
from streamframe.expr import Expr
from streamframe.formats.base import FileFormat, OpenFile
from streamframe.io.location import Location
from streamframe.io.locations import Paths
from streamframe.io.written_keys import written_keys
from streamframe.plan.context import RunContext
from streamframe.plan.node import Scan
from streamframe.plan.source import BlockReader, OpenSource, Source, SourceFact, fact_column, fact_type
from streamframe.schema import is_text
from streamframe.sources.empty_exports import columns_of_no_rows
from streamframe.sources.file_scan import FileScan
from streamframe.sources.files_reader import FilesReader
from streamframe.sources.hive import Hive, partition_values
from streamframe.sources.pruning import matching_files
from streamframe.sources.schemas import SchemaOver, Surveys, require_equal, require_within, schema_over, survey
from streamframe.sources.wrapped import RowsBefore

if TYPE_CHECKING:
    from streamframe.expr.patterns import Pattern


class FrozenSchema:
    """What is found once, by the first run or look, and then holds for good."""

    def __init__(self) -> None:
        # The columns of the files: as a sample tells them, as they are read, and with those of their paths.
        self.sampled: pa.Schema | None = None
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

    def __post_init__(self) -> None:
        if self.format.widens and not self.paths.replayable:
            raise PlanError(
                "on_widen='string' reads the input twice, and this one can be read once",
                hint='pass dtype={"column": "string"} for the columns that may change.',
            )

    @property
    def replayable(self) -> bool:
        return self.paths.replayable

    @property
    def quarantines(self) -> bool:
        return self.format.quarantines

    @property
    def leaves_out(self) -> bool:
        return self.format.leaves_out

    def fingerprint(self) -> str:
        return f"{self.describe()} as {self.format!r}, schema={self.schema_over!r}, hive={self.hive!r}"

    @property
    def known_schema(self) -> pa.Schema | None:
        found = self.frozen.found
        if found is None or not self.facts:
            return found
        return pa.schema([*found, *((fact_column(fact), fact_type(fact)) for fact in self.facts)])

    def telling(self, fact: SourceFact) -> Self | None:
        if fact == "byte_offset" and not self.format.located:
            return None
        return self if fact in self.facts else dataclasses.replace(self, facts=(*self.facts, fact))

    def taking_apart(self, column: str, pattern: Pattern) -> Self | None:
        file_format = self.format.taking_apart(column, pattern)
        return None if file_format is None else dataclasses.replace(self, format=file_format, frozen=FrozenSchema())

    def open(self, context: RunContext) -> OpenSource:
        locations = self.paths.expand(self.format.suffixes)
        frozen = self.frozen
        known = None if frozen.partitions is None else frozen.partitions.schema
        if locations:
            given = self.format.given_types
            partitions = partition_values(locations, self.hive, known, lambda: self._written_keys(locations), given)
        else:
            partitions = self._keys_of_no_files()
        parts = _Parts(self, locations, self.format.without_types(partitions.schema.names), context.block_bytes)
        opened: dict[int, OpenFile] = {}
        if frozen.sampled is None and self.schema_over != "first":
            frozen.sampled = schema_over(self.schema_over, parts.format, locations, frozen.surveys, context.block_bytes)
        if frozen.sampled is None:
            opened = parts.first_with_rows()
            frozen.sampled = next(iter(opened.values())).schema
        if frozen.files is None and self.format.widens:
            for one in opened.values():
                one.close()
            opened, frozen.files = {}, parts.widened(frozen.sampled, context)
        elif frozen.files is None:
            frozen.files = frozen.sampled
        own = [one for one in frozen.files if one.name not in partitions.schema.names]
        frozen.partitions, frozen.found = partitions, pa.schema([*own, *partitions.schema])
        return _OpenFiles(parts, partitions, opened)

    def _written_keys(self, locations: Sequence[Location]) -> Mapping[str, pa.DataType]:
        """Return the types of keys that the directories' exports have noted, if they agree."""
        # A file that was given stands for itself, and is no directory to ask.
        files = {id(one) for one in locations}
        manifests = [one.manifest for one in self.paths.given if id(one) not in files]
        told = [{} if one is None else written_keys(one) for one in manifests]
        return told[0] if told and all(each == told[0] for each in told) else {}

    def _keys_of_no_files(self) -> pa.RecordBatch:
        """Return the keys of no files; the columns are what an export without rows has noted, unless they are known."""
        frozen = self.frozen
        if frozen.partitions is not None:
            return frozen.partitions.slice(0, 0)
        frozen.sampled, keys = columns_of_no_rows(self.paths, self.format, self.hive)
        return pa.RecordBatch.from_pylist([], schema=keys)

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

    def __init__(self, files: Files, locations: Sequence[Location], file_format: FileFormat, block_bytes: int) -> None:
        self.files = files
        self.locations = locations
        # That of the files, with no type of a key.
        self.format = file_format
        self._block_bytes = block_bytes
        self._identities: dict[int, str] = {}
        self._names: dict[int, str] = {}
        self._latest: OpenFile | None = None

    @property
    def gathered_bytes(self) -> int:
        """How much of small files may be decoded at once: nothing where one is waited for."""
        return self._block_bytes // 2 if all(one.identity_is_cheap for one in self.locations) else 0

    def identity(self, part: int) -> str:
        """Return what a file was like when it was opened, or now if that takes a connection."""
        if part >= len(self.locations):
            return "nothing"
        if part not in self._identities:
            self._identities[part] = self.locations[part].identity()
        return f"{self.locations[part].label}: {self._identities[part]}"

    def known_identities(self) -> Mapping[int, str]:
        """Return a line for each file that was opened: with its identity, if asking for that took no connection."""
        # A copy, since a thread may be opening another.
        names = self._names.copy()
        return {part: self.identity(part) if part in self._identities else name for part, name in names.items()}

    def first_with_rows(self) -> dict[int, OpenFile]:
        """Open the first file that is not empty, which tells the schema; return it by its number.

        Raises
        ------
        EmptyFileError
            If all of them are, and the user told no column.
        """
        empty: EmptyFileError | None = None
        for part in range(len(self.locations)):
            try:
                return {part: self.open(part)}
            except EmptyFileError as error:
                empty = empty or error
        told = self.format.schema_of_nothing
        if told is not None:
            return {0: self._opened(0, told)}
        if empty is not None and len(self.locations) > 1:
            empty.message += f"; so are all {len(self.locations):,} files"
        raise empty or AssertionError("paths expand to at least one file")

    def open(self, part: int) -> OpenFile:
        """Open a file, under the frozen schema once there is one."""
        frozen = self.files.frozen
        return self._opened(part, self._expected(part, frozen.files or frozen.sampled))

    def widened(self, schema: pa.Schema, context: RunContext) -> pa.Schema:
        """Read all files, and return the schema with text for the columns in which a value does not fit its type."""
        for part, location in enumerate(self.locations):
            given = self.format.given_types
            names = frozenset(one.name for one in schema if one.name not in given and not is_text(one.type))
            if not names:
                break
            opened = self._opened(part, self._expected(part, schema))
            try:
                unfit = opened.unfit_columns(names, context)
            except StreamError as error:
                raise error.locate(source=location.label, part=part) from error.__cause__
            schema = pa.schema([one.with_type(pa.string()) if one.name in unfit else one for one in schema])
        return schema

    def _opened(self, part: int, expected: pa.Schema | None) -> OpenFile:
        location = self.locations[part]
        self._names[part] = location.label
        try:
            if location.identity_is_cheap:
                # Before it is read: a file that is replaced later is another one.
                self._identities[part] = location.identity()
            opened = self.format.open(location, expected=expected, block_bytes=self._block_bytes, like=self._latest)
            self._latest = opened
            return opened
        except StreamError as error:
            raise error.locate(source=location.label, part=part) from error.__cause__

    def _expected(self, part: int, schema: pa.Schema | None) -> pa.Schema | None:
        frozen, file_format = self.files.frozen, self.format
        if schema is None or self.files.schema_over == "first":
            return schema
        location = self.locations[part]
        found = survey(file_format, location, part, frozen.surveys, self._block_bytes)
        if found is None:
            return schema
        if self.files.schema_over == "strict":
            told_by = next(one for one in self.locations if frozen.surveys.get(one) is not None)
            require_equal(frozen.sampled, found, told_by.label, location.label)
        else:
            require_within(frozen.sampled, found, location.label, any_text=file_format.widens)
        return file_format.expected_of(found, schema)


class _OpenFiles(OpenSource):
    def __init__(self, parts: _Parts, partitions: pa.RecordBatch, opened: dict[int, OpenFile]) -> None:
        self._parts = parts
        self._partitions = partitions
        # What was opened to know the schema, by part, until it is read.
        self._opened = opened

    @property
    def schema(self) -> pa.Schema:
        return self._parts.files.known_schema

    def read(self, scan: Scan) -> BlockReader:
        kept = self._kept(scan.hint)
        if scan.start is not None:
            kept = [part for part in kept if part >= scan.start.part]
        if not self._opened.keys() <= set(kept):
            self.close()
        rows = RowsBefore(scan.start)
        each = FileScan(scan, self.schema, self._partitions, rows)
        readers = (lambda part=part: self._read(each, part) for part in kept)
        gathered_bytes = 0 if scan.limit is not None or scan.dictionaries else self._parts.gathered_bytes
        return FilesReader(readers, rows, single=len(kept) == 1, gathered_bytes=gathered_bytes)

    def identity(self, part: int) -> str:
        return self._parts.identity(part)

    def known_identities(self) -> Mapping[int, str]:
        return self._parts.known_identities()

    def close(self) -> None:
        for one in self._opened.values():
            one.close()

    def _kept(self, predicate: Expr | None) -> Sequence[int]:
        every = range(len(self._parts.locations))
        if predicate is None or not self._partitions.schema.names:
            return every
        return matching_files(self._partitions, self.schema.names, predicate)

    def _read(self, scan: FileScan, part: int) -> BlockReader:
        opened = self._opened.pop(part, None) or self._parts.open(part)
        return scan.read(opened, part, self._parts.locations[part].label)
