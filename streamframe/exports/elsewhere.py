"""The verbs that write anywhere else than to files: databases, sinks of the user's own, bytes to be sent."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from streamframe.databases.base import IfExists, checked_table
from streamframe.databases.targets import target
from streamframe.engines.encoding import Encoded
from streamframe.errors import PlanError
from streamframe.exports.base import Exporting
from streamframe.formats.base import FileEncoding
from streamframe.formats.csv import CsvEncoding
from streamframe.formats.ipc import IpcEncoding
from streamframe.formats.ndjson import NdjsonEncoding
from streamframe.formats.parquet import ParquetEncoding
from streamframe.options import current_options
from streamframe.plan.arguments import refuse
from streamframe.plan.report import RunReport
from streamframe.plan.sink import Sink
from streamframe.sinks.delta import Delta, DeltaMode
from streamframe.sinks.table import Table


class OtherExports(Exporting):
    """The part of `StreamFrame` that writes to databases, to sinks of the user's own, and bytes to be sent."""

    __slots__ = ()

    def to_sql(
        self,
        table: str,
        connection: Any,
        *,
        if_exists: IfExists | Literal["fail"] = "error",
        schema: str | None = None,
        **foreign: Any,
    ) -> RunReport:
        """Write all rows to one table of a database, in one transaction: all of them, or none.

        Batch by batch, in what the database takes fastest: ADBC's ingest, COPY of psycopg, Arrow of DuckDB.
        In SQLite moments and decimals are text, durations microseconds, and NaN is null.

        Parameters
        ----------
        table
            The table's name, as it is: it is quoted.
        connection
            As `read_sql` takes it. A connection of yours that is in a transaction stays in it: the rows
            are a part of it, and yours to commit. ADBC and DuckDB do not tell: what was pending
            in ADBC is committed, or rolled back, with the rows; in DuckDB they have a transaction of their own.
        if_exists
            What to do with a table of that name: ``"error"`` (the default; in pandas it is ``"fail"``),
            ``"append"`` or ``"replace"``, which drops it in the same transaction. Where a database commits by
            itself when a table is dropped or made (MySQL, Oracle), the old one cannot come back. A table that is not
            there is made.
        schema
            The schema in the database. Default: the connection's own.

        Raises
        ------
        StreamError
            Whatever stopped the run. The table is then what it was before.

        Examples
        --------
        >>> import sqlite3, streamframe as sf
        >>> connection = sqlite3.connect(":memory:")
        >>> sf.from_arrow({"n": [1, 2]}).to_sql("numbers", connection).rows
        2
        >>> connection.close()
        """
        refuse(foreign, self.to_sql)
        how: IfExists = "error" if if_exists == "fail" else if_exists
        return self._into(Table(checked_table(table, schema, how), target(connection, "to_sql"), how))

    def to_delta(
        self,
        path: Any,
        *,
        mode: DeltaMode = "error",
        partition_by: str | Sequence[str] | None = None,
        storage_options: Mapping[str, str] | None = None,
        **foreign: Any,
    ) -> RunReport:
        """Write all rows into one new version of a Delta table, or none; needs the extra ``delta``.

        The library deltalake writes. What it keeps comes on top of the option `memory`: the file that it is at, some
        100 MB, and as many times for each folder with `partition_by`. Times become microseconds.

        Parameters
        ----------
        path
            A folder, or a URI that deltalake knows, such as ``s3://bucket/table``.
        mode
            What to do with a table that is there: ``"error"`` (the default), ``"append"``, or ``"overwrite"``, which
            makes a version without its rows; older versions keep them.
        partition_by
            Columns whose values name folders.
        storage_options
            What deltalake takes for the store; not what fsspec takes.

        Raises
        ------
        StreamError
            Whatever stopped the run. The table has no new version then.

        Examples
        --------
        >>> import streamframe as sf
        >>> report = sf.from_arrow({"a": [1, 2]}).to_delta("flights")  # doctest: +SKIP
        """
        refuse(foreign, self.to_delta)
        if mode not in ("error", "append", "overwrite"):
            raise PlanError(f"mode={mode!r} is not known", hint='use "error", "append" or "overwrite".')
        if not isinstance(path, (str, os.PathLike)):
            raise PlanError(f"to_delta needs a path or a URI, got {type(path).__name__}")
        keys = (partition_by,) if isinstance(partition_by, str) else tuple(partition_by or ())
        return self._into(Delta(str(path), mode, keys, storage_options))

    def write(self, sink: Sink) -> RunReport:
        """Write all rows into a sink of your own.

        Parameters
        ----------
        sink
            What opens the target; see `Sink` for an example. It is started once, and takes batch after batch;
            exactly one of its `commit` and `abort` is called (both where `commit` itself raises).

        Raises
        ------
        StreamError
            Whatever stopped the run. What the sink itself raises comes as it is.
        """
        return self._into(require_sink(sink, "write"))

    def to_bytes(
        self, format: Literal["csv", "ndjson", "ipc", "parquet"] = "csv", *, compression: str | None = None
    ) -> Encoded:
        r"""Return the rows as the bytes of a file, piece by piece, for whatever sends them on: an HTTP response, say.

        Runs as the bytes are taken; who takes them slowly slows the reading down. Holds what an export holds.
        For other spellings of CSV and the like, write a file.

        Parameters
        ----------
        format
            ``"csv"``, ``"ndjson"``, ``"ipc"`` (the stream format, which is read from a pipe), or ``"parquet"``,
            whose first bytes come with its first row group.
        compression
            As the export of that name takes it. Default: none.

        Returns
        -------
        Encoded
            An iterator of bytes, and a context manager. ``close()`` stops the run: call it where the receiver has gone.

        Examples
        --------
        >>> import streamframe as sf
        >>> with sf.from_arrow({"a": [1, 2]}).to_bytes("csv") as pieces:
        ...     b"".join(pieces)
        b'"a"\n1\n2\n'
        """
        encodings: dict[str, Callable[[str | None], FileEncoding]] = {
            "csv": lambda compression: CsvEncoding(compression=compression),
            "ndjson": NdjsonEncoding,
            "ipc": lambda compression: IpcEncoding(compression, stream=True),
            "parquet": ParquetEncoding,
        }
        if not isinstance(format, str) or format not in encodings:
            raise PlanError(f"format={format!r} is not known", hint=f"use one of {', '.join(encodings)}.")
        return Encoded(self._plan, current_options(), encodings[format](compression))


def require_sink(sink: Any, verb: str) -> Sink:
    """Return `sink` if it is one."""
    if not isinstance(sink, Sink):
        raise PlanError(
            f"{verb} needs an instance of a class derived from sf.Sink, got {type(sink).__name__}",
            hint="to write a file, call to_parquet, to_csv, to_ndjson or to_ipc.",
        )
    return sink
