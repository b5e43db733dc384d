"""One file, in the format that its suffix names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from streamframe.errors import PlanError
from streamframe.formats.base import FileEncoding
from streamframe.formats.csv import CsvEncoding
from streamframe.formats.ipc import IpcEncoding
from streamframe.formats.ndjson import NdjsonEncoding
from streamframe.formats.parquet import ParquetEncoding
from streamframe.io.redact import redact
from streamframe.plan.sink import Sink
from streamframe.sinks.files import File


def file_sink(path: Any, verb: str, storage_options: Mapping[str, Any] | None) -> Sink:
    """Return what writes one file, in the format that its suffix names."""
    return File(path, _encoding_of(path, verb), storage_options)


def _encoding_of(path: Any, argument: str) -> FileEncoding:
    name = str(getattr(path, "name", path)).lower()
    for encoding, suffixes in _ENCODINGS:
        # Behind the suffix may stand that of a compression.
        if any(name.endswith(suffix) or f"{suffix}." in name for suffix in suffixes):
            return encoding
    known = ", ".join(suffix for _, suffixes in _ENCODINGS for suffix in suffixes)
    raise PlanError(f"{argument}: the suffix of {redact(name)!r} names no format", hint=f"use one of {known}.")


_ENCODINGS: tuple[tuple[FileEncoding, tuple[str, ...]], ...] = (
    (ParquetEncoding(), (".parquet", ".pq")),
    (IpcEncoding(), (".arrow", ".arrows", ".feather")),
    (NdjsonEncoding(), (".ndjson", ".jsonl")),
    (CsvEncoding(), (".csv",)),
)
