"""What the footer of a Parquet file says of its columns, whatever it says of rows: many files may say the same."""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property
from itertools import chain
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from streamframe.schema import without_views


class StoredColumns:
    """The columns as they are stored; a nested one is several, its leaves.

    Parameters
    ----------
    schema : pyarrow.parquet.ParquetSchema
        What the footer says.
    """

    def __init__(self, schema: pq.ParquetSchema) -> None:
        self.schema = schema

    @cached_property
    def arrow(self) -> pa.Schema:
        """Arrow's schema, without what pandas and Parquet have noted in it."""
        return without_views(pa.schema([field.remove_metadata() for field in self.schema.to_arrow_schema()]))

    @cached_property
    def physical_types(self) -> list[str]:
        """That of each leaf."""
        return [self.schema.column(leaf).physical_type for leaf in range(len(self.schema))]

    @cached_property
    def roots(self) -> list[str]:
        """The name of the column that each leaf belongs to."""
        # Not by their paths: a dot may be in a name.
        return [field.name for field in self.schema.to_arrow_schema() for _ in range(_leaves(field.type))]

    def leaf(self, column: str) -> Any | None:
        """Return what the schema says of how a column is stored; None if it is stored as several."""
        leaves = self.leaves(column)
        return leaves[0] if len(leaves) == 1 else None

    def leaves(self, column: str) -> list[Any]:
        """Return what the schema says of all that a column is stored as."""
        return [self.schema.column(leaf) for leaf in self.leaves_of((column,))]

    def leaves_of(self, columns: Collection[str]) -> list[int]:
        """Return the numbers of all leaves of some columns."""
        return sorted(chain.from_iterable(self._places.get(name, ()) for name in frozenset(columns)))

    @cached_property
    def _places(self) -> dict[str, list[int]]:
        # Asked for each of thousands of columns, a look at all roots takes seconds.
        places: dict[str, list[int]] = {}
        for leaf, root in enumerate(self.roots):
            places.setdefault(root, []).append(leaf)
        return places


def _leaves(kind: pa.DataType) -> int:
    """Return how many columns of Parquet hold a column of this type."""
    if isinstance(kind, pa.BaseExtensionType):
        return _leaves(kind.storage_type)
    if pa.types.is_dictionary(kind):
        return _leaves(kind.value_type)
    return sum(_leaves(kind.field(place).type) for place in range(kind.num_fields)) if kind.num_fields else 1
