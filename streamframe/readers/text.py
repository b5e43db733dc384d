"""Readers of text: what a record is, and what becomes of one that cannot be read, is for the user to say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from streamframe.formats.csv import CsvFormat
from streamframe.formats.lines import LinesFormat
from streamframe.formats.ndjson import NdjsonFormat
from streamframe.formats.rejects import Errors, OnWiden
from streamframe.plan.arguments import checked_names, refuse
from streamframe.readers.files import files_of, frame_of, size_of, types_of
from streamframe.sources.schemas import SchemaOver
from streamframe.stream import StreamFrame

if TYPE_CHECKING:
    pass


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
        Types by column: ``{"zip": "string"}``, in pandas', numpy's, Arrow's or Python's words; by key as well, where
        keys of paths become columns.
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
        some, whatever `dtype` says. A filter on such columns spares the files that cannot match.
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
        dtype=types_of(dtype),
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
        max_record_bytes=size_of(max_record_bytes),
        max_decompression_ratio=max_decompression_ratio,
        decimal=decimal,
        thousands=thousands,
        date_format=date_format,
    )
    frame = frame_of(files_of(path, file_format, schema, hive, storage_options))
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
        words; by key as well, where keys of paths become columns. Default: found in a sample, then frozen.
        ``"string"`` takes any value: what is not text is its JSON text, with all its digits; blocks with objects or
        arrays in it are read some 40 times slower. A column that the sample does not have is added. Of types found in
        a sample, a whole number that would lose digits among floats is an error; ``"float64"`` rounds it.
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
        dtype=types_of(dtype),
        encoding=encoding,
        compression=compression,
        errors=errors,
        on_widen=on_widen,
        max_record_bytes=size_of(max_record_bytes),
        max_decompression_ratio=max_decompression_ratio,
        chosen=columns is not None,
    )
    frame = frame_of(files_of(path, file_format, schema, hive, storage_options))
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
        max_record_bytes=size_of(max_record_bytes),
        max_decompression_ratio=max_decompression_ratio,
    )
    return frame_of(files_of(path, file_format, "first", hive, storage_options))
