"""One file, in the format that its suffix names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from streamframe.errors import PlanError
from streamframe.formats.base import FileEncoding
from streamframe.formats.csv import CsvEncoding, CsvStyle
from streamframe.formats.ipc import IpcEncoding
from streamframe.formats.ndjson import NdjsonEncoding
from streamframe.formats.orc import OrcEncoding
from streamframe.formats.parquet import ParquetEncoding
from streamframe.io.redact import redact
from streamframe.plan.sink import Sink
from streamframe.sinks.files import File


def file_sink(path: Any, verb: str, storage_options: Mapping[str, Any] | None) -> Sink:
    """Return what writes one file, in the format that its suffix names."""
    return File(path, _encoding_of(path, verb), storage_options)


def usual_sep(path: Any) -> str:
    """Return what stands between the fields of a file of text by its suffix."""
    return _TAB if _has_suffix(_name(path), (".tsv",)) else ","


def _encoding_of(path: Any, argument: str) -> FileEncoding:
    name = _name(path)
    for encoding, suffixes in _ENCODINGS:
        if _has_suffix(name, suffixes):
            return encoding
    known = ", ".join(suffix for _, suffixes in _ENCODINGS for suffix in suffixes)
    raise PlanError(f"{argument}: the suffix of {redact(name)!r} names no format", hint=f"use one of {known}.")


def _name(path: Any) -> str:
    return str(getattr(path, "name", path)).lower()


def _has_suffix(name: str, suffixes: tuple[str, ...]) -> bool:
    # Behind the suffix may stand that of a compression.
    return any(name.endswith(suffix) or f"{suffix}." in name for suffix in suffixes)


_TAB = "\t"
_ENCODINGS: tuple[tuple[FileEncoding, tuple[str, ...]], ...] = (
    (ParquetEncoding(), (".parquet", ".pq")),
    (IpcEncoding(), (".arrow", ".arrows", ".feather")),
    (NdjsonEncoding(), (".ndjson", ".jsonl")),
    (CsvEncoding(), (".csv",)),
    (CsvEncoding(style=CsvStyle(_TAB)), (".tsv",)),
    (OrcEncoding(), (".orc",)),
)
