"""Rows into the folders that their keys name: ``year=2024/carrier=AA``, as Hive has it.

Rules: a folder is the percent-encoded text of its key, so no value leaves the base, and readers that decode
get the value back. Null has Hive's own name; a text that is spelled so is encoded, and so told from it. A text that is
longer than a name may be goes on in folders below, ``+=…``, which no key is called.
Keys become numbers once for a batch; rows are then sorted by them and taken, never filtered key by key.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streamframe.errors import ColumnNotFoundError, SchemaError
from streamframe.io.location import CONTINUED_KEY, NULL_KEY
from streamframe.plain_values import numbers_of, plain_array

# Of a name in every file system that is in use; and of a path, in most, with room for the folders around.
_NAME_BYTES = 255
_VALUE_BYTES = 2048


class Split(NamedTuple):
    """Which folder each row belongs to."""

    folders: list[str]
    folder_of_row: np.ndarray


class Partitioning:
    """The keys of one export.

    Parameters
    ----------
    schema
        Of the batches.
    keys
        Names of columns, the outermost folder first.

    Raises
    ------
    ColumnNotFoundError
        If there is no such column.
    SchemaError
        If a column's type makes no folder, or none is left to write.
    """

    def __init__(self, schema: pa.Schema, keys: Sequence[str]) -> None:
        for key in keys:
            if schema.get_field_index(key) < 0:
                raise ColumnNotFoundError.among(key, schema.names)
            if not key:
                raise SchemaError("a column without a name cannot name folders", column=key, hint="rename it first.")
            # Readers find the name before the first `=`: only values go on in folders below.
            if len(f"{_encoded(key)}=".encode()) > _NAME_BYTES:
                raise SchemaError(
                    f"the name of column '{key[:40]}…' is longer than the {_NAME_BYTES} bytes of a folder's",
                    column=key,
                    hint="rename it first.",
                )
            _require_text(schema.field(key))
        self._keys = list(keys)
        self._rest = [place for place, name in enumerate(schema.names) if name not in keys]
        if not self._rest:
            raise SchemaError("all columns are in partition_by, so none is left to write", hint="leave one out.")
        self.schema = pa.schema([schema.field(place) for place in self._rest], metadata=schema.metadata)

    def without_keys(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return what the files hold: the folders say the rest."""
        return batch.select(self._rest)

    def split(self, batch: pa.RecordBatch) -> Split:
        """Return the folders, in the order of their first rows.

        Raises
        ------
        SchemaError
            If a value is too long for the name of a folder, or no text says which it is.
        """
        folders = [""]
        codes = np.zeros(batch.num_rows, np.int64)
        for key in self._keys:
            found = _plain(batch.column(key)).dictionary_encode(null_encoding="encode")
            names = [_named(key, text) for text in _texts(key, found.dictionary)]
            if folders == [""]:
                # Numbers without gaps, in the order of their first rows.
                folders, codes = names, numbers_of(found.indices).astype(np.int64)
                continue
            codes = codes * len(names) + numbers_of(found.indices)
            # Compact again, or the product of many keys outgrows a number.
            present, first, codes = np.unique(codes, return_index=True, return_inverse=True)
            order = np.argsort(first)
            rank = np.empty(len(order), np.int64)
            rank[order] = np.arange(len(order))
            codes = rank[codes.reshape(-1)]
            folders = [f"{folders[code // len(names)]}/{names[code % len(names)]}" for code in present[order].tolist()]
        return Split(folders, codes)


def in_groups(rows: pa.RecordBatch, group_of_row: np.ndarray, groups: int) -> tuple[pa.RecordBatch, list[int]]:
    """Return all rows, those of a group behind one another in their order, and where each group ends."""
    ends: list[int] = np.cumsum(np.bincount(group_of_row, minlength=groups)).tolist()
    # Numbers of 16 bits are sorted by counting them.
    group_of_row = group_of_row.astype(np.uint16) if groups < 1 << 16 else group_of_row
    return _taken(rows, np.argsort(group_of_row, kind="stable")), ends


def _taken(rows: pa.RecordBatch, places: np.ndarray) -> pa.RecordBatch:
    try:
        return rows.take(plain_array(places))
    except pa.ArrowNotImplementedError:  # of text views, say: there are only runs of neighbours
        runs = np.split(places, np.flatnonzero(np.diff(places) != 1) + 1)
        return pa.concat_batches([rows.slice(run[0], len(run)) for run in runs if len(run)] or [rows.slice(0, 0)])


def _named(key: str, text: str | None) -> str:
    name = f"{_encoded(key)}={NULL_KEY if text is None else _encoded(text).replace(NULL_KEY, '%5F' + NULL_KEY[1:])}"
    size = len(name.encode())
    if size <= _NAME_BYTES:
        return name
    if size > _VALUE_BYTES:
        raise SchemaError(
            f"a value of column {key!r} would name folders with {size:,} bytes, and {_VALUE_BYTES:,} are the most: "
            f"{str(text)[:40]!r}…",
            column=key,
            hint="partition by something shorter, such as the first letters, and keep this column in the files.",
        )
    folders = [""]
    for letter in name:
        if len((folders[-1] + letter).encode()) > _NAME_BYTES:
            folders.append(CONTINUED_KEY)
        folders[-1] += letter
    return "/".join(folders)


def _encoded(text: str) -> str:
    # Letters of any script stay, so that folders can be read.
    return text if text.isalnum() else re.sub(r"[^\w.\-]", lambda found: quote(found[0], safe=""), text)


def _require_text(field: pa.Field) -> None:
    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    tests = (
        pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_integer,
        pa.types.is_boolean, pa.types.is_date, pa.types.is_timestamp, pa.types.is_null,
    )  # fmt: skip
    if not any(test(kind) for test in tests):
        raise SchemaError(
            f"column {field.name!r} of type {field.type} cannot name folders",
            column=field.name,
            hint="partition by text, whole numbers, booleans, dates or times; cast it first.",
        )


def _plain(column: pa.Array) -> pa.Array:
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _texts(key: str, values: pa.Array) -> list[str | None]:
    if pa.types.is_null(values.type):
        return [None] * len(values)
    texts = pc.cast(values, pa.string())
    if pa.types.is_timestamp(values.type):
        texts = pc.replace_substring(texts, " ", "T")
    if pa.types.is_temporal(values.type) and not _is_read_as(texts, values):
        # Of years beyond four digits, Arrow makes what it cannot read, another year, or one text for several.
        wrong = (at for at in range(len(texts)) if not _is_read_as(texts.slice(at, 1), values.slice(at, 1)))
        text = texts[next(wrong)].as_py()
        raise SchemaError(
            f"a value of column {key!r} would name a folder {text!r}, which is not read as the {values.type} it is",
            column=key,
            hint="folders hold the years 0000 to 9999; cast it to a whole number first.",
        )
    found: list[str | None] = texts.to_pylist()
    return found


def _is_read_as(texts: pa.Array, values: pa.Array) -> bool:
    try:
        return bool(texts.cast(values.type).equals(values))
    except pa.ArrowInvalid:
        return False
