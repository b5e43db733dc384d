"""What a scan of many files asks of each of them.

Rule: whatever is the same for all of them is found out once: there may be as many files as rows.
"""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa

from streamframe.formats.base import OpenFile
from streamframe.plain_values import plain_scalar
from streamframe.plan.node import Scan
from streamframe.plan.source import BlockReader, fact_column, fact_type
from streamframe.sources.fitting import Fit, fitted
from streamframe.sources.starting import started
from streamframe.sources.wrapped import RowsBefore

_PATH, _ROW, _PLACE = fact_column("path"), fact_column("row"), fact_column("byte_offset")


class FileScan:
    """A scan, as the files see it.

    Parameters
    ----------
    scan : Scan
        What is asked of all of them.
    schema : pyarrow.Schema
        What comes out where nothing is left out.
    keys : pyarrow.RecordBatch
        The keys in their paths, one row for each file.
    rows : RowsBefore
        Counts the rows of each.
    """

    def __init__(self, scan: Scan, schema: pa.Schema, keys: pa.RecordBatch, rows: RowsBefore) -> None:
        self._scan = scan
        self._types = {field.name: field.type for field in schema}
        self._wanted = schema if scan.columns is None else pa.schema([schema.field(name) for name in scan.columns])
        # Arrow makes a new list of all names at each `.names`: with 10,000 columns, asked for each, that takes seconds.
        self._names = frozenset(self._wanted.names)
        self._keys = {name: keys.column(name) for name in keys.schema.names if name in self._names}
        self._rows = rows
        # Of the files that are alike.
        self._found: pa.Schema | None = None
        self._asked = scan
        self._is_whole = False

    def read(self, opened: OpenFile, part: int, label: str) -> BlockReader:
        """Start reading the file of this number, whose rows come out as those of all."""
        if self._found is None or opened.schema is not self._found:
            self._look_at(opened.schema)
        asked, start = self._asked, self._scan.start
        if start is not None and part != start.part:
            asked, start = replace(asked, start=None), None
        reader = started(opened.read(asked, part=part), start)
        if self._is_whole:
            return reader
        constants = {name: values.slice(part, 1) for name, values in self._keys.items()}
        if _PATH in self._names:
            # A name that is no UTF-8 shows its bytes.
            constants[_PATH] = pa.repeat(plain_scalar(label.encode(errors="backslashreplace").decode()), 1)
        return fitted(reader, Fit(self._wanted, constants, _ROW if _ROW in self._names else None), self._rows)

    def _look_at(self, found: pa.Schema) -> None:
        """Find out what is asked of files with these columns."""
        self._found, self._asked = found, self._scan
        own = [one for one in found if one.name in self._names and one.name not in self._keys]
        if _PLACE in self._names:
            own.append(pa.field(_PLACE, fact_type("byte_offset")))
            self._is_whole = False
        else:
            self._is_whole = self._wanted.equals(pa.schema(own))
        if self._is_whole:
            return
        # Rows are counted from the start of the file, and statistics are of the types in the file.
        exact = _ROW not in self._names and all(one.type == self._types[one.name] for one in own)
        self._asked = replace(
            self._scan,
            columns=tuple(one.name for one in own),
            hint=self._scan.hint if exact else None,
            dictionaries=frozenset(),
        )
