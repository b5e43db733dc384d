"""What only the source knows of a row: its file, its number there, and where its record starts.

Rule: nothing is carried along unless somebody asks. Who asks makes the scan add a column, which the
steps between hand on, and which ends in the step that asked.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from functools import reduce
from typing import get_args

import pyarrow as pa
import pyarrow.compute as pc

from streamframe.errors import PlanError
from streamframe.expr import Expr
from streamframe.plan.node import Node
from streamframe.plan.source import SourceFact, fact_column, fact_type


def source(fact: SourceFact = "path") -> Expr:
    """Return where a row comes from, for `with_columns` and `select` on a frame that reads files.

    Parameters
    ----------
    fact
        ``"path"``: the file's path or URI, without secrets. ``"row"``: the row's number in its file,
        from 1 (a header is not counted), as errors count it; then Parquet row groups are not spared,
        since all rows before it are counted. ``"byte_offset"``: where its record starts in the file, as
        errors and rejects tell it: in the decompressed text, as UTF-8 if `encoding` is another. Only
        records of text have such a place: CSV, NDJSON, arrays of JSON, and lines.

    Raises
    ------
    PlanError
        If there is no such fact; and by the verb, if the source cannot tell it, or if a step between
        makes other rows of them, as `group_by`, `concat` and `map_batches` do: ask before it.

    Examples
    --------
    >>> import streamframe as sf
    >>> flights = sf.read_csv("flights-*.csv").with_columns(file=sf.source(), row=sf.source("row"))
    """
    if fact not in get_args(SourceFact):
        raise PlanError(f"source needs 'path', 'row' or 'byte_offset', got {fact!r}")
    name = fact_column(fact)
    text = "source()" if fact == "path" else f"source({fact!r})"
    return Expr(pc.field(name), frozenset([name]), text, name=fact, column=name)


def facts_of(exprs: Iterable[Expr]) -> list[SourceFact]:
    """Return what the expressions ask of the source."""
    used = frozenset[str]().union(*(expr.columns or () for expr in exprs))
    return [fact for fact in get_args(SourceFact) if fact_column(fact) in used]


def telling(plan: Node, facts: Iterable[SourceFact]) -> Node:
    """Return a plan that hands on these facts as columns more.

    Raises
    ------
    PlanError
        If its source cannot tell, or a step would not hand them on.
    """
    return reduce(_telling, facts, plan)


def with_facts(schema: pa.Schema | None, facts: Iterable[SourceFact]) -> pa.Schema | None:
    """Return what comes out of such a plan, where it is known what came out before."""
    return schema and pa.schema([*schema, *((fact_column(fact), fact_type(fact)) for fact in facts)])


def _telling(plan: Node, fact: SourceFact) -> Node:
    above: list[Node] = []
    node = plan
    while node.scan is None:
        carrying = node.carrying(fact_column(fact)) if len(node.inputs) == 1 else None
        if carrying is None:
            raise PlanError(
                f"source({fact!r}) is not known behind {node.describe()}",
                hint=f"ask before that step: .with_columns({fact}=sf.source({fact!r})).",
            )
        above.append(carrying)
        (node,) = node.inputs
    told = node.scan.source.telling(fact)
    if told is None:
        numbered = node.scan.source.telling("row") is not None
        raise PlanError(
            f"source({fact!r}) needs rows of {'text ' * numbered}files, which {node.describe()} does not read",
            hint='the formats that have byte offsets are CSV, NDJSON, JSON and lines; ask for sf.source("row") here.'
            if numbered
            else None,
        )
    scan: Node = dataclasses.replace(node.scan, source=told)
    return reduce(lambda below, step: step.with_inputs(below), reversed(above), scan)
