"""Where frames begin: files.

Rule: a reader checks its arguments and makes a plan of one node; it does no I/O. A name from
another library gets an error that says ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from operator import and_
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from streamframe.errors import PlanError, did_you_mean
from streamframe.expr import Expr, as_expr
from streamframe.formats.base import FileFormat
from streamframe.formats.csv import CsvFormat
from streamframe.formats.ipc import IpcFormat
from streamframe.formats.limits import MAX_BATCH_BYTES
from streamframe.formats.lines import LinesFormat
from streamframe.formats.ndjson import NdjsonFormat
from streamframe.formats.orc import OrcFormat
from streamframe.formats.parquet import ParquetFormat
from streamframe.formats.rejects import Errors, OnWiden
from streamframe.io.locations import Paths, paths
from streamframe.options import parse_bytes
from streamframe.plan.arguments import checked_names, refuse
from streamframe.plan.node import Scan
from streamframe.plan.source import Source
from streamframe.schema import dtype_name, parse_dtype
from streamframe.sources.files import Files
from streamframe.sources.hive import checked_hive
from streamframe.sources.schemas import SchemaOver, checked_schema_over
from streamframe.stream import StreamFrame

if TYPE_CHECKING:
    import pyarrow.compute as pc

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
    return _frame(Files(given, _format_of(given)))


def infer_schema(path: Any, *, format: str | None = None, **options: Any) -> dict[str, str]:
    r"""Return the columns and the names of their types, to be pasted as ``dtype=``.

    Reads what `StreamFrame.schema` reads: a sample of text files, the footers of others.

    Parameters
    ----------
    path
        What the readers take.
    format
        ``"csv"``, ``"ndjson"``, ``"parquet"``, ``"ipc"``, ``"orc"`` or ``"lines"``. Default: the suffix tells.
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
        found = _format_of(paths(path, options.get("storage_options")))
        format = found.name
        if isinstance(found, CsvFormat):
            options = {"sep": found.sep, **options}
    if format not in readers:
        raise PlanError(f"format needs one of {', '.join(readers)}, got {format!r}", hint=did_you_mean(format, readers))
    frame: StreamFrame = readers[format](path, **options)
    return {field.name: dtype_name(field.type) for field in frame.schema}


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


