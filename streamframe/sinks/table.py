"""Batches into one table of a database, in one transaction."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa

from streamframe.databases.base import IfExists, Loading, TableName
from streamframe.databases.errors import asked
from streamframe.databases.targets import Target
from streamframe.errors import SinkError
from streamframe.plan.context import RunContext
from streamframe.plan.sink import OpenSink, Sink, Written


@dataclass(frozen=True)
class Table(Sink):
    """Write all batches into one table: its rows are there together, or not at all."""

    table: TableName
    target: Target
    if_exists: IfExists

    def start(self, schema: pa.Schema, context: RunContext) -> OpenSink:
        label = f"{self.target.label}: {self.table.quoted}"
        if not schema.names:
            raise SinkError("a table needs at least one column", source=label)
        loading = asked(
            lambda: self.target.connect(True).load(self.table, schema, self.if_exists),
            label,
            self.target.secrets,
            SinkError,
            "the table cannot be made",
        )
        return _OpenTable(loading, label, self.target.secrets)

    def describe(self) -> str:
        return f"to_sql({self.table.name!r}, {self.target.label})"


class _OpenTable(OpenSink):
    def __init__(self, loading: Loading, label: str, secrets: tuple[str, ...]) -> None:
        self._loading = loading
        self._label = label
        self._secrets = secrets
        self._bytes_written = 0

    def write(self, batch: pa.RecordBatch) -> None:
        self._asked(lambda: self._loading.write(batch), "the rows cannot be written")
        self._bytes_written += batch.nbytes

    def commit(self) -> Written:
        self._asked(self._loading.commit, "the transaction cannot be committed")
        with contextlib.suppress(Exception):  # the rows are there, whatever closing says
            self._loading.close()
        return Written(files=(self._label,), bytes_written=self._bytes_written)

    def abort(self) -> None:
        # On a connection that is gone the database has rolled back by itself.
        with contextlib.suppress(Exception):
            self._loading.rollback()
        with contextlib.suppress(Exception):
            self._loading.close()

    def _asked(self, ask: Callable[[], None], what: str) -> None:
        asked(ask, self._label, self._secrets, SinkError, what)
