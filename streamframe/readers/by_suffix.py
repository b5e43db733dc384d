"""Readers that go by the suffix of a path."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from streamframe.errors import PlanError, did_you_mean
from streamframe.formats.base import FileFormat
from streamframe.formats.csv import CsvFormat
from streamframe.formats.ipc import IpcFormat
from streamframe.formats.lines import LinesFormat
from streamframe.formats.ndjson import NdjsonFormat
from streamframe.formats.orc import OrcFormat
from streamframe.formats.parquet import ParquetFormat
from streamframe.io.locations import Paths, paths
from streamframe.readers.columnar import read_ipc, read_orc, read_parquet
from streamframe.readers.files import frame_of
from streamframe.readers.text import read_csv, read_lines, read_ndjson
from streamframe.schema import dtype_name
from streamframe.sources.files import Files
from streamframe.stream import StreamFrame

# One line for each format that `read` recognises; compression suffixes are taken off before.
_SUFFIXES: dict[str, Callable[[], FileFormat]] = {
    ".csv": CsvFormat,
    ".tsv": lambda: CsvFormat(sep="\t"),
    ".ndjson": NdjsonFormat,
    ".jsonl": NdjsonFormat,
    ".json": NdjsonFormat,
    ".parquet": ParquetFormat,
    ".pq": ParquetFormat,
    ".arrow": IpcFormat,
    ".arrows": IpcFormat,
    ".feather": IpcFormat,
    ".ipc": IpcFormat,
    ".orc": OrcFormat,
    ".log": LinesFormat,
    ".txt": LinesFormat,
}


def read(path: Any, *, storage_options: Mapping[str, Any] | None = None, **foreign: Any) -> StreamFrame:
    """Read files whose format their suffix tells: ``.csv``, ``.parquet``, ``.arrow`` and so on.

    Lazy: nothing is read before the frame is iterated, looked at or exported. Known are ``.csv``,
    ``.tsv``, ``.ndjson``, ``.jsonl``, ``.json`` (also in ``.gz``, ``.zst``, ``.bz2``, ``.xz``, ``.lz4``, ``.zip``),
    ``.parquet``, ``.pq``, ``.orc``, ``.arrow``, ``.arrows``, ``.feather``, ``.ipc``, and lines in ``.log`` or ``.txt``.

    Parameters
    ----------
    path
        A str, a PathLike, a UPath, an open binary file, a directory, a glob, or a list of these; any
        fsspec scheme.
    storage_options
        What fsspec takes for the scheme, and for http(s) what `read_csv` names.

    Raises
    ------
    PlanError
        If the suffix is not known; then use the reader by its name.

    Examples
    --------
    >>> import streamframe as sf
    >>> sf.read("https://example.org/flights-*.parquet").columns  # doctest: +SKIP
    """
    for name in foreign:
        raise PlanError(
            f"read has no argument {name!r}", hint="the reader of the format, such as read_csv, takes more than read."
        )
    given = paths(path, storage_options)
    return frame_of(Files(given, _format_of(given)))


def infer_schema(path: Any, *, format: str | None = None, **options: Any) -> dict[str, str]:
    r"""Return the columns and the names of their types, to be pasted as ``dtype=``.

    Reads what `StreamFrame.schema` reads: a sample of text files, the footers of others.

    Parameters
    ----------
    path
        What the readers take.
    format
        ``"csv"``, ``"ndjson"``, ``"parquet"``, ``"ipc"``, ``"orc"`` or ``"lines"``. Default: the suffix tells; of a
        directory, the suffixes of its files.
    **options
        Those of the format's reader, such as ``sep=`` or ``schema="union"``.

    Raises
    ------
    PlanError
        If neither format nor suffix is known, or the reader has no such option.
    SourceError, DecodeError, SchemaError
        If the files cannot be read, or do not fit together.

    Examples
    --------
    >>> import io, streamframe as sf
    >>> sf.infer_schema(io.BytesIO(b"zip,fare\n01234,2.5"), format="csv")
    {'zip': 'int64', 'fare': 'float64'}
    """
    readers = {
        "csv": read_csv,
        "ndjson": read_ndjson,
        "parquet": read_parquet,
        "ipc": read_ipc,
        "orc": read_orc,
        "lines": read_lines,
    }
    if format is None:
        found = _format_within(paths(path, options.get("storage_options")))
        format = found.name
        if isinstance(found, CsvFormat):
            options = {"sep": found.sep, **options}
    if format not in readers:
        raise PlanError(f"format needs one of {', '.join(readers)}, got {format!r}", hint=did_you_mean(format, readers))
    frame: StreamFrame = readers[format](path, **options)
    return {field.name: dtype_name(field.type) for field in frame.schema}


def _format_within(given: Paths) -> FileFormat:
    if given.suffix not in _SUFFIXES:
        makes = {_SUFFIXES[one.format_suffix] for one in given.expand() if one.format_suffix in _SUFFIXES}
        if len(makes) == 1:
            return makes.pop()()
    return _format_of(given)


def _format_of(given: Paths) -> FileFormat:
    make = _SUFFIXES.get(given.suffix)
    if make is None:
        near = did_you_mean(given.suffix, _SUFFIXES) if given.suffix else None
        raise PlanError(
            f"{given.label}: the suffix {given.suffix!r} tells no format"
            if given.suffix
            else f"{given.label} has no suffix that tells a format",
            source=given.label,
            hint=(f"{near} " if near else "")
            + "call the reader of the format, which takes directories and any name: read_csv, read_ndjson, read_lines, "
            + f"read_parquet, read_ipc or read_orc; read goes by {', '.join(_SUFFIXES)}.",
        )
    return make()