def read_csv(
    path: Any,
    *,
    columns: Sequence[str] | None = None,
    dtype: Mapping[str, Any] | None = None,
    names: Sequence[str] | None = None,
    header: bool = True,
    sep: str = ",",
    quotechar: str | None = '"',
    escapechar: str | None = None,
    na_values: Sequence[str] | None = None,
    encoding: str = "utf-8",
    skip_rows: int = 0,
    comment: str | None = None,
    compression: str | None = "infer",
    errors: Errors = "raise",
    on_widen: OnWiden = "raise",
    max_record_bytes: int | str | None = None,
    max_decompression_ratio: float | None = None,
    decimal: str = ".",
    thousands: str | None = None,
    date_format: str | None = None,
    schema: SchemaOver = "first",
    hive: bool | Mapping[str, Any] | None = None,
    storage_options: Mapping[str, Any] | None = None,
    **foreign: Any,
) -> StreamFrame:
    r"""Read CSV lazily, in blocks, decoded by every core, within the option `memory`.

    Parameters
    ----------
    path
        A str, a PathLike, a UPath, an open binary file, a directory, a glob, or a list of these; any
        fsspec scheme. Of a directory all files below it are read, sorted by name, without those whose
        name starts with a dot or an underscore, and only those of the format where it has some; on a
        store a directory whose name has a suffix is told by a ``/`` at its end.
    columns
        Only these, in this order; others are not converted.
    dtype
        Types by column: ``{"zip": "string"}``, in pandas', numpy's, Arrow's or Python's words.
        Default: found in a sample, then frozen; a whole number that would lose digits among floats then cannot be
        read, and ``"float64"`` rounds it. A time without a zone is not read as a type that has one, nor the
        other way round: the error says what to do.
    names
        Column names, instead of a header's (``header=True`` then skips that line).
    header
        The first line names the columns. False: they are ``names``, or ``f0``, ``f1`` and so on.
    sep, quotechar, escapechar
        The dialect, one character each. A quote counts at the start of a field only.
    na_values
        More spellings of null, beside the usual ones (empty, ``NA``, ``null``, ``NaN``...).
    encoding
        Any that Python knows. UTF-8 is the fastest: it is not transcoded. Bytes that mean nothing in it make
        their record one that cannot be read, and `errors` says what comes of it; rejects show them as ``\x81``.
    skip_rows
        Lines to skip before the header.
    comment
        Lines that start with this character are skipped.
    compression
        ``"infer"`` goes by the suffix; ``"gzip"``, ``"zstd"``, ``"bz2"``, ``"xz"``, ``"lz4"``, ``"zip"`` or None.
    errors
        What a malformed or ill-typed record does. ``"raise"``: the run stops with a `DecodeError`
        that names row, column, value and byte offset. ``"null"``: values that cannot be read become
        null; a record of too few or too many fields has none to keep, and is left out. ``"skip"``: the
        record is left out. ``"quarantine"``: it is, and can be had from `StreamFrame.rejects`, or in the same
        pass by ``to_parquet(..., rejects="rejects.parquet")``. Stats and reports count both. Only
        columns that are needed are looked at; types found in a sample fit the sample, so give `dtype`.
    on_widen
        What a type does that was found in a sample and does not fit a later value. ``"raise"``: that value
        cannot be read, and `errors` says what comes of it. ``"string"``: the input is read twice, the first time
        before the first row, to find such columns; they are text from their first row on, as it stands in the
        file. Types in `dtype` stay.
    max_record_bytes
        The longest record that is held, such as ``"200MB"``; a longer one is a `BudgetError`. Default 64 MiB,
        since what is longer is more likely a quote that nobody closed.
    max_decompression_ratio
        How many bytes may come out for each compressed one, as soon as 1 MiB has; more is a `BudgetError`.
        Default: 10,000, as soon as 1 GiB has, which next to nothing but equal bytes reaches. Memory is bounded
        without it: it saves the time and the disk that a bomb would take.
    decimal, thousands
        What stands before the fraction of a number, and between its digits: ``decimal=","`` and ``thousands="."``
        read ``1.234,5``. Signs beyond ASCII may stand between digits, such as the no-break spaces of French.
    date_format
        How times are written, in the signs of `strptime`: ``"%d.%m.%Y %H:%M"``. ISO 8601 is read as well.
        Columns of ``dtype="date"`` take it too, if the time of day is midnight or not there.
    schema
        What holds over several files. ``"first"``: the columns and types of the first; a file that
        lacks one, or has it with another type, is an error, as is one that has more columns (of Parquet, ORC and
        Arrow, those are left out, and a warning says so). ``"union"``: all files are looked at first,
        their columns are put together and their types widened without loss; what a file lacks is
        null. ``"strict"``: all are looked at first, and have the same columns, order and types, or a
        `SchemaError` names file and column.
    hive
        Whether folders such as ``year=2024`` become columns, behind those of the files, whose columns
        of the same name they replace. In a directory that `to_parquet` or its kind has written, they have the types
        that they were written with. Elsewhere types (int64, date, else text) are found over all paths; ``month=01``
        is a number, and ``zip=01234``, a code of more than two digits with a zero in front, is text. None:
        those below a directory or glob that was given, where all paths have the same keys. True: those
        of the whole path, and other keys are an error. ``{"zip": "string"}``: True, with types for
        some. A filter on such columns spares the files that cannot match.
    storage_options
        What fsspec takes for the scheme: ``{"headers": {...}}`` for http, say. For http(s) also
        ``retries`` (5: attempts in a row without a new byte before giving up; 0 turns resuming
        off), ``timeout`` (30 s to connect), ``read_timeout`` (60 s of silence while we wait; there
        is no limit for the whole), ``expect_bytes`` and ``expect_sha256`` (what the body must be,
        as it is on the wire; anything else is an error), ``max_copy`` (``"20GB"``: how large a
        temporary copy may be, which a format that is read in ranges needs of a server that has none).

        Who asks: ``auth`` (``("user", "password")``; or both in the URL, or a token as
        ``{"headers": {"Authorization": "Bearer ..."}}``) and ``cookies``. They never leave the
        scheme, host and port that were named, whatever a redirect says. ``ssl`` is an
        `ssl.SSLContext` for a private authority (which SSL_CERT_FILE can name as well) or a
        client's certificate; it holds for redirects too.

        Whom to ask, for URLs that others wrote: ``allow_hosts`` lists names
        (``"data.example.com"``, ``"*.example.com"``), addresses and networks (``"10.0.0.0/8"``),
        and ``block_private=True`` refuses all addresses that are not public. Both are checked at
        each redirect and on the address of each connection.

        ``proxy`` is ``"http://user:password@host:port"``; by default HTTP_PROXY, HTTPS_PROXY,
        ALL_PROXY and NO_PROXY count, and None goes around them. A proxy looks names up itself, so
        ``block_private`` and networks in ``allow_hosts`` are refused with one.

        ``allow_chained=True``, for any scheme, lets chained URLs (``simplecache::https://...``,
        ``zip://a.csv::s3://...``) through to fsspec, without our checks: it does not resume, and
        its caches take a truncated copy for good.

    Raises
    ------
    PlanError
        Here, if an argument makes no sense.
    SourceError, DecodeError, SchemaError
        When it runs.

    Examples
    --------
    >>> import streamframe as sf
    >>> flights = sf.read_csv("flights.csv.gz", dtype={"flight": "string"})
    """
    refuse(foreign, read_csv)
    file_format = CsvFormat(
        dtype=_types(dtype),
        names=names,
        header=header,
        sep=sep,
        quotechar=quotechar,
        escapechar=escapechar,
        na_values=na_values or (),
        encoding=encoding,
        skip_rows=skip_rows,
        comment=comment,
        compression=compression,
        errors=errors,
        on_widen=on_widen,
        max_record_bytes=_size(max_record_bytes),
        max_decompression_ratio=max_decompression_ratio,
        decimal=decimal,
        thousands=thousands,
        date_format=date_format,
    )
    frame = _frame(_files(path, file_format, schema, hive, storage_options))
    return frame if columns is None else frame.select(checked_names(columns))


