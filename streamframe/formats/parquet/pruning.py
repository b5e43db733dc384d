"""Which row groups can hold a row that satisfies a predicate, by their statistics.

Rule: a row group is left out only if its statistics prove that no row of it can match. Whenever
that cannot be decided, it is read: the filter itself runs above.
"""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from streamframe.errors import StreamError
from streamframe.expr import Comparison, Expr, bound
from streamframe.formats.parquet.footer import Footer

# By the least value, the greatest one, and the one beside them.
_MAY_MATCH: dict[str, Callable[[int, int, int], bool]] = {
    "equal": lambda least, most, value: least <= value <= most,
    "less": lambda least, most, value: least < value,
    "less_equal": lambda least, most, value: least <= value,
    "greater": lambda least, most, value: most > value,
    "greater_equal": lambda least, most, value: most >= value,
}


def matching_row_groups(footer: Footer, schema: pa.Schema, predicate: Expr) -> list[int]:
    """Return the indices of the row groups that have to be read.

    Raises
    ------
    DecodeError
        If the footer is damaged.
    """
    every = list(range(len(footer.rows)))
    told = [_by_comparison(footer, schema, each.comparison) for each in predicate.conjuncts]
    if all(matching is not None for matching in told):
        return sorted(set(every).intersection(*(matching for matching in told if matching is not None)))
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


def _by_comparison(footer: Footer, schema: pa.Schema, comparison: Comparison | None) -> set[int] | None:
    """Return the row groups in which a whole number may compare as it should; None if that takes Arrow."""
    if comparison is None or comparison.function not in _MAY_MATCH or not comparison.value.is_valid:
        return None
    at = schema.get_field_index(comparison.column)
    if at < 0 or not pa.types.is_signed_integer(schema.field(at).type) or comparison.value.type != pa.int64():
        return None
    bounds = footer.bounds(comparison.column)
    if bounds is None:
        return None
    may_match, value = _MAY_MATCH[comparison.function], comparison.value.as_py()
    return {group for group, each in enumerate(bounds) if each is None or may_match(*each, value)}
