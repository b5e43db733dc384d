"""Which row groups can hold a row that satisfies a predicate, by their statistics.

Rule: a row group is left out only if its statistics prove that no row of it can match. Whenever
that cannot be decided, it is read: the filter itself runs above. Statistics pass over NaN, and so does
Arrow where it compares them: whether a row of NaN can match is asked apart.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import product

import pyarrow as pa
import pyarrow.compute as pc

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

# Each one more asks Arrow twice as often.
_MAX_FLOATS = 4


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

    asked = [schema.field(name) for name in sorted(predicate.columns_in(schema.names))]
    floats = [field for field in asked if pa.types.is_floating(field.type)]
    if len(floats) > _MAX_FLOATS or any(_holds_floats(field.type) for field in asked):
        return every
    kept: set[int] = set()
    try:
        condition = bound(predicate, schema)
        if re.search(r"\bnan\b", str(condition)):
            return every  # beside which Arrow takes a bound for neither less nor greater, and so for equal
        for known in _where_nan(floats):
            # The footer alone: Arrow's own comparison of statistics and predicate needs no more than that.
            fragment = ds.ParquetFileFormat().make_fragment(pa.BufferReader(footer.data), partition_expression=known)
            kept.update(group.id for group in fragment.subset(filter=condition, schema=schema).row_groups)
    except (pa.ArrowException, StreamError, ValueError, TypeError):
        # A predicate that does not bind is reported by the filter above, with its step.
        return every
    return sorted(kept)


def _where_nan(floats: list[pa.Field]) -> Iterator[pc.Expression | None]:
    """Yield what is known of a row: nothing but the statistics, or that some of these columns are NaN."""
    for some in product((False, True), repeat=len(floats)):
        known = None
        for field in (field for field, is_nan in zip(floats, some, strict=True) if is_nan):
            one = pc.field(field.name) == pa.scalar(float("nan"), field.type)
            known = one if known is None else known & one
        yield known


def _holds_floats(kind: pa.DataType) -> bool:
    """Tell whether a nested type has floats somewhere within."""
    inner = [kind.field(at).type for at in range(kind.num_fields)]
    return any(pa.types.is_floating(each) or _holds_floats(each) for each in inner)


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