def read_ndjson(
    path: Any,
    *,
    columns: Sequence[str] | None = None,
    dtype: Mapping[str, Any] | None = None,
    encoding: str = "utf-8",
    compression: str | None = "infer",
    errors: Errors = "raise",
    on_widen: OnWiden = "raise",
    max_record_bytes: int | str | None = None,
    max_decompression_ratio: float | None = None,
    schema: SchemaOver = "first",
    hive: bool | Mapping[str, Any] | None = None,
    storage_options: Mapping[str, Any] | None = None,
    **foreign: Any,
) -> StreamFrame:
    """Read NDJSON (JSON Lines: one object in each line) lazily, decoded by every core, within the option `memory`.

    A file that is one JSON array of objects is read in the same way, element by element.

    Objects become structs, arrays lists. A field that a record lacks is null. Nothing is guessed:
    text that looks like a time stays text, and a value of another type, a field that is not in the
    schema, a name that stands twice in one object are errors that name the remedy.

    Parameters
    ----------
    path
        A str, a PathLike, a UPath, an open binary file, a directory, a glob, or a list of these; any
        fsspec scheme.
    columns
        Only these, in this order; others are not converted, and fields that are new are left out.
    dtype
        Types by column: ``{"time": "timestamp[us]"}``, in pandas', numpy's, Arrow's or Python's
        words. Default: found in a sample, then frozen. ``"string"`` takes any value: what is not
        text is its JSON text, with all its digits; blocks with objects or arrays in it are read some
        40 times slower. A column that the sample does not have is added. Of types found in a sample, a whole number
        that would lose digits among floats is an error; ``"float64"`` rounds it.
    encoding
        Any that Python knows, as in `read_csv`. UTF-8 is the fastest: it is not transcoded.
    compression
        ``"infer"`` goes by the suffix; ``"gzip"``, ``"zstd"``, ``"bz2"``, ``"xz"``, ``"lz4"``, ``"zip"`` or None.
    errors
        What a malformed or ill-typed record does, as in `read_csv`; with ``"null"``, a line that is no
        object, or has a field that is no column, is left out.
    on_widen
        What a type does that was found in a sample and does not fit a later value. ``"raise"``: that value
        cannot be read, and `errors` says what comes of it. ``"string"``: the input is read twice, the first time
        before the first row, to find such columns; they are text from their first row on, as it stands in the
        file, or what is not text as its JSON. Types in `dtype` stay.
    max_record_bytes
        The longest record that is held, such as ``"200MB"``; a longer one is a `BudgetError`. Default 64 MiB,
        since what is longer is more likely a quote that nobody closed.
    max_decompression_ratio
        How many bytes may come out for each compressed one, as soon as 1 MiB has; more is a `BudgetError`.
        Default: 10,000, as soon as 1 GiB has, which next to nothing but equal bytes reaches. Memory is bounded
        without it: it saves the time and the disk that a bomb would take.
    schema, hive
        What holds over several files, and columns from their paths: as in `read_csv`.
    storage_options
        What fsspec takes for the scheme; for http(s) also those of `read_csv`.

    Raises
    ------
    PlanError
        Here, if an argument makes no sense.
    SourceError, DecodeError, SchemaError
        When it runs.

    Examples
    --------
    >>> import streamframe as sf
    >>> events = sf.read_ndjson("events.ndjson.gz", dtype={"time": "timestamp[us, UTC]"})
    """
    refuse(foreign, read_ndjson)
    file_format = NdjsonFormat(
        dtype=_types(dtype),
        encoding=encoding,
        compression=compression,
        errors=errors,
        on_widen=on_widen,
        max_record_bytes=_size(max_record_bytes),
        max_decompression_ratio=max_decompression_ratio,
        chosen=columns is not None,
    )
    frame = _frame(_files(path, file_format, schema, hive, storage_options))
    return frame if columns is None else frame.select(checked_names(columns))


