"""Which files can hold a row that satisfies a predicate, by the keys in their paths.

Rule: only conditions on keys alone count, and those are computed as the filter above computes them:
one row for each file. A file for which such a condition is not true has no row that passes.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from streamframe.errors import StreamError
from streamframe.expr import Expr, evaluate_mask


def matching_files(partitions: pa.RecordBatch, names: Sequence[str], predicate: Expr) -> list[int]:
    """Return the places of the files that have to be read.

    Parameters
    ----------
    partitions
        The keys, one row for each file.
    names
        All columns there are: what a bare expression of Arrow may mean.
    predicate
        What a row must satisfy.
    """
    kept = set(range(partitions.num_rows))
    for condition in predicate.conjuncts:
        used = condition.columns_in(names)
        if not used or not used <= set(partitions.schema.names):
            continue
        try:
            mask = evaluate_mask(condition, partitions)
        except StreamError:
            continue  # the filter above will tell, with its step
        kept &= {place for place, true in enumerate(mask.to_pylist()) if true}
    return sorted(kept)
