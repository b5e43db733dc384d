"""Rows of one file, or of many, one behind another.

Rules: a file is a part. The first file's schema is frozen and holds for all that follow. One
file is open at a time; it is opened by the thread that reads, when its turn comes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pyarrow as pa

from streamframe.errors import StreamError
from streamframe.formats.base import FileFormat, OpenFile
from streamframe.io.location import Location
from streamframe.io.locations import Paths
from streamframe.plan.context import RunContext
from streamframe.plan.node import Scan
from streamframe.plan.report import Completeness, worst
from streamframe.plan.source import Block, BlockReader, OpenSource, Source


class FrozenSchema:
    """A schema that is found once, by the first run or look, and then holds for good."""

    def __init__(self) -> None:
        self.found: pa.Schema | None = None


@dataclass(frozen=True)
class Files(Source):
    """All rows of these files, in the order given (globs: sorted by name)."""

    paths: Paths
    format: FileFormat
    frozen: FrozenSchema = field(default_factory=FrozenSchema, compare=False, repr=False)

    @property
    def replayable(self) -> bool:
        return self.paths.replayable

    @property
    def known_schema(self) -> pa.Schema | None:
        return self.frozen.found

    def open(self, context: RunContext) -> OpenSource:
        locations = self.paths.expand(self.format.suffixes)
        first = _open_part(self.format, locations[0], self.frozen.found, context.block_bytes, 0)
        self.frozen.found = first.schema
        return _OpenFiles(self.format, locations, first, context.block_bytes)

    def describe(self) -> str:
        return f"read_{self.format.name}({self.paths.label!r})"


class _OpenFiles(OpenSource):
    def __init__(
        self, file_format: FileFormat, locations: tuple[Location, ...], first: OpenFile, block_bytes: int
    ) -> None:
        self._format = file_format
        self._locations = locations
        self._first = first
        self._block_bytes = block_bytes

    @property
    def schema(self) -> pa.Schema:
        return self._first.schema

    def read(self, scan: Scan) -> BlockReader:
        readers = self._open_in_turn(scan)
        return _FilesReader(next(readers)(), readers, single=len(self._locations) == 1)

    def close(self) -> None:
        self._first.close()

    def _open_in_turn(self, scan: Scan) -> Iterator[Callable[[], BlockReader]]:
        yield lambda: self._first.read(scan, part=0)
        schema = self._first.schema
        for part, location in enumerate(self._locations[1:], start=1):
            yield lambda part=part, location=location: _open_part(  # type: ignore[misc]
                self._format, location, schema, self._block_bytes, part
            ).read(scan, part=part)


class _FilesReader(BlockReader):
    """The blocks of one file after another."""

    def __init__(self, first: BlockReader, rest: Iterator[Callable[[], BlockReader]], *, single: bool) -> None:
        self._current = first
        self._rest = rest
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


def _open_part(
    file_format: FileFormat, location: Location, expected: pa.Schema | None, block_bytes: int, part: int
) -> OpenFile:
    try:
        return file_format.open(location, expected=expected, block_bytes=block_bytes)
    except StreamError as error:
        raise error.locate(source=location.label, part=part) from error.__cause__