def read_parquet(
    path: Any,
    *,
    columns: Sequence[str] | None = None,
    filters: Expr | pc.Expression | Sequence[Any] | None = None,
    schema: SchemaOver = "first",
    hive: bool | Mapping[str, Any] | None = None,
    max_batch_bytes: int | str = MAX_BATCH_BYTES,
    storage_options: Mapping[str, Any] | None = None,
    **foreign: Any,
) -> StreamFrame:
    """Read Parquet lazily: only the columns and row groups that are needed, within the option `memory`.

    Parameters
    ----------
    path
        A str, a PathLike, a UPath, an open binary file, a directory, a glob, or a list of these; any
        fsspec scheme. Of a remote file only the needed ranges are fetched.
    columns
        Only these, in this order.
    filters
        An expression, or pandas' list of tuples ``[("x", ">", 0)]``. Row groups that cannot match
        by their statistics are not read.
    schema, hive
        What holds over several files, and columns from their paths: as in `read_csv`.
    max_batch_bytes
        The largest that a page may become, or a row in one column: they are held as a whole. A larger one is a
        `BudgetError` that names it, before it is decoded. Default: 1 GiB, as a file of 50 KB can hold one value
        of 1.5 GB.
    storage_options
        What fsspec takes for the scheme, and for http(s) what `read_csv` names.

    Raises
    ------
    PlanError
        Here, if an argument makes no sense.
    SourceError, DecodeError, SchemaError, BudgetError
        When it runs; the last if a page is larger than is allowed.

    Examples
    --------
    >>> import streamframe as sf
    >>> late = sf.read_parquet("flights.parquet", filters=sf.col("dep_delay") > 60)
    """
    refuse(foreign, read_parquet)
    parquet = ParquetFormat(parse_bytes(max_batch_bytes, name="max_batch_bytes"))
    frame = _frame(_files(path, parquet, schema, hive, storage_options))
    if filters is not None:
        frame = frame.filter(_predicate(filters))
    return frame if columns is None else frame.select(checked_names(columns))


