"""Which row groups can hold a row that satisfies a predicate, by their statistics.

Rule: a row group is left out only if its statistics prove that no row of it can match. Whenever
that cannot be decided, it is read: the filter itself runs above.
"""

from __future__ import annotations

import pyarrow as pa

from streamframe.errors import StreamError
from streamframe.expr import Expr, bound
from streamframe.formats.parquet.footer import Footer


def matching_row_groups(footer: Footer, schema: pa.Schema, predicate: Expr) -> list[int]:
    """Return the indices of the row groups that have to be read.

    Raises
    ------
    DecodeError
        If the footer is damaged.
    """
    every = list(range(footer.metadata.num_row_groups))
    if not footer.has_statistics(predicate.columns_in(schema.names)):
        return every
    import pyarrow.dataset as ds

    # The footer alone: Arrow's own comparison of statistics and predicate needs no more than that.
    fragment = ds.ParquetFileFormat().make_fragment(pa.BufferReader(footer.data))
    try:
        kept = fragment.subset(filter=bound(predicate, schema), schema=schema)
    except (pa.ArrowException, StreamError, ValueError, TypeError):
        # A predicate that does not bind is reported by the filter above, with its step.
        return every
    return [group.id for group in kept.row_groups]
