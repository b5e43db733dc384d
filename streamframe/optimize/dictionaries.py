"""Let text stay encoded from the file to the step that groups by it, or to the sink that encodes it again.

Rule: a column comes as a dictionary only where the step or sink at its end takes it so, and each step in between
hands it on without looking at it. What comes out of a plan never depends on it. Works on a plan whose
steps are as written: once narrowed, they can no longer tell their schemas.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from streamframe.plan.node import Node

if TYPE_CHECKING:
    from streamframe.optimize.pushdown import Schemas


def encoded(node: Node, schemas: Schemas, columns: frozenset[str] = frozenset()) -> Node:
    """Return `node` with its scans told what may come as a dictionary; above it, `columns` may."""
    if node.scan is not None:
        return dataclasses.replace(node.scan, dictionaries=columns) if columns else node
    if len(node.inputs) != 1:
        return node.with_inputs(*(encoded(child, schemas) for child in node.inputs))
    (child,) = node.inputs
    schema = schemas.of(child)
    if schema is None:
        return node.with_inputs(encoded(child, schemas))
    taken = node.takes_dictionaries(schema)
    below = taken | {name for name in columns if _hands_on(node, name, schemas)}
    return node.with_dictionaries(taken).with_inputs(encoded(child, schemas, below))


def _hands_on(node: Node, column: str, schemas: Schemas) -> bool:
    """Tell whether a step passes a column on, and needs it for nothing else."""
    if not (node.rowwise and node.passes(column)):
        return False
    made, (read,) = schemas.of(node), map(schemas.of, node.inputs)
    if made is None:
        return False
    used = node.needs(frozenset(made.names) - {column}, read)
    return used is not None and column not in used
