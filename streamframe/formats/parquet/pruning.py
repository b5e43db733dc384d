"""Which row groups can hold a row that satisfies a predicate, by their statistics.

Rule: a row group is left out only if its statistics prove that no row of it can match. Whenever
that cannot be decided, it is read: the filter itself runs above.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

from streamframe.errors import StreamError
from streamframe.expr import Expr, bound
from streamframe.io.ranged import RangedFile


def matching_row_groups(file: RangedFile, metadata: pq.FileMetaData, schema: pa.Schema, predicate: Expr) -> list[int]:
    """Return the indices of the row groups that have to be read."""
    every = list(range(metadata.num_row_groups))
    if len(every) == 0 or not _has_statistics(metadata):
        return every
    import pyarrow.dataset as ds

    sink = pa.BufferOutputStream()
    # The footer alone: Arrow's own comparison of statistics and predicate needs no more than that.
    metadata.write_metadata_file(sink)
    fragment = ds.ParquetFileFormat().make_fragment(pa.BufferReader(sink.getvalue()))
    try:
        kept = fragment.subset(filter=bound(predicate, schema), schema=schema)
    except (pa.ArrowException, StreamError, ValueError, TypeError):
        # A predicate that does not bind is reported by the filter above, with its step.
        return every
    return [group.id for group in kept.row_groups]


def _has_statistics(metadata: pq.FileMetaData) -> bool:
    group = metadata.row_group(0)
    return any(group.column(i).is_stats_set for i in range(group.num_columns))
