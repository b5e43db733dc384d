"""Arrow's errors about expressions, in our words.

Rule: what the types forbid is a `SchemaError`, before a row is read; what a value forbids is a
`DecodeError`.
"""

from __future__ import annotations

import re

import pyarrow as pa

from streamframe.errors import ColumnNotFoundError, DecodeError, SchemaError
from streamframe.expr.expression import COMPARISONS, Expr

_VERBS = {
    "add_checked": "cannot add {0} and {1}",
    "subtract_checked": "cannot subtract {1} from {0}",
    "multiply_checked": "cannot multiply {0} and {1}",
    "divide": "cannot divide {0} by {1}",
    "divide_checked": "cannot divide {0} by {1}",
    "and_kleene": "cannot use & between {0} and {1}",
    "or_kleene": "cannot use | between {0} and {1}",
    "xor": "cannot use ^ between {0} and {1}",
}


def require_column(name: str, schema: pa.Schema) -> None:
    """Raise if there is not exactly one column of this name."""
    if schema.get_field_index(name) >= 0:
        return
    if name in schema.names:
        raise SchemaError(f"there is more than one column named {name!r}", column=name, hint="rename one of them.")
    raise ColumnNotFoundError.among(name, schema.names)


def as_column_error(error: Exception, schema: pa.Schema) -> ColumnNotFoundError | None:
    """Return the error for a missing column, if that is what Arrow means."""
    found = re.match(r"No match for FieldRef\.Name\((.*?)\) in ", str(error), re.DOTALL)
    return ColumnNotFoundError.among(found[1], schema.names) if found else None


def as_schema_error(error: Exception, expr: Expr, schema: pa.Schema) -> SchemaError:
    """Return the error for types that do not go together."""
    reason = _first_line(error)
    found = re.search(r"Function '(\w+)' has no kernel matching input types \((.*)\)", reason)
    types = _split_types(found[2]) if found else []
    if found:
        reason = _no_kernel(found[1], types)
    used = sorted(expr.columns_in(schema.names))
    shown = "; ".join(f"{name!r} is {schema.field(name).type}" for name in used if name in schema.names)
    return SchemaError(
        f"{reason} in {expr.text}" + (f"; column {shown}" if shown else ""),
        column=used[0] if len(used) == 1 else None,
        hint=_type_hint(found[1] if found else "", types),
    )


def as_decode_error(error: Exception, expr: Expr, schema: pa.Schema) -> DecodeError:
    """Return the error for a value that cannot be computed."""
    reason = _first_line(error)
    used = sorted(expr.columns_in(schema.names))
    return DecodeError(
        f"cannot compute {expr.text}: {reason}",
        column=used[0] if len(used) == 1 else None,
        hint=_value_hint(reason),
    )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [repr(error)])[0]


def _no_kernel(function: str, types: list[str]) -> str:
    if len(types) == 2 and function in COMPARISONS:
        return f"cannot compare {types[0]} with {types[1]}"
    if len(types) == 2 and function in _VERBS:
        return _VERBS[function].format(*types)
    return f"{function} does not take {', '.join(types)}"


def _split_types(listed: str) -> list[str]:
    """Return the types of a list such as ``"decimal128(10, 2), string"``."""
    types: list[str] = []
    depth = 0
    for piece in re.split(r"(, )", listed):
        if piece == ", " and depth == 0:
            continue
        if depth:
            types[-1] += piece
        else:
            types.append(piece)
        depth += sum(piece.count(mark) for mark in "([<") - sum(piece.count(mark) for mark in ")]>")
    return types


def _type_hint(function: str, types: list[str]) -> str:
    if any(name.startswith("dictionary") for name in types):
        return "cast a category to its values first: .cast('string')."
    if any("tz=" in name for name in types) and any(
        name.startswith("timestamp") and "tz=" not in name for name in types
    ):
        return "one time has a zone and the other has none: give the literal a tzinfo, or use .dt.tz_localize('UTC')."
    if function == "add_checked" and any("string" in name for name in types):
        return "join texts with .str.concat(), or cast them to numbers first."
    return "cast one side first, such as col('x').cast('float64')."


def _value_hint(reason: str) -> str:
    if "divide by zero" in reason:
        return "make such divisors null: when(col('x') != 0).then(col('x'))."
    if "overflow" in reason or "not in range" in reason or "not fit" in reason:
        return "cast to a wider type first, such as col('x').cast('float64')."
    return "filter such rows out first, or clean the values."
