"""Python values as Arrow scalars, and as text a person would type.

Rule: a literal keeps its value. Nothing is rounded, wrapped or cut to fit a type; what has no
exact Arrow form is refused.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from streamframe.errors import PlanError
from streamframe.plain_values import plain_scalar

SHOWN_CHARACTERS = 60


def scalar_of(value: object) -> pa.Scalar:
    """Return a value as an Arrow scalar; raise `PlanError` if it is none."""
    if isinstance(value, pa.Scalar):
        return value
    # NaT and NA of pandas, asked for by name: pandas need not be imported for that.
    if type(value).__name__ in ("NaTType", "NAType"):
        return pa.scalar(None)
    if getattr(value, "ndim", 0) or isinstance(value, (pa.Array, pa.ChunkedArray)):
        raise PlanError(
            f"a literal is one value, got a whole {type(value).__name__}",
            hint="to test membership use col('x').is_in(values).",
        )
    try:
        # Asked for None: a scalar of False is false itself.
        if (plain := plain_scalar(value)) is not None:
            return plain
        return _nanosecond_scalar(value) or pa.scalar(value)
    except OverflowError:
        return _unsigned_scalar(value)
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise PlanError(
            f"{literal_text(value)} ({type(value).__name__}) cannot be used as a literal",
            hint="a literal is a number, text, bytes, True/False, None, a date, time, duration or Decimal.",
        ) from error


def literal_expression(scalar: pa.Scalar) -> pc.Expression:
    """Return a literal that takes part in arithmetic with its whole width.

    Arrow shrinks a literal to the narrowest type that holds it, 0.5 to float32, and so turns
    ``int64 * 0.5`` to float32. A cast is left alone, and costs nothing: it is done once a batch.
    """
    if pa.types.is_float64(scalar.type):
        return pc.scalar(scalar).cast(pa.float64())
    return pc.scalar(scalar)


def literal_text(value: object) -> str:
    """Return a value as it is typed, at most `SHOWN_CHARACTERS` long."""
    text = repr(value.as_py()) if isinstance(value, pa.Scalar) else repr(value)
    if len(text) <= SHOWN_CHARACTERS:
        return text
    closing = text[-1] if text[-1] in "'\")]}" else ""
    return f"{text[: SHOWN_CHARACTERS - 1 - len(closing)]}…{closing}"


def list_text(values: Sequence[object]) -> str:
    """Return a list as it is typed, cut to `SHOWN_CHARACTERS` with the number of values left out."""
    shown: list[str] = []
    for index, value in enumerate(values):
        text = literal_text(value)
        if shown and len(", ".join([*shown, text])) > SHOWN_CHARACTERS - len("[, … 1000000 more]"):
            return f"[{', '.join(shown)}, … {len(values) - index} more]"
        shown.append(text)
    return f"[{', '.join(shown)}]"


def _nanosecond_scalar(value: object) -> pa.Scalar | None:
    """Return a pandas time with its nanoseconds, which `pa.scalar` would drop; None for anything else."""
    if getattr(value, "nanosecond", 0):
        zone = getattr(value, "tz", None)
        return pa.array([value.value], pa.timestamp("ns", str(zone) if zone is not None else None))[0]  # type: ignore[attr-defined]
    if getattr(value, "nanoseconds", 0):
        return pa.scalar(value.value, pa.duration("ns"))  # type: ignore[attr-defined]
    return None


def _unsigned_scalar(value: object) -> pa.Scalar:
    try:
        return pa.scalar(value, pa.uint64())
    except (OverflowError, pa.ArrowException, TypeError) as error:
        raise PlanError(f"{literal_text(value)} does not fit into 64 bits", hint="use a float or a Decimal.") from error
