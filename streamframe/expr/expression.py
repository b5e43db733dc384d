"""`Expr`: what a column, a literal or something computed from them is.

Rules: a thin frozen wrapper over `pyarrow.compute.Expression` that also knows which columns it
reads and how a person would type it. No engine of our own: Arrow computes, and whatever Arrow can
compute is reachable by `call`. A bare `pyarrow.compute.Expression` is accepted everywhere.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import pyarrow as pa
import pyarrow.compute as pc

from streamframe.errors import PlanError
from streamframe.expr.datetimes import DatetimeMethods
from streamframe.expr.functions import row_function
from streamframe.expr.literals import literal_expression, literal_text, scalar_of
from streamframe.expr.methods import Methods
from streamframe.expr.operators import Operators
from streamframe.expr.strings import StringMethods
from streamframe.expr.text import ATOM, UNARY

# Inside the class `str` is the namespace of text methods.
Text = str

COMPARISONS = frozenset({"equal", "not_equal", "less", "less_equal", "greater", "greater_equal"})
# Functions whose literals can only be understood once the types of the columns are known.
FITTING = COMPARISONS | {"coalesce", "binary_join_element_wise"}
# Arrow gives up on a decimal beside a literal whole number, which it takes for a decimal of 19 digits.
ARITHMETIC = frozenset({"add_checked", "subtract_checked", "multiply_checked"})
SHOWN_BARE_CHARACTERS = 200


@dataclass(frozen=True, eq=False, repr=False)
class Expr(Operators, Methods):
    """Something to compute for each row; made by `col`, `lit`, operators and methods.

    Attributes
    ----------
    arrow : pyarrow.compute.Expression
        What Arrow computes, as far as it is known without the types of the columns.
    columns : frozenset of str, or None
        The columns that are read; None where only Arrow knows (a bare expression).
    text : str
        As a person would type it.
    name : str or None
        The name of the result: the alias, else that of the left-most column; None without one.
    column : str or None
        The column that this is, untouched (if perhaps renamed); None if anything is computed.
    level : int
        How tightly the text binds, for parentheses.
    literal : pyarrow.Scalar or None
        The value, if this is nothing but a literal.
    recipe : Recipe or None
        How to build this again once the types are known; None where they make no difference.
    both : tuple of Expr
        The two conditions that `&` joins; empty for anything else.
    comparison : Comparison or None
        What this compares, if it is a plain column and a value; None for anything else.
    """

    arrow: pc.Expression
    columns: frozenset[Text] | None
    text: Text
    name: Text | None = None
    column: Text | None = None
    level: int = ATOM
    literal: pa.Scalar | None = None
    recipe: Recipe | None = None
    both: tuple[Expr, ...] = ()
    comparison: Comparison | None = None

    def __repr__(self) -> Text:
        return self.text

    def __bool__(self) -> bool:
        raise PlanError(
            f"{self.text} is computed for each row, so it is neither true nor false here",
            hint="use & | ~ instead of and, or, not, with parentheses: (col('a') > 1) & (col('b') < 2).",
        )

    def columns_in(self, names: Iterable[Text]) -> frozenset[Text]:
        """Return the columns that this reads from an input with these names.

        Exact for what is made of `col`; for a bare `pyarrow.compute.Expression` all names that
        could be meant, since Arrow has no public way to ask.
        """
        if self.columns is not None:
            return self.columns
        printed = Text(self.arrow)
        return frozenset(name for name in names if name in printed)

    @property
    def conjuncts(self) -> tuple[Expr, ...]:
        """The conditions that all hold where this is true, as far as `&` shows them."""
        found: list[Expr] = []
        left = [self]
        while left:
            expr = left.pop()
            if expr.both:
                left.extend(reversed(expr.both))
            else:
                found.append(expr)
        return tuple(found)

    def alias(self, name: Text) -> Self:
        """Name the result."""
        if not isinstance(name, Text):
            raise PlanError(f"alias needs a name, got {name!r}")
        return dataclasses.replace(self, name=name, text=f"{_called(self)}.alias({name!r})", level=ATOM)

    def call(
        self,
        function: Text,
        *others: object,
        options: pc.FunctionOptions | None = None,
        text: Text | None = None,
        level: int = ATOM,
        merges_zeros: bool = False,
    ) -> Expr:
        """Apply any function of `pyarrow.compute` that works row by row, by its name.

        Parameters
        ----------
        function
            Such as ``"bit_wise_and"``; ``pyarrow.compute.list_functions()`` lists them.
        *others
            Further arguments: expressions or literals.
        options
            The function's options object, such as ``pc.RoundOptions(2)``.
        text, level
            How the result reads; by default as a call.
        merges_zeros
            Give the function 0.0 for -0.0. Default False: few go by the bits, in which the two differ.

        Raises
        ------
        PlanError
            If there is no such function, or it needs more than one row at a time.

        Examples
        --------
        >>> from streamframe.expr import col
        >>> col("flags").call("bit_wise_and", 4)
        col('flags').call('bit_wise_and', 4)
        """
        args = (self, *(as_expr(other) for other in others))
        compute = row_function(function)
        wide = [_wide(arg) if function in COMPARISONS else arg.arrow for arg in args]
        try:
            arrow = compute(*wide) if options is None else compute(*wide, options=options)
        except (TypeError, pa.ArrowException) as error:
            raise PlanError(f"pyarrow.compute.{function}: {error}") from error
        recipe = Recipe(function, args, options, merges_zeros)
        columns: frozenset[Text] | None = frozenset()
        for arg in args:
            columns = None if columns is None or arg.columns is None else columns | arg.columns
        if text is None:
            text = f"{_called(self)}.call({', '.join([repr(function), *(arg.text for arg in args[1:])])})"
        return Expr(
            arrow,
            columns,
            text,
            name=next((arg.name for arg in args if arg.name is not None), None),
            level=level,
            recipe=recipe if _depends_on_types(recipe) else None,
            both=args if function == "and_kleene" else (),
            comparison=_comparison(function, args),
        )

    def reading(self, text: Text, level: int = ATOM) -> Expr:
        """Return the same expression under another text."""
        return dataclasses.replace(self, text=text, level=level)

    def method_text(self, method: Text, *arguments: Text) -> Text:
        """Return the text of a method call on this."""
        return f"{_called(self)}.{method}({', '.join(arguments)})"

    @property
    def is_text(self) -> bool:
        """Whether this is a literal text."""
        return self.literal is not None and pa.types.is_string(self.literal.type)

    @property
    def is_adaptable(self) -> bool:
        """Whether this is a literal whose meaning depends on what it stands beside: a text, or a time in a zone."""
        return self.is_text or (self.literal is not None and getattr(self.literal.type, "tz", None) is not None)

    @property
    def is_whole(self) -> bool:
        """Whether this is a literal whole number."""
        return self.literal is not None and self.literal.is_valid and pa.types.is_integer(self.literal.type)

    def _operand(self, value: object) -> Expr:
        return as_expr(value)

    # Last in the class: below here `str` is no longer the type.
    @property
    def dt(self) -> DatetimeMethods:
        """Methods for dates and times."""
        return DatetimeMethods(self)

    @property
    def str(self) -> StringMethods:
        """Methods for text."""
        return StringMethods(self)


class Comparison(NamedTuple):
    """A column beside a value: which function of Arrow compares them."""

    function: str
    column: str
    value: pa.Scalar


@dataclass(frozen=True, eq=False)
class Recipe:
    """A function and its arguments."""

    function: str
    args: tuple[Expr, ...]
    options: pc.FunctionOptions | None
    merges_zeros: bool = False

    @property
    def adapts_literals(self) -> bool:
        """Whether literals among the arguments take the type of what they stand beside."""
        return self.function in FITTING and not all(arg.is_adaptable for arg in self.args)

    @property
    def may_meet_decimals(self) -> bool:
        """Whether a literal whole number stands beside something that may be a decimal."""
        return self.function in ARITHMETIC and any(arg.is_whole for arg in self.args)

    def __reduce__(self) -> tuple[Any, ...]:
        # Arrow's options cannot be pickled, though they have a serial form.
        options = None if self.options is None else self.options.serialize().to_pybytes()
        return _unpickled_recipe, (self.function, self.args, options, self.merges_zeros)


def col(name: str) -> Expr:
    """Return the column of this name.

    Examples
    --------
    >>> from streamframe.expr import col
    >>> col("fare") * 2 > 10
    col('fare') * 2 > 10
    """
    if not isinstance(name, str):
        raise PlanError(f"col needs the name of a column, got {name!r}")
    return Expr(pc.field(name), frozenset([name]), f"col({name!r})", name=name, column=name)


def lit(value: object) -> Expr:
    """Return a value that is the same in every row; a text is that text, not a column.

    An int is int64 and a float is float64, unless it comes as a scalar of numpy or Arrow.
    """
    if isinstance(value, Expr):
        return value
    literal = _literal(value)
    return literal.reading(f"lit({literal.text})")


def as_expr(value: object) -> Expr:
    """Return an `Expr`, a bare `pyarrow.compute.Expression` or a literal as an `Expr`."""
    if isinstance(value, Expr):
        return value
    if isinstance(value, pc.Expression):
        return _bare(value)
    return _literal(value)


def as_column(value: object) -> Expr:
    """Return the same as `as_expr`, but a str is the name of a column."""
    return col(value) if isinstance(value, str) else as_expr(value)


def _literal(value: object) -> Expr:
    scalar = scalar_of(value)
    text = literal_text(value)
    # `-1 ** 2` is not `(-1) ** 2`.
    level = UNARY if text.startswith("-") else ATOM
    return Expr(literal_expression(scalar), frozenset(), text, level=level, literal=scalar)


def _bare(expression: pc.Expression) -> Expr:
    printed = str(expression)
    if expression.equals(pc.field(printed)):
        return col(printed)
    if re.search(r"FieldPath\(\d", printed):
        raise PlanError(
            f"{_shortened(printed)} refers to a column by its position, which changes when columns are left out",
            hint="refer to columns by their names: pc.field('fare').",
        )
    return Expr(expression, None, _shortened(printed))


def _shortened(printed: str) -> str:
    line = " ".join(printed.split())
    return line if len(line) <= SHOWN_BARE_CHARACTERS else f"{line[: SHOWN_BARE_CHARACTERS - 1]}…"


def _called(expr: Expr) -> str:
    """Return the text as it stands before a dot."""
    if expr.literal is not None and not expr.text.startswith("lit("):
        return f"lit({expr.text})"
    return expr.text if expr.level == ATOM else f"({expr.text})"


def _wide(arg: Expr) -> pc.Expression:
    """Return an operand of a comparison; a whole number compares with every kind of number.

    Arrow cannot compare a decimal with a literal integer it has shrunk, nor a uint64 with an int64.
    """
    if arg.literal is not None and arg.literal.type == pa.int64() and arg.literal.is_valid:
        return pc.scalar(arg.literal).cast(pa.uint64() if arg.literal.as_py() >= 0 else pa.int64())
    return arg.arrow


def _comparison(function: str, args: tuple[Expr, ...]) -> Comparison | None:
    if function not in COMPARISONS or args[0].column is None or args[1].literal is None:
        return None
    return Comparison(function, args[0].column, args[1].literal)


def _depends_on_types(recipe: Recipe) -> bool:
    return (
        any(arg.recipe is not None for arg in recipe.args)
        or recipe.merges_zeros
        or recipe.may_meet_decimals
        or (recipe.adapts_literals and any(arg.is_adaptable for arg in recipe.args))
    )


def _unpickled_recipe(function: str, args: tuple[Expr, ...], options: bytes | None, merges_zeros: bool) -> Recipe:
    known = None if options is None else pc.FunctionOptions.deserialize(pa.py_buffer(options))
    return Recipe(function, args, known, merges_zeros)
