"""The verbs that write files of columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from streamframe.exports.base import Exporting
from streamframe.formats.ipc import IpcEncoding
from streamframe.formats.orc import OrcEncoding
from streamframe.formats.parquet import ParquetEncoding, parquet_options
from streamframe.io.atomic_directory import Mode
from streamframe.plan.arguments import refuse
from streamframe.plan.report import RunReport
from streamframe.sinks.layout import MAX_OPEN_FILES, layout_of


class ColumnarExports(Exporting):
    """The part of `StreamFrame` that writes Parquet, Arrow IPC and ORC."""

    __slots__ = ()

    def to_parquet(
        self,
        path: Any,
        *,
        compression: str | None = "snappy",
        compression_level: int | None = None,
        row_group_bytes: int | str | None = None,
        statistics: bool | Sequence[str] = True,
        page_checksums: bool = True,
        sorting_columns: str | Sequence[str | tuple[str, str]] | None = None,
        bloom_filters: str | Sequence[str] | None = None,
        metadata: Mapping[str, str] | None = None,
        partition_by: str | Sequence[str] | None = None,
        max_file_bytes: int | str | None = None,
        max_rows_per_file: int | None = None,
        max_open_files: int = MAX_OPEN_FILES,
        mode: Mode | None = None,
        success_marker: bool = False,
        resume: bool = False,
        rejects: Any = None,
        storage_options: Mapping[str, Any] | None = None,
        **foreign: Any,
    ) -> RunReport:
        """Write all rows to one Parquet file, or to a directory of them: old or new, never half.

        Row groups are gathered to a sixth of the option `memory`, at most 64 MiB.

        A directory takes its new content in one step, together with ``_streamframe.json``, which names each file
        with its rows, bytes and SHA-256, and says where they come from: the schema, the steps of the plan (null with a
        function that has no `name`, or a query with parameters), the files that were read (with size and time on this
        machine; elsewhere with a version only under `resume`, as asking takes a request), and how far that was (null
        where no run could go on, as behind a `group_by`); no secrets. On a store (``s3://``), where nothing can be
        renamed, that file alone changes in one step: who lists files instead may see old and new ones while an export
        ends. Of two exports into one directory at once, the later fails, as on this machine; a store without
        conditional writes may miss it by moments. Other readers pass over it; polars does where it is given a glob,
        ``out/**/*.parquet``.

        Parameters
        ----------
        path
            A path, a URI of any fsspec scheme, or an open binary file. One that ends in ``/``, or is a directory on
            this machine, becomes a directory of files. Open files, named pipes and ``/dev/stdout`` are written as the
            bytes come: what a run that fails has written to them stays, and a reader who leaves is a `SinkError`.
        compression
            ``"snappy"`` (the default, as in pandas: read everywhere and fast), ``"zstd"`` (smaller),
            ``"gzip"``, ``"lz4"``, ``"brotli"`` or None.
        compression_level
            How hard to compress, where the compression has levels: up to 22 for zstd, 9 for gzip, 12 for lz4, 11 for
            brotli. Default: the compression's own.
        row_group_bytes
            Close a row group at so many bytes of Arrow memory, such as ``"16MB"``; never more than a sixth of the
            option `memory`, nor 1,048,576 rows. Smaller ones let readers skip more, and compress less.
        statistics
            Write the least and the greatest value of each column, by which readers skip row groups; or of those
            named here.
        page_checksums
            Write a checksum of each page, so that a flipped bit is an error on reading and not a value.
        sorting_columns
            Declare by which columns the rows are in order, ``["day", ("fare", "descending")]``, with nulls last. It
            sorts nothing; each row is held against it, as readers skip by what is declared.
        bloom_filters
            Write a Bloom filter of these columns, by which readers skip row groups that do not hold a value; for
            columns of many different values, such as ids. They wait in memory until the file ends, beside
            what `memory` bounds: up to 1 MB for each row group.
        metadata
            Keys and values, both text, to keep in the footer.
        partition_by
            Write a directory with a folder for each value of these columns, ``carrier=AA/part-00000.parquet``, and
            without them in the files. Text, whole numbers, booleans, dates and times; percent-encoded. A value of
            more than 255 bytes goes on in a folder below it, which `read_parquet` and its kind join again. No rows
            make no folder: our readers take the columns from ``_streamframe.json`` then, others find no file.
        max_file_bytes
            Write a directory, and begin a new file before this size, such as ``"256MB"``. Counted is what is on disk:
            an ORC file may have a stripe more, text in bz2 and xz what its compressor holds back, up to a
            megabyte, and Parquet of some 20 kB a part of its footer.
        max_rows_per_file
            Write a directory, and begin a new file after so many rows.
        max_open_files
            How many files are written at once. Folders beyond that wait on disk until the end.
        mode
            What to do with a directory that holds files: ``"error"`` (the default), ``"overwrite"`` all of them
            in one step, or ``"append"`` to them.
        success_marker
            Write an empty file ``_SUCCESS`` as well.
        resume
            Write a directory, and keep beside it what is complete when the run ends early, however it does. The same
            call goes on behind that, and does nothing where all is written (``mode="overwrite"`` writes it again);
            it refuses if the plan, or what it has read, was changed. Without `resume`, an export begins anew, and
            clears what was kept. A file is complete at `max_file_bytes` (here by default an eighth of what others
            have, from 8 to 64 MB, so that little is written again) or `max_rows_per_file`; with `partition_by`, all
            are every 256 MB of rows in memory, and later where there are more than 256 folders. Functions in the plan
            need a `name`. On a store, what is kept can be listed.
        rejects
            Where the records go that cannot be read, for frames read with ``errors="quarantine"``: a file by the
            suffix of Parquet, Arrow, ORC, NDJSON, CSV or TSV, with the columns of `rejects`. New as the target is.
            In CSV, bytes of a record that are no UTF-8 are escaped as Python does; NDJSON has records in base64.
            With `resume`, all that could not be read is in it at the end, whichever run has found it; until then, and
            for a run that goes on later, it is kept in the directory as well, in a folder ``_rejects``.
        storage_options
            What fsspec takes for the scheme.

        Raises
        ------
        StreamError
            Whatever stopped the run; a `SinkError` at the first row that breaks `sorting_columns`. The target is then
            what it was before, and nothing is left beside it.

        Examples
        --------
        >>> import tempfile
        >>> import pyarrow as pa
        >>> import streamframe as sf
        >>> frame = sf.from_batches([pa.record_batch({"carrier": ["AA", "UA", "AA"], "fare": [1, 2, 3]})])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     report = frame.to_parquet(f"{folder}/out/", partition_by="carrier")
        ...     [file.removeprefix(folder) for file in report.files]
        ['/out/carrier=AA/part-00000.parquet', '/out/carrier=UA/part-00000.parquet']
        """
        refuse(foreign, self.to_parquet)
        options = parquet_options(
            row_group_bytes=row_group_bytes,
            statistics=statistics,
            page_checksums=page_checksums,
            sorting_columns=sorting_columns,
            bloom_filters=bloom_filters,
            metadata=metadata,
        )
        encoding = ParquetEncoding(compression, compression_level, options)
        layout = layout_of(
            path,
            storage_options,
            partition_by=partition_by,
            max_file_bytes=max_file_bytes,
            max_rows_per_file=max_rows_per_file,
            max_open_files=max_open_files,
            mode=mode,
            success_marker=success_marker,
            resume=resume,
        )
        return self._export(path, encoding, layout, rejects, storage_options)

    def to_ipc(
        self,
        path: Any,
        *,
        compression: str | None = None,
        stream: bool | None = None,
        partition_by: str | Sequence[str] | None = None,
        max_file_bytes: int | str | None = None,
        max_rows_per_file: int | None = None,
        max_open_files: int = MAX_OPEN_FILES,
        mode: Mode | None = None,
        success_marker: bool = False,
        resume: bool = False,
        rejects: Any = None,
        storage_options: Mapping[str, Any] | None = None,
        **foreign: Any,
    ) -> RunReport:
        """Write all rows to one Arrow IPC file (also called Feather): old or new, never half.

        Record batches of about 4 MiB, at most a sixteenth of the option `memory`.

        Parameters
        ----------
        path
            A path, a URI of any fsspec scheme, an open binary file or a pipe (which cannot be taken back).
        compression
            None (the default: nothing to decode), ``"lz4"`` or ``"zstd"``, of each column inside the file.
        stream
            True writes the stream format, which is read in order only, from a pipe too; False the
            file format. Default: a stream if the path ends in ``.arrows``, as the format's authors have it.
        partition_by, max_file_bytes, max_rows_per_file, max_open_files, mode, success_marker
            Write a directory of files instead; see `to_parquet`.
        rejects
            Where the records go that cannot be read, for frames read with ``errors="quarantine"``: a file by the
            suffix of Parquet, Arrow, ORC, NDJSON, CSV or TSV, with the columns of `rejects`. New as the target is.
            In CSV, bytes of a record that are no UTF-8 are escaped as Python does; NDJSON has records in base64.
        storage_options
            What fsspec takes for the scheme.

        Raises
        ------
        StreamError
            Whatever stopped the run. The target is then what it was before, and nothing is left beside it.
        """
        refuse(foreign, self.to_ipc)
        layout = layout_of(
            path,
            storage_options,
            partition_by=partition_by,
            max_file_bytes=max_file_bytes,
            max_rows_per_file=max_rows_per_file,
            max_open_files=max_open_files,
            mode=mode,
            success_marker=success_marker,
            resume=resume,
        )
        return self._export(path, IpcEncoding(compression, stream), layout, rejects, storage_options)

    def to_orc(
        self,
        path: Any,
        *,
        compression: str | None = "zstd",
        partition_by: str | Sequence[str] | None = None,
        max_file_bytes: int | str | None = None,
        max_rows_per_file: int | None = None,
        max_open_files: int = MAX_OPEN_FILES,
        mode: Mode | None = None,
        success_marker: bool = False,
        resume: bool = False,
        rejects: Any = None,
        storage_options: Mapping[str, Any] | None = None,
        **foreign: Any,
    ) -> RunReport:
        """Write all rows to one ORC file: old or new, never half.

        Stripes are closed at an eighth of the option `memory`, at most 64 MiB. While a file is open, each column takes
        0.4 MB of it (0.2 without compression): where that is more than `memory`, it is a `BudgetError`.

        Parameters
        ----------
        path
            A path, a URI of any fsspec scheme, an open binary file or a pipe (which cannot be taken back).
        compression
            ``"zstd"`` (the default: small and fast), ``"zlib"`` (read everywhere), ``"snappy"``, ``"lz4"`` or None.
        partition_by, max_file_bytes, max_rows_per_file, max_open_files, mode, success_marker
            Write a directory of files instead; see `to_parquet`.
        rejects
            Where the records go that cannot be read, for frames read with ``errors="quarantine"``: a file by the
            suffix of Parquet, Arrow, ORC, NDJSON, CSV or TSV, with the columns of `rejects`. New as the target is.
            In CSV, bytes of a record that are no UTF-8 are escaped as Python does; NDJSON has records in base64.
        storage_options
            What fsspec takes for the scheme.

        Raises
        ------
        StreamError
            Whatever stopped the run. The target is then what it was before, and nothing is left beside it.
        """
        refuse(foreign, self.to_orc)
        layout = layout_of(
            path,
            storage_options,
            partition_by=partition_by,
            max_file_bytes=max_file_bytes,
            max_rows_per_file=max_rows_per_file,
            max_open_files=max_open_files,
            mode=mode,
            success_marker=success_marker,
            resume=resume,
        )
        return self._export(path, OrcEncoding(compression), layout, rejects, storage_options)
