"""Readers of files that hold their columns and types: Parquet, Arrow IPC, ORC."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import and_
from typing import TYPE_CHECKING, Any

from streamframe.errors import PlanError
from streamframe.expr import Expr, as_expr
from streamframe.formats.ipc import IpcFormat
from streamframe.formats.limits import MAX_BATCH_BYTES
from streamframe.formats.orc import OrcFormat
from streamframe.formats.parquet import ParquetFormat
from streamframe.options import parse_bytes
from streamframe.plan.arguments import checked_names, refuse
from streamframe.readers.files import files_of, frame_of
from streamframe.sources.schemas import SchemaOver
from streamframe.stream import StreamFrame

if TYPE_CHECKING:
    import pyarrow.compute as pc


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
    frame = frame_of(files_of(path, parquet, schema, hive, storage_options))
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
    frame = frame_of(files_of(path, ipc, schema, hive, storage_options))
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
    frame = frame_of(files_of(path, orc, schema, hive, storage_options))
    return frame if columns is None else frame.select(checked_names(columns))


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
