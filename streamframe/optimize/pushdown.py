"""Move columns, predicates and limits down the plan, into the scans.

Rules: ask nodes for their facts, never for their class. What comes out at the top is the same,
row by row (tests hold *optimized == naive* over generated plans). A filter crosses only steps
whose rows depend on themselves alone, and which hand its columns through untouched; so a limit
is a barrier to it. A filter is never removed: what a scan gets is a hint.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import reduce
from operator import and_

import pyarrow as pa

from streamframe.expr import Expr
from streamframe.optimize.dictionaries import encoded
from streamframe.plan.node import Columns, Node, Scan

# Such plans are made by loops; each level takes two or three frames of Python's thousand.
MAX_DEPTH = 250


class Schemas:
    """The output schema of every step of a plan, each worked out once.

    Parameters
    ----------
    sources : mapping of int to pyarrow.Schema
        The schema of each source that is known, by the source's identity.
    trying : bool
        No row has come, so functions of the user are tried on none. Default False: they are not called.
    """

    def __init__(self, sources: Mapping[int, pa.Schema], *, trying: bool = False) -> None:
        self._sources = sources
        self._trying = trying
        # The node is kept beside its schema, so that its identity is not given to another one.
        self._known: dict[int, tuple[Node, pa.Schema | None]] = {}

    def of(self, node: Node) -> pa.Schema | None:
        """Return the output schema of a step; None where only a run can tell.

        Raises
        ------
        ColumnNotFoundError, SchemaError, PlanError
            If a step of the plan cannot work on what comes in.
        """
        if id(node) not in self._known:
            self._known[id(node)] = (node, self._work_out(node))
        return self._known[id(node)][1]

    def trying(self) -> Schemas:
        """Return the same for a run in which no row has come."""
        return Schemas(self._sources, trying=True)

    def _work_out(self, node: Node) -> pa.Schema | None:
        if node.scan is not None:
            found = self._sources.get(id(node.scan.source))
            return None if found is None else node.produces(found)
        inputs = [self.of(child) for child in node.inputs]
        known = [schema for schema in inputs if schema is not None]
        if len(known) < len(inputs):
            return None
        return node.tried(*known) if self._trying else node.produces(*known)


def optimized(plan: Node, schemas: Schemas, dictionaries: frozenset[str] = frozenset()) -> Node:
    """Return a plan with the same result that reads and computes less.

    Whoever takes the rows may be given `dictionaries` as dictionaries of their values. A plan deeper than
    `MAX_DEPTH` is returned as it is: the walks below are recursive.
    """
    if _deeper_than(MAX_DEPTH, plan):
        return plan
    plan = _sink_filters(plan, [], schemas)
    plan = _narrow(encoded(plan, schemas, dictionaries), None, schemas)
    return _limit(plan, None)


def _deeper_than(depth: int, plan: Node) -> bool:
    level = {id(plan): plan}
    for _ in range(depth):
        level = {id(child): child for node in level.values() for child in node.inputs}
        if not level:
            return False
    return True


def _sink_filters(node: Node, above: list[Node], schemas: Schemas) -> Node:
    """Return `node` with the filters of `above` (the lowest first) moved as far down as they may go."""
    if node.predicate is not None:
        (child,) = node.inputs
        return _sink_filters(child, [node, *above], schemas)
    crossing = [step for step in above if _may_cross(step, node, schemas)]
    # Filters keep their order: one that stays holds back those that came after it.
    held = next((i for i, step in enumerate(above) if step not in crossing), len(above))
    crossing, staying = above[:held], above[held:]
    if node.inputs:
        node = node.with_inputs(*(_sink_filters(child, crossing, schemas) for child in node.inputs))
    elif node.scan is not None:
        staying = above
        node = _hinted(node.scan, above)
    return reduce(lambda below, step: step.with_inputs(below), staying, node)


def _may_cross(step: Node, node: Node, schemas: Schemas) -> bool:
    if not node.inputs or not node.rowwise or node.rows == "any":
        return False
    columns = _columns_of(step.predicate, schemas.of(node))
    return columns is not None and all(node.passes(name) for name in columns)


def _columns_of(predicate: Expr | None, schema: pa.Schema | None) -> Columns:
    if predicate is None:
        return None
    if predicate.columns is None and schema is None:
        return None
    return predicate.columns_in(schema.names if schema is not None else ())


def _hinted(scan: Scan, filters: list[Node]) -> Scan:
    predicates = [step.predicate for step in filters if step.predicate is not None]
    return dataclasses.replace(scan, hint=reduce(and_, predicates)) if predicates else scan


def _narrow(node: Node, columns: Columns, schemas: Schemas) -> Node:
    """Return `node` producing at least these columns, and reading no others where it may."""
    scan = node.scan
    if scan is not None:
        schema = schemas.of(scan)
        if columns is None or schema is None or columns >= set(schema.names):
            return scan
        return dataclasses.replace(scan, columns=tuple(name for name in schema.names if name in columns))
    narrowed = []
    known = node.narrowed(columns)
    for child in node.inputs:
        schema = schemas.of(child)
        narrowed.append(_narrow(child, node.needs(columns, schema), schemas))
        known = known if schema is None else known.knowing(schema)
    return known.with_inputs(*narrowed)


def _limit(node: Node, limit: int | None) -> Node:
    """Return `node` with its scans told how many rows suffice."""
    if node.scan is not None:
        return dataclasses.replace(node.scan, limit=limit)
    return node.with_inputs(*(_limit(child, node.rows_wanted(limit)) for child in node.inputs))
