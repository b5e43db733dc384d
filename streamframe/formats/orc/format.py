"""ORC: how one file is opened.

Rules: Arrow reads only plain local files here, since it does not tell where a stripe lies: a remote file is
copied to disk first, in pieces, and the copy goes when the file is closed.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import pyarrow as pa

from streamframe.errors import BudgetError, StreamError
from streamframe.formats.base import FileFormat, OpenFile
from streamframe.formats.columns import require_columns, require_unique
from streamframe.formats.limits import MAX_BATCH_BYTES, Limits
from streamframe.formats.orc.footer import OrcFooter
from streamframe.formats.orc.stripe import OrcReader, Stripes, damaged, opened_orc
from streamframe.formats.wording import first_line

if TYPE_CHECKING:
    from streamframe.io.location import Location
    from streamframe.io.ranged import RangedFile
    from streamframe.plan.node import Scan
    from streamframe.plan.source import BlockReader

_MAGIC = b"ORC"


@dataclass(frozen=True)
class OrcFormat(FileFormat):
    """Apache ORC; a stripe may have `max_batch_bytes` once it is decoded."""

    name: ClassVar[str] = "orc"
    suffixes: ClassVar[tuple[str, ...]] = (".orc",)

    max_batch_bytes: int = MAX_BATCH_BYTES

    def open(
        self, location: Location, *, expected: pa.Schema | None, block_bytes: int, like: OpenFile | None = None
    ) -> OpenFile:
        file = location.open_ranged()
        try:
            return _OpenOrc(file, expected, Limits(block_bytes, self.max_batch_bytes))
        except BaseException:
            file.close()
            raise


class _OpenOrc(OpenFile):
    def __init__(self, file: RangedFile, expected: pa.Schema | None, limits: Limits) -> None:
        self._file = file
        self._copy: str | None = None
        self._limits = limits
        try:
            if file.size < len(_MAGIC) or file.read_range(0, len(_MAGIC)) != _MAGIC:
                raise damaged(file.label, "it does not start as ORC does")
            self._path = file.local_path or self._copied()
            opened = opened_orc(self._path, file.label)
            self._found = _schema(opened, file.label)
            require_unique(self._found, file.label)
            if expected is not None:
                require_columns(self._found, expected, file.label)
            self._schema = self._found if expected is None else expected
            self._tail = opened.reader.serialized_file_tail()
            self._footer = _footer(opened, self._tail, file.label)
        except BaseException:
            self.close()
            raise

    @property
    def schema(self) -> pa.Schema:
        return self._schema

    def read(self, scan: Scan, *, part: int) -> BlockReader:
        names = self._schema.names if scan.columns is None else scan.columns
        stripes = Stripes(
            path=self._path,
            label=self._file.label,
            part=part,
            wanted=pa.schema([self._schema.field(name) for name in names]),
            found=self._found,
            footer=self._footer,
            tail=self._tail,
            limits=self._limits,
        )
        return OrcReader(stripes, self._file, self.close)

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


def _schema(opened: Any, label: str) -> pa.Schema:
    try:
        found = opened.schema.remove_metadata()
        _ = found.names  # which one that is no UTF-8 ends, with a ValueError
        return found
    except (pa.ArrowException, OSError, ValueError) as error:
        raise damaged(label, first_line(error)) from error


def _footer(opened: Any, tail: bytes, label: str) -> OrcFooter:
    try:
        footer = OrcFooter.of(tail)
    # Arrow passes over fields of a kind that it does not expect.
    except (KeyError, IndexError, TypeError) as error:
        raise damaged(label, "its footer tells no sizes") from error
    if len(footer.row_bytes) != len(opened.schema):
        raise damaged(label, "its footer tells of other columns than its schema")
    if sum(footer.stripe_rows) != opened.nrows:
        raise damaged(label, "its footer counts other rows than its stripes have")
    return footer