def read_ipc(
    path: Any,
    *,
    columns: Sequence[str] | None = None,
    schema: SchemaOver = "first",
    hive: bool | Mapping[str, Any] | None = None,
    max_batch_bytes: int | str = MAX_BATCH_BYTES,
    storage_options: Mapping[str, Any] | None = None,
    **foreign: Any,
) -> StreamFrame:
    """Read Arrow IPC lazily, file or stream format (also Feather), within the option `memory`.

    The first bytes tell the format. Of a file only the needed columns are read, by ranges; a stream
    comes from anything that sends bytes, compressed as a whole too. Every batch is validated in full. Of a batch
    that is large beside the memory (polars and `write_table` write a whole table as one) rows are read slice by slice;
    where it is compressed, nested or a stream, its columns are decoded one by one, and wait on disk (in `TMPDIR`).

    Parameters
    ----------
    path
        A str, a PathLike, a UPath, an open binary file, a directory, a glob, or a list of these; any
        fsspec scheme.
    columns
        Only these, in this order.
    schema, hive
        What holds over several files, and columns from their paths: as in `read_csv`.
    max_batch_bytes
        The largest that a compressed batch, or a dictionary, may become; a larger one is a `BudgetError` before it is
        decompressed. Default: 1 GiB, as a file of 60 KB can hold one of 2 GB.
    storage_options
        What fsspec takes for the scheme, and for http(s) what `read_csv` names.

    Raises
    ------
    PlanError
        Here, if an argument makes no sense.
    TruncatedError
        When it runs, if the end is missing. A stream has to end with its end-of-stream marker,
        although Arrow lets a writer leave it out: without it nobody can tell whether rows are missing.
    SourceError, DecodeError, SchemaError, BudgetError
        When it runs.

    Examples
    --------
    >>> import streamframe as sf
    >>> delays = sf.read_ipc("flights.arrow", columns=["carrier", "dep_delay"])
    """
    refuse(foreign, read_ipc)
    ipc = IpcFormat(parse_bytes(max_batch_bytes, name="max_batch_bytes"))
    frame = _frame(_files(path, ipc, schema, hive, storage_options))
    return frame if columns is None else frame.select(checked_names(columns))


def read_orc(
    path: Any,
    *,
    columns: Sequence[str] | None = None,
    schema: SchemaOver = "first",
    hive: bool | Mapping[str, Any] | None = None,
    max_batch_bytes: int | str = MAX_BATCH_BYTES,
    storage_options: Mapping[str, Any] | None = None,
    **foreign: Any,
) -> StreamFrame:
    """Read ORC lazily, stripe by stripe, decoded by every core, within the option `memory`.

    Of a stripe that is large beside the memory the rows are decoded some at a time, from a copy of it on disk (in
    `TMPDIR`). A remote file is copied to disk first, as a whole.

    ORC has no checksums, so a value that was damaged may be read as another one. The lengths of text, lists and maps
    are held against what the stripe can hold, since Arrow's reader trusts them: damaged ones would end the process.
    It was not written for files that mean harm: read those in a process of their own.

    Parameters
    ----------
    path
        A str, a PathLike, a UPath, an open binary file, a directory, a glob, or a list of these; any
        fsspec scheme.
    columns
        Only these, in this order; others are not read.
    schema, hive
        What holds over several files, and columns from their paths: as in `read_csv`.
    max_batch_bytes
        The largest that a stripe may become, of the columns that are read; a larger one is a `BudgetError`. Default:
        1 GiB, as a file of a few KB can hold one of many GB.
    storage_options
        What fsspec takes for the scheme, and for http(s) what `read_csv` names.

    Raises
    ------
    PlanError
        Here, if an argument makes no sense.
    SourceError, DecodeError, SchemaError, BudgetError
        When it runs.

    Examples
    --------
    >>> import streamframe as sf
    >>> delays = sf.read_orc("flights.orc", columns=["carrier", "dep_delay"])
    """
    refuse(foreign, read_orc)
    orc = OrcFormat(parse_bytes(max_batch_bytes, name="max_batch_bytes"))
    frame = _frame(_files(path, orc, schema, hive, storage_options))
    return frame if columns is None else frame.select(checked_names(columns))


