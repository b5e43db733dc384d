"""What a person passes to a reader or a verb, checked at the call."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pyarrow as pa

from streamframe.errors import PlanError, did_you_mean
from streamframe.foreign import other_name
from streamframe.schema import parse_dtype


def is_sha256(value: Any) -> bool:
    """Tell whether a value is a SHA-256 as people write it."""
    return isinstance(value, str) and re.fullmatch("[0-9a-fA-F]{64}", value) is not None


def refuse(foreign: Mapping[str, Any], verb: Callable[..., Any]) -> None:
    """Tell what an argument that `verb` does not have, or a misspelled one, is called here."""
    takes = inspect.signature(verb).parameters.values()
    # But for that which takes those that are none.
    known = [each.name for each in takes if each.kind is not each.VAR_KEYWORD]
    for name in foreign:
        ours = other_name(name)
        hint = f"{ours}." if ours else did_you_mean(name, known)
        raise PlanError(f"{verb.__name__} has no argument {name!r}", hint=hint)


def checked_schema(schema: Any, verb: str) -> pa.Schema | None:
    """Return `schema` if it is one, or None; raise `PlanError` on anything else."""
    if schema is not None and not isinstance(schema, pa.Schema):
        raise PlanError(
            f"{verb} needs a pyarrow.Schema as schema=, got {type(schema).__name__}",
            hint='such as pa.schema({"fare": pa.float64()}).',
        )
    return schema


def checked_names(columns: Any) -> list[str]:
    """Return the names in `columns=`, or raise `PlanError`: one text is a name, not a list of letters."""
    names = None if isinstance(columns, str) or not isinstance(columns, Iterable) else list(columns)
    if names is None or not all(isinstance(name, str) for name in names):
        raise PlanError(f"columns needs a list of names, got {columns!r}", hint='such as columns=["fare"].')
    return names


def checked_dtypes(dtype: Any, check: Callable[[str, pa.DataType], None]) -> tuple[tuple[str, pa.DataType], ...]:
    """Return ``dtype=`` as pairs of name and Arrow type, after a `check` of each; else `PlanError`."""
    try:
        pairs = dict(dtype or ())
    except (TypeError, ValueError) as error:
        raise PlanError(
            f"dtype needs a mapping of column names to types, got {dtype!r}", hint='such as dtype={"zip": "string"}.'
        ) from error
    for name in pairs:
        if not isinstance(name, str):
            raise PlanError(f"dtype: {name!r} is no name of a column", hint='such as dtype={"zip": "string"}.')
    parsed = tuple((name, parse_dtype(kind)) for name, kind in pairs.items())
    for name, kind in parsed:
        check(name, kind)
    return parsed
