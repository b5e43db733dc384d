"""The methods that every expression has, whatever its type.

Rule: null is a missing value and NaN is a number; only `is_null` and its kin see the one, only
`is_nan` the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args

import pyarrow as pa
import pyarrow.compute as pc

from streamframe.errors import PlanError
from streamframe.expr.literals import list_text
from streamframe.schema import dtype_name, parse_dtype

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from streamframe.expr.expression import Expr

ClosedSide = Literal["both", "left", "right", "neither"]


class Methods:
    """The methods of `Expr` that are not operators."""

    if TYPE_CHECKING:
        call: Callable[..., Expr]
        method_text: Callable[..., str]
        _operand: Callable[[object], Expr]

    def is_null(self) -> Expr:
        """Tell whether the value is missing; NaN is not."""
        return self.call("is_null", text=self.method_text("is_null"))

    def is_not_null(self) -> Expr:
        """Tell whether the value is there; NaN is."""
        return self.call("is_valid", text=self.method_text("is_not_null"))

    def is_nan(self) -> Expr:
        """Tell whether a number is NaN; null stays null."""
        return self.call("is_nan", text=self.method_text("is_nan"))

    def fill_null(self, value: object) -> Expr:
        """Put `value`, a literal or an expression, where null is; NaN stays."""
        filler = self._operand(value)
        return self.call("coalesce", filler, text=self.method_text("fill_null", filler.text))

    def is_in(self, values: Iterable[object]) -> Expr:
        """Tell whether the value is one of `values`.

        Never null, as in pandas: a null is in `values` only if there is a None among them. NaN is in them
        where they hold NaN, and 0.0 where they hold -0.0, since the two are equal.
        """
        column = _value_set(values)
        text = self.method_text("is_in", list_text(column.to_pylist()))
        if len(column) == 0:
            # Arrow cannot tell the type of nothing; nothing is in it, whatever the type.
            return (self.is_null() & False).reading(text)
        if pa.types.is_null(column.type):
            return self.is_null().reading(text)
        zeros = _holds_zero(column)
        options = pc.SetLookupOptions(pc.add(column, pa.scalar(0, column.type)) if zeros else column)
        return self.call("is_in", options=options, text=text, merges_zeros=zeros)

    def between(self, low: object, high: object, closed: ClosedSide = "both") -> Expr:
        """Tell whether the value lies between `low` and `high`; `closed` says which ends count as inside."""
        if closed not in get_args(ClosedSide):
            raise PlanError(f"closed={closed!r} is not known", hint='use "both", "left", "right" or "neither".')
        this, lowest, highest = self._operand(self), self._operand(low), self._operand(high)
        above = this >= lowest if closed in ("both", "left") else this > lowest
        below = this <= highest if closed in ("both", "right") else this < highest
        extra = () if closed == "both" else (f"closed={closed!r}",)
        return (above & below).reading(self.method_text("between", lowest.text, highest.text, *extra))

    def cast(self, dtype: object) -> Expr:
        """Change the type.

        A value that does not fit is an error, never null and never another number.

        Parameters
        ----------
        dtype
            A name such as ``"int64"``, a type of pyarrow, pandas or numpy, or a Python type.

        Raises
        ------
        SchemaError
            If there is no such type.
        """
        target = parse_dtype(dtype)
        text = self.method_text("cast", repr(dtype_name(target)))
        return self.call("cast", options=pc.CastOptions(target_type=target), text=text)

    def abs(self) -> Expr:
        """Return the value without its sign."""
        return self.call("abs_checked", text=self.method_text("abs"))

    def round(self, decimals: int = 0) -> Expr:
        """Round to this many decimals; a half goes to the even neighbour, as in numpy."""
        if isinstance(decimals, bool) or not isinstance(decimals, int):
            raise PlanError(f"round needs a whole number of decimals, got {decimals!r}")
        text = self.method_text("round", *([str(decimals)] if decimals else []))
        return self.call("round", options=pc.RoundOptions(decimals), text=text)


def _value_set(values: Any) -> pa.Array:
    if isinstance(values, (str, bytes)) or not hasattr(values, "__iter__"):
        raise PlanError(f"is_in needs a list of values, got {values!r}", hint="write is_in(['JFK', 'LGA']).")
    if isinstance(values, pa.ChunkedArray):
        return values.combine_chunks()
    if isinstance(values, pa.Array):
        return values
    # pandas and numpy know their own types; anything else is taken value by value.
    given = values if hasattr(values, "dtype") else list(values)
    if not hasattr(values, "array"):  # in what is pandas', NaN says that a value is missing
        try:
            return pa.array(given, from_pandas=False)
        except (pa.ArrowException, ValueError, TypeError, OverflowError):
            pass  # perhaps pandas' NA or NaT is among them
    try:
        return pa.array(given, from_pandas=True)
    except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
        raise PlanError(
            f"the values of is_in must be of one type: {error}", hint="make them all numbers, or all texts."
        ) from error


def _holds_zero(values: pa.Array) -> bool:
    number = pa.types.is_integer(values.type) or pa.types.is_float32(values.type) or pa.types.is_float64(values.type)
    return number and bool(pc.any(pc.equal(values, pa.scalar(0, values.type))).as_py())