def read_lines(
    path: Any,
    *,
    encoding: str = "utf-8",
    compression: str | None = "infer",
    errors: Errors = "raise",
    max_record_bytes: int | str | None = None,
    max_decompression_ratio: float | None = None,
    hive: bool | Mapping[str, Any] | None = None,
    storage_options: Mapping[str, Any] | None = None,
    **foreign: Any,
) -> StreamFrame:
    r"""Read text lazily, one row for each line, in the column ``line``.

    A line ends with ``\n`` or ``\r\n``, which are no part of it; empty lines are rows as well. Lone ``\r`` end lines
    where there is not one ``\n`` in the first 64 KiB; else they stay, since the lines of progress bars have them.

    Parameters
    ----------
    path
        A str, a PathLike, a UPath, an open binary file, a directory, a glob, or a list of these; any
        fsspec scheme.
    encoding
        Any that Python knows, as in `read_csv`. UTF-8 is the fastest: it is not transcoded.
    compression
        ``"infer"`` goes by the suffix; ``"gzip"``, ``"zstd"``, ``"bz2"``, ``"xz"``, ``"lz4"``, ``"zip"`` or None.
    errors
        What a line does that is no text, as in `read_csv`; with ``"null"``, it is null. Also what one does that
        the pattern of an `extract` right behind does not match.
    max_record_bytes
        The longest record that is held, such as ``"200MB"``; a longer one is a `BudgetError`. Default 64 MiB,
        since what is longer is more likely a quote that nobody closed.
    max_decompression_ratio
        How many bytes may come out for each compressed one, as soon as 1 MiB has; more is a `BudgetError`.
        Default: 10,000, as soon as 1 GiB has, which next to nothing but equal bytes reaches. Memory is bounded
        without it: it saves the time and the disk that a bomb would take.
    hive
        Columns from the paths: as in `read_csv`.
    storage_options
        What fsspec takes for the scheme, and for http(s) what `read_csv` names.

    Raises
    ------
    PlanError
        Here, if an argument makes no sense.
    SourceError, DecodeError, BudgetError
        When it runs; the last if a line is longer than is allowed.

    Examples
    --------
    >>> import io
    >>> import streamframe as sf
    >>> log = sf.read_lines(io.BytesIO(b"GET /a 200\nGET /b 404\n"))
    >>> log.extract(r"(?P<path>\S+) (?P<status>\d+)$").to_pandas()
      path status
    0   /a    200
    1   /b    404
    """
    refuse(foreign, read_lines)
    file_format = LinesFormat(
        encoding=encoding,
        compression=compression,
        errors=errors,
        max_record_bytes=_size(max_record_bytes),
        max_decompression_ratio=max_decompression_ratio,
    )
    return _frame(_files(path, file_format, "first", hive, storage_options))


def _files(
    path: Any, file_format: FileFormat, schema: SchemaOver, hive: Any, storage_options: Mapping[str, Any] | None
) -> Files:
    return Files(paths(path, storage_options), file_format, checked_schema_over(schema), checked_hive(hive))


def _frame(source: Source) -> StreamFrame:
    return StreamFrame(Scan(source), source.known_schema)


def _predicate(filters: Any) -> Any:
    if isinstance(filters, (list, tuple)):
        import pyarrow.parquet as pq

        try:
            # Apart, since a condition on a key of the paths alone spares files.
            ands = [[one] for one in filters] if all(isinstance(one, tuple) for one in filters) else [list(filters)]
            return reduce(and_, (as_expr(pq.filters_to_expression(one)) for one in ands))
        except (ValueError, TypeError, IndexError) as error:
            raise PlanError(f"filters={filters!r} is malformed: {error}", hint='write [("x", ">", 0)].') from error
    return filters


def _types(dtype: Any) -> tuple[tuple[str, pa.DataType], ...]:
    if dtype is not None and not isinstance(dtype, Mapping):
        raise PlanError(f"dtype needs a mapping from columns to types, got {dtype!r}", hint='dtype={"zip": "string"}.')
    return tuple((name, parse_dtype(kind)) for name, kind in (dtype or {}).items())


def _size(value: int | str | None) -> int | None:
    return None if value is None else parse_bytes(value, name="max_record_bytes")
