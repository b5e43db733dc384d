"""What a user can say about a Parquet file beside its compression.

Rules: what is wrong whatever the columns are is refused at the call; the names of columns are looked up when they are
known, as the file begins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from streamframe.errors import ColumnNotFoundError, PlanError, SchemaError
from streamframe.options import parse_bytes

# What Arrow and pandas keep in the same place.
_RESERVED_KEYS = ("ARROW:schema", "pandas")
_ORDERS = ("ascending", "descending")


@dataclass(frozen=True)
class ParquetOptions:
    """The options of `to_parquet` that concern one file, checked."""

    row_group_bytes: int | None = None
    statistics: bool | tuple[str, ...] = True
    page_checksums: bool = True
    # Pairs of a column and "ascending" or "descending".
    sorting_columns: tuple[tuple[str, str], ...] = ()
    bloom_filters: tuple[str, ...] = ()
    metadata: tuple[tuple[str, str], ...] = ()

    def has_statistics(self, column: str) -> bool:
        """Whether the bounds of a column are written."""
        return self.statistics if isinstance(self.statistics, bool) else column in self.statistics

    def for_writer(self, schema: pa.Schema) -> dict[str, Any]:
        """Return these options as Arrow's writer spells them."""
        named = [*(name for name, _ in self.sorting_columns), *self.bloom_filters]
        named += self.statistics if isinstance(self.statistics, tuple) else ()
        for name in named:
            if name not in schema.names:
                raise ColumnNotFoundError.among(name, schema.names)
        for argument, names in (("sorting_columns", dict(self.sorting_columns)), ("bloom_filters", self.bloom_filters)):
            for name in names:
                if pa.types.is_nested(schema.field(name).type):
                    raise SchemaError(f"{argument}: column {name!r} is nested", column=name, hint="name a flat column.")
        given: dict[str, Any] = {
            "write_statistics": list(self.statistics) if isinstance(self.statistics, tuple) else self.statistics,
            "write_page_checksum": self.page_checksums,
        }
        if self.sorting_columns:
            given["sorting_columns"] = pq.SortingColumn.from_ordering(schema, list(self.sorting_columns))
        if self.bloom_filters:
            given["bloom_filter_options"] = dict.fromkeys(self.bloom_filters, True)
        return given


def parquet_options(
    *,
    row_group_bytes: int | str | None,
    statistics: bool | Sequence[str],
    page_checksums: bool,
    sorting_columns: str | Sequence[str | tuple[str, str]] | None,
    bloom_filters: str | Sequence[str] | None,
    metadata: Mapping[str, str] | None,
) -> ParquetOptions:
    """Return the options of `to_parquet`, or raise `PlanError` naming the argument."""
    if not isinstance(page_checksums, bool):
        raise PlanError(f"page_checksums needs True or False, got {page_checksums!r}")
    return ParquetOptions(
        None if row_group_bytes is None else parse_bytes(row_group_bytes, name="row_group_bytes"),
        statistics if isinstance(statistics, bool) else _names(statistics, "statistics"),
        page_checksums,
        _ordering(sorting_columns),
        _names(bloom_filters or (), "bloom_filters"),
        _key_values(metadata),
    )


def checked_level(compression: str, level: Any) -> None:
    """Raise `PlanError` if a compression has no such level."""
    if level is None:
        return
    codec = "lz4_raw" if compression == "lz4" else compression
    if codec in ("none", "snappy"):
        raise PlanError(
            f"compression_level: {compression!r} has no levels", hint='such as compression="zstd", compression_level=9.'
        )
    low, high = pa.Codec.minimum_compression_level(codec), pa.Codec.maximum_compression_level(codec)
    if isinstance(level, bool) or not isinstance(level, int) or not low <= level <= high:
        raise PlanError(
            f"compression_level needs a whole number of {low} to {high} for {compression!r}, got {level!r}",
            hint=f"{pa.Codec.default_compression_level(codec)} is the default.",
        )


def _names(given: Any, argument: str) -> tuple[str, ...]:
    names = (given,) if isinstance(given, str) else given
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
        raise PlanError(f"{argument} needs names of columns, got {given!r}", hint=f'such as {argument}=["fare"].')
    return tuple(names)


def _ordering(given: Any) -> tuple[tuple[str, str], ...]:
    keys = [given] if isinstance(given, str) else given or []
    pairs = (
        [(key, "ascending") if isinstance(key, str) else key for key in keys]
        if isinstance(keys, list | tuple)
        else None
    )
    if pairs is None or not all(_is_key(pair) for pair in pairs):
        raise PlanError(
            f"sorting_columns needs names of columns, or pairs with an order, got {given!r}",
            hint='such as sorting_columns=["day", ("fare", "descending")].',
        )
    return tuple((name, order) for name, order in pairs)


def _is_key(pair: Any) -> bool:
    return isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], str) and pair[1] in _ORDERS


def _key_values(metadata: Any) -> tuple[tuple[str, str], ...]:
    if metadata is None:
        return ()
    if not isinstance(metadata, Mapping) or not all(
        isinstance(text, str) for pair in metadata.items() for text in pair
    ):
        raise PlanError(f"metadata needs a mapping of text to text, got {metadata!r}", hint='such as {"owner": "me"}.')
    for key in _RESERVED_KEYS:
        if key in metadata:
            raise PlanError(f"metadata: the key {key!r} belongs to the writer", hint="choose another name.")
    return tuple(metadata.items())
