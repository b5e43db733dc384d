"""The verbs that write files of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from streamframe.exports.base import Exporting
from streamframe.formats.csv import CsvEncoding, CsvStyle, Quoting
from streamframe.formats.ndjson import NdjsonEncoding
from streamframe.io.atomic_directory import Mode
from streamframe.io.compressing import checked_level
from streamframe.plan.arguments import refuse
from streamframe.plan.report import RunReport
from streamframe.sinks.by_suffix import usual_sep
from streamframe.sinks.layout import MAX_OPEN_FILES, Layout, layout_of


class TextExports(Exporting):
    """The part of `StreamFrame` that writes CSV and NDJSON."""

    __slots__ = ()

    def to_csv(
        self,
        path: Any,
        *,
        header: bool = True,
        sep: str | None = None,
        quoting: Quoting = "needed",
        quotechar: str = '"',
        line_terminator: str = "\n",
        na_rep: str = "",
        formula_guard: bool = False,
        encoding: str = "utf-8",
        compression: str | None = "infer",
        compression_level: int | None = None,
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
        r"""Write all rows to one CSV file: old or new, never half.

        By default nulls and empty texts come back as what they were, as text is in quotes and a null is nothing.

        Parameters
        ----------
        path
            A path, a URI of any fsspec scheme, an open binary file or a pipe (which cannot be taken back).
        header
            Write the column names first.
        sep
            Between fields. Default: a comma; a tab where the file is a ``.tsv``, as `read` takes it.
        quoting
            ``"needed"`` puts text in quotes and nothing else; ``"all"`` all values but nulls. ``"none"`` writes no
            quotes: null and empty text look alike then, and text with a separator, quote or line end is refused.
        quotechar
            Around a value; two of them stand for one inside it. Another than ``"`` takes longer to write.
        line_terminator
            ``"\n"``, or ``"\r\n"`` as RFC 4180 has it. Line ends inside of values stay what they are.
        na_rep
            How a null is spelled. Default: nothing; ``NA`` where it is alone in its line, as an empty line is no row.
            Readers need to be told (`na_values`) what they do not know.
        formula_guard
            Put an apostrophe before texts and column names that begin with ``= + - @``, a tab or a carriage return,
            which spreadsheets would compute: for files that hold what strangers typed. This changes data.
        encoding
            ``"utf-8"``, or ``"utf-8-sig"``, whose mark makes Excel read it as UTF-8.
        compression
            ``"infer"`` goes by the suffix (``out.csv.gz``); or ``"gzip"``, ``"zstd"``, ``"bz2"``, ``"xz"``, ``"lz4"``.
            None writes the text as it is.
        compression_level
            How hard to compress: up to 9 for gzip, bz2 and xz, 22 for zstd, 12 for lz4. The highest keep hundreds of
            megabytes, which count as `memory` and are refused beyond it: 700 for xz at 9, 840 for zstd at 22.
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
        refuse(foreign, self.to_csv)
        sep = usual_sep(path) if sep is None else sep
        style = CsvStyle(sep, quoting, quotechar, line_terminator, na_rep, formula_guard, encoding)
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
        _check_level(path, compression, compression_level, layout)
        spelled = CsvEncoding(header, style, compression, compression_level)
        return self._export(path, spelled, layout, rejects, storage_options)

    def to_ndjson(
        self,
        path: Any,
        *,
        compression: str | None = "infer",
        compression_level: int | None = None,
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
        """Write all rows to one NDJSON file, an object in each line: old or new, never half.

        Times are ISO 8601 (those with a zone in UTC), durations numbers in their unit, decimals
        text (readers would round them), bytes base64, maps objects; NaN and infinities are null.

        Parameters
        ----------
        path
            A path, a URI of any fsspec scheme, an open binary file or a pipe (which cannot be taken back).
        compression
            ``"infer"`` goes by the suffix (``out.ndjson.gz``); or ``"gzip"``, ``"zstd"``, ``"bz2"``, ``"xz"``,
            ``"lz4"``. None writes the text as it is.
        compression_level
            How hard to compress; see `to_csv`.
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
        refuse(foreign, self.to_ndjson)
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
        _check_level(path, compression, compression_level, layout)
        return self._export(path, NdjsonEncoding(compression, compression_level), layout, rejects, storage_options)


def _check_level(path: Any, compression: str | None, level: Any, layout: Layout | None) -> None:
    # Files in a directory get their names from us, and no suffix of a compression that was not asked for.
    checked_level(compression, "" if layout is not None else str(getattr(path, "name", path)), level)
