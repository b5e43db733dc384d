"""ORC: how one file is opened, and its stripes as blocks.

Rules: Arrow reads only plain local files here, since it does not tell where a stripe lies: a remote file is
copied to disk first, in pieces, and the copy goes when the file is closed. A stripe is decoded whole.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import pyarrow as pa

from streamframe.batch import Mark
from streamframe.errors import BudgetError, DecodeError, StreamError
from streamframe.formats.base import FileFormat, OpenFile
from streamframe.formats.columns import require_columns, require_unique
from streamframe.formats.wording import first_line
from streamframe.plan.source import Block, BlockReader, Decoded

if TYPE_CHECKING:
    from streamframe.io.location import Location
    from streamframe.io.ranged import RangedFile
    from streamframe.plan.node import Scan

_MAGIC = b"ORC"
# As far as nothing is known: what zlib and runs of equal values save.
_GUESSED_RATIO = 4.0


@dataclass(frozen=True)
class OrcFormat(FileFormat):
    """Apache ORC."""

    name: ClassVar[str] = "orc"
    suffixes: ClassVar[tuple[str, ...]] = (".orc",)

    def open(self, location: Location, *, expected: pa.Schema | None, block_bytes: int) -> OpenFile:
        file = location.open_ranged()
        try:
            return _OpenOrc(file, expected)
        except BaseException:
            file.close()
            raise


class _OpenOrc(OpenFile):
    def __init__(self, file: RangedFile, expected: pa.Schema | None) -> None:
        self._file = file
        self._copy: str | None = None
        try:
            if file.size < len(_MAGIC) or file.read_range(0, len(_MAGIC)) != _MAGIC:
                raise _damaged(file.label, "it does not start as ORC does")
            self._path = file.local_path or self._copied()
            opened = opened_orc(self._path, file.label)
            found = opened.schema.remove_metadata()
            require_unique(found, file.label)
            if expected is not None:
                require_columns(found, expected, file.label)
            self._schema = found if expected is None else expected
            self._stripes: int = opened.nstripes
        except BaseException:
            self.close()
            raise

    @property
    def schema(self) -> pa.Schema:
        return self._schema

    def read(self, scan: Scan, *, part: int) -> BlockReader:
        wanted = self._schema.names if scan.columns is None else scan.columns
        schema = pa.schema([self._schema.field(name) for name in wanted])
        share = len(schema) / len(self._schema) if len(self._schema) else 1.0
        raw_bytes = int(self._file.size * share / max(1, self._stripes))
        return _OrcReader(self, self._file, self._path, schema, self._schema, self._stripes, raw_bytes, part)

    def close(self) -> None:
        self._file.close()
        copy, self._copy = self._copy, None
        if copy is not None:
            os.unlink(copy)

    def _copied(self) -> str:
        """Copy a remote file to disk."""
        handle, self._copy = tempfile.mkstemp(prefix="streamframe-", suffix=".orc")
        with open(handle, "r+b") as copy:

            def put(offset: int, data: bytes) -> None:
                copy.seek(offset)
                copy.write(data)

            try:
                self._file.read_ranges([(0, self._file.size)], put)
            except StreamError:
                raise
            except OSError as error:
                raise BudgetError(
                    f"{self._file.label} cannot be copied to {tempfile.gettempdir()}: {error.strerror}",
                    source=self._file.label,
                    hint="set the environment variable TMPDIR to a folder on a larger disk.",
                ) from error
        return self._copy


class _OrcReader(BlockReader):
    """Hands out one block for each stripe."""

    def __init__(
        self,
        opened: _OpenOrc,
        file: RangedFile,
        path: str,
        schema: pa.Schema,
        all_columns: pa.Schema,
        stripes: int,
        raw_bytes: int,
        part: int,
    ) -> None:
        self._opened = opened
        self._file = file
        self._path = path
        self._schema = schema
        self._all_columns = all_columns
        self._stripes = stripes
        self._raw_bytes = raw_bytes
        self._part = part
        self._weights = _Weights(int(raw_bytes * _GUESSED_RATIO))
        self._next = 0
        self._blocks: list[_Stripe] = []

    @property
    def bytes_read(self) -> int:
        return self._raw_bytes * self._next if self._file.local_path else self._file.bytes_read

    @property
    def bytes_total(self) -> int | None:
        return self._raw_bytes * self._stripes if self._file.local_path else self._file.size

    @property
    def retries(self) -> int:
        return self._file.retries

    @property
    def pending(self) -> bool:
        return not all(block.done for block in self._blocks)

    def next_bytes(self) -> int:
        return self._weights.nbytes

    def next_block(self) -> Block | None:
        if self._next == self._stripes:
            return None
        block = _Stripe(self._path, self._next, self._schema, self._all_columns, self._weights)
        block.nbytes, block.part, block.label = self._weights.nbytes, self._part, self._file.label
        self._next += 1
        self._blocks = [*(one for one in self._blocks if not one.done), block]
        return block

    def close(self) -> None:
        self._opened.close()


class _Weights:
    """What a stripe weighs, learned from the last one that was decoded."""

    def __init__(self, nbytes: int) -> None:
        self.nbytes = nbytes


class _Stripe(Block):
    def __init__(self, path: str, index: int, schema: pa.Schema, all_columns: pa.Schema, weights: _Weights) -> None:
        self._path = path
        self._index = index
        self._schema = schema
        self._all_columns = all_columns
        self._weights = weights
        self.done = False

    def decode(self) -> Decoded:
        try:
            data = self._read()
        finally:
            self.done = True
        self._weights.nbytes = data.nbytes
        return Decoded(data, data.num_rows)

    def mark(self, rows: int) -> Mark:
        return Mark(part=self.part, token=self._index, rows=rows)

    def _read(self) -> pa.RecordBatch:
        # Somebody has to be counted.
        names = self._schema.names or self._all_columns.names[:1]
        try:
            data = opened_orc(self._path, self.label).read_stripe(self._index, columns=names)
            data.validate(full=True)
        except (pa.ArrowException, OSError) as error:
            raise _damaged(self.label, f"stripe {self._index}: {first_line(error)}") from error
        if not self._schema.names:
            return data.select([])
        columns = [data.column(name) for name in self._schema.names]
        return pa.RecordBatch.from_arrays(columns, schema=self._schema)


def opened_orc(path: str, label: str) -> Any:
    """Return Arrow's reader of a local file."""
    try:
        import pyarrow.orc as orc
    except ImportError as error:
        raise DecodeError("this build of pyarrow cannot read ORC", hint="install pyarrow from its wheels.") from error
    try:
        return orc.ORCFile(path)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(label, first_line(error)) from error


def _damaged(label: str, why: str) -> DecodeError:
    if "zoneinfo" in why or "time zone" in why:
        hint = "ORC needs the system's time zones: install the package tzdata, or set TZDIR."
    else:
        hint = "check the path and the suffix; download or write the file again if it was cut short."
    return DecodeError(f"{label} cannot be read as ORC: {why}", source=label, hint=hint)
