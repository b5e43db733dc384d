"""Batches into a Delta table, by the library deltalake, in one version of it.

Rules: deltalake pulls its rows, and a sink is given them: so it runs in a thread, to which one batch at a time is
handed over. The table changes when its log does, at the end; what fails before leaves the version that there was.
"""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pyarrow as pa

from streamframe.errors import ColumnNotFoundError, MissingDependencyError, SinkError
from streamframe.formats.wording import first_line
from streamframe.io.redact import redact, redact_text, secrets_in, secrets_of
from streamframe.plan.context import RunContext
from streamframe.plan.sink import OpenSink, Sink, Written

DeltaMode = Literal["error", "append", "overwrite"]

# How long a thread that has died may go unnoticed by who waits for it; a Ctrl-C is noticed as soon.
_LOOK_S = 0.1


# Delta has no unsigned numbers. deltalake takes those of as many bits, which have no room for half of the values.
_SIGNED = {pa.uint8(): pa.int16(), pa.uint16(): pa.int32(), pa.uint32(): pa.int64()}


@dataclass(frozen=True)
class Delta(Sink):
    """Write all batches into one new version of a table."""

    uri: str = field(repr=False)
    mode: DeltaMode
    partition_by: tuple[str, ...]
    storage_options: Mapping[str, str] | None = field(default=None, repr=False)

    def start(self, schema: pa.Schema, context: RunContext) -> OpenSink:
        try:
            import deltalake
        except ImportError as error:
            raise MissingDependencyError.extra("deltalake", "delta") from error
        for key in self.partition_by:
            if key not in schema.names:
                raise ColumnNotFoundError.among(key, schema.names)
        return _OpenDelta(deltalake, self, schema)

    def describe(self) -> str:
        return f"to_delta({redact(self.uri)!r})"


class _OpenDelta(OpenSink):
    def __init__(self, deltalake: Any, sink: Delta, schema: pa.Schema) -> None:
        self._deltalake = deltalake
        self._sink = sink
        self._label = redact(sink.uri)
        self._made_folder = "://" not in sink.uri and not os.path.lexists(sink.uri)
        self._before = self._files()
        self._handed_over: queue.Queue[pa.RecordBatch | None] = queue.Queue(maxsize=1)
        self._given_up = False
        self._failure: BaseException | None = None
        self._schema = pa.schema([field.with_type(_SIGNED.get(field.type, field.type)) for field in schema])
        reader = pa.RecordBatchReader.from_batches(self._schema, self._taken())
        self._writer = threading.Thread(target=self._write, args=(reader,), name="streamframe-delta", daemon=True)
        self._writer.start()

    def write(self, batch: pa.RecordBatch) -> None:
        self._hand_over(batch if batch.schema.equals(self._schema) else batch.cast(self._schema))

    def commit(self) -> Written:
        self._hand_over(None)
        while self._writer.is_alive():
            self._writer.join(_LOOK_S)
        self._raise_failure()
        files = {uri: nbytes for uri, nbytes in self._files().items() if uri not in self._before}
        return Written(tuple(redact(uri) for uri in sorted(files)), sum(files.values()))

    def abort(self) -> None:
        self._given_up = True
        while self._writer.is_alive():
            # It may wait for a batch.
            with contextlib.suppress(queue.Full):
                self._handed_over.put_nowait(None)
            self._writer.join(_LOOK_S / 10)
        if self._made_folder:
            with contextlib.suppress(OSError):
                os.rmdir(self._sink.uri)

    def _hand_over(self, batch: pa.RecordBatch | None) -> None:
        while True:
            self._raise_failure()
            with contextlib.suppress(queue.Full):
                self._handed_over.put(batch, timeout=_LOOK_S)
                return

    def _taken(self) -> Iterator[pa.RecordBatch]:
        while (batch := self._handed_over.get()) is not None and not self._given_up:
            yield batch
        if self._given_up:
            raise RuntimeError("the export was given up")

    def _write(self, reader: pa.RecordBatchReader) -> None:
        sink = self._sink
        try:
            self._deltalake.write_deltalake(
                sink.uri,
                reader,
                mode=sink.mode,
                partition_by=list(sink.partition_by) or None,
                storage_options=dict(sink.storage_options or {}) or None,
            )
        except BaseException as error:
            self._failure = error

    def _raise_failure(self) -> None:
        error = self._failure
        if error is None:
            return
        secrets = (*secrets_of(self._sink.uri), *secrets_in(self._sink.storage_options or {}))
        exists = "already exists" in str(error)
        raise SinkError(
            f"{self._label} cannot be written: {redact_text(first_line(error), secrets)}",
            source=self._label,
            hint='pass mode="append" or mode="overwrite".' if exists else _hint_of(str(error)),
        ) from None

    def _files(self) -> dict[str, int]:
        """Return the files of the latest version, with their sizes."""
        options = dict(self._sink.storage_options or {}) or None
        try:
            table = self._deltalake.DeltaTable(self._sink.uri, storage_options=options)
        except self._deltalake.exceptions.TableNotFoundError:
            return {}
        except Exception as error:
            self._failure = error
            self._raise_failure()
        actions = pa.table(table.get_add_actions())
        return dict(zip(table.file_uris(), actions["size_bytes"].to_pylist(), strict=True))


def _hint_of(text: str) -> str | None:
    if "number of fields" in text:
        return "a table keeps its columns: select or add those that it has, or name another path."
    return "cast the column to a type that Delta has." if "Invalid data type" in text or "cast" in text else None
