"""The functions of `pyarrow.compute` that can be part of an expression.

Rule: a row's result depends on that row alone. What needs a whole column would give another
result for each way of cutting the stream into batches.
"""

from __future__ import annotations

from typing import Any

import pyarrow.compute as pc

from streamframe.errors import PlanError, did_you_mean


def row_function(name: str) -> Any:
    """Return the function of this name, which takes expressions; raise `PlanError` if there is none."""
    known = pc.list_functions()
    if name not in known:
        raise PlanError(f"pyarrow.compute has no function {name!r}", hint=did_you_mean(name, known))
    # The one function that works row by row though Arrow counts it among those that do not.
    if name == "cast":
        return lambda expr, *, options: expr.cast(options=options)
    if pc.get_function(name).kind != "scalar":
        raise PlanError(
            f"{name!r} needs more than one row at a time, so it cannot be an expression",
            hint="an expression computes each row by itself; use map_batches to work on whole batches.",
        )
    return getattr(pc, name)
