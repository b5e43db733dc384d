"""What stands between `group_by` and `agg`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NoReturn

from streamframe.errors import PlanError
from streamframe.expr import Expr
from streamframe.plan.node import Node
from streamframe.transforms.aggregates import FUNCTIONS, Aggregate, as_aggregate, refuse_positional
from streamframe.transforms.group_by import GroupBy

if TYPE_CHECKING:
    from streamframe.stream import StreamFrame


class GroupedFrame:
    """A frame and what its rows are grouped by; made by `StreamFrame.group_by`."""

    __slots__ = ("_asking", "_keys")

    def __init__(
        self, keys: tuple[Expr, ...], asking: Callable[[Sequence[Expr], Callable[[Node], Node]], StreamFrame]
    ) -> None:
        self._keys = keys
        self._asking = asking

    def agg(self, *args: object, **results: Aggregate | tuple[str | Expr, str]) -> StreamFrame:
        """Return one row for each group: its keys, then these results, by their names.

        Groups come in the order of their first rows. Reads the whole stream before the first row
        comes out. Holds a row for each group, in a sixteenth of the option `memory`; what is more
        waits on disk, in the folder for temporary files. The result is the same for any number of
        workers, sums of floats included.

        Parameters
        ----------
        **results
            ``("fare", "sum")``, or ``"count"`` (of values that are not null), ``"min"``, ``"max"``,
            ``"mean"``; `sf.count()` counts rows.

        Notes
        -----
        Null is a key like any other, as in SQL and polars; so are NaN, and 0.0, which is -0.0 as
        well. Nulls take no part in a function, and a group of nothing else has the result null, as
        in SQL. NaN takes part in sums and means; a minimum or maximum is NaN only if there is
        nothing else. Sums of integers have 64 bits, and are an error where these do not suffice.

        Raises
        ------
        ColumnNotFoundError, SchemaError
            If a column is missing or of a type that the function cannot take: here where the
            schema is known, otherwise when the plan runs.

        Examples
        --------
        >>> import streamframe as sf
        >>> fares = sf.from_arrow({"zone": ["A", None, "A"], "fare": [1.5, 9.0, None]})
        >>> fares.group_by("zone").agg(n=sf.count(), total=("fare", "sum"), top=("fare", "max")).to_pandas()
          zone  n  total  top
        0    A  2    1.5  1.5
        1  NaN  1    9.0  9.0
        """
        refuse_positional(args)
        if not results:
            raise PlanError("agg needs a result", hint='such as agg(total=("fare", "sum"), n=sf.count()).')
        aggregates = tuple((name, as_aggregate(name, value)) for name, value in results.items())
        operands = [each.operand for _, each in aggregates if each.operand is not None]
        return self._asking([*self._keys, *operands], lambda plan: GroupBy(plan, self._keys, aggregates))

    def __repr__(self) -> str:
        return f"GroupedFrame by {', '.join(map(repr, self._keys)) or 'nothing'}: ends with .agg(...)"

    def __iter__(self) -> NoReturn:
        raise PlanError("groups cannot be iterated over", hint="agg makes one row of each group.")

    if not TYPE_CHECKING:  # a checker would take every misspelled verb for a known one

        def __getitem__(self, column: object) -> NoReturn:
            raise PlanError("group_by takes no columns in brackets", hint=f"write .agg(total=({column!r}, 'sum')).")

        def __getattr__(self, name: str) -> NoReturn:
            known = name if name in FUNCTIONS else "sum"
            raise AttributeError(f'group_by has no {name!r}; here it is .agg(result=("column", "{known}"))')
