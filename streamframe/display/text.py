"""Plans in plain text: `repr(frame)` and `frame.explain()`.

Rules: no I/O, ever. Facts of the nodes are asked for, never their class. A long plan shows its
two ends, so that a repr stays a glance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from streamframe.display.steps import Layout, Step, known_schema, lay_out, one_line
from streamframe.plan.quantities import plural

if TYPE_CHECKING:
    import pyarrow as pa

    from streamframe.plan.node import Node

LAZY_NOTE = "lazy: nothing is read until you iterate, look (head, count) or export (to_…)"
_MAX_STEPS = 24
_MAX_EXPLAINED_STEPS = 200
_MAX_COLUMNS = 20


def plan_text(node: Node, schema: pa.Schema | None = None) -> str:
    """Return what `repr` of a frame shows: its steps, its columns if known, and that nothing has run.

    Parameters
    ----------
    node
        The last step of the plan.
    schema
        Its output, if an earlier look has shown it; otherwise what the plan itself knows.
    """
    layout = lay_out(node, _MAX_STEPS)
    if layout.total == 1:
        lines = [f"StreamFrame: {layout.head[0].text}"]
    else:
        lines = [f"StreamFrame: {plural(layout.total, 'step')}", *_step_lines(layout)]
    schema = schema if schema is not None else known_schema(node)
    if schema is not None:
        lines.append(f"columns ({len(schema):,}): {_named(schema.names)}")
    lines.append(LAZY_NOTE)
    return "\n".join(lines)


def explain_text(before: Node, after: Node) -> str:
    """Return the plan as written and as it will run: what the scans do, and where each step runs.

    Parameters
    ----------
    before
        The plan as the user typed it.
    after
        The plan that a run would make of it.
    """
    lines = ["as written", *_step_lines(lay_out(before, _MAX_EXPLAINED_STEPS))]
    lines += ["as run", *_step_lines(lay_out(after, _MAX_EXPLAINED_STEPS), where_it_runs)]
    lines.append("nothing has been read for this")
    return "\n".join(lines)


def where_it_runs(node: Node) -> str:
    """Return, in a few words, who does the work of a step and what of it was moved into the scan."""
    if node.scan is not None:
        facts = [one_line(node.scan.pushed())] if node.scan.pushed() else []
        # Looking costs I/O, so until then nobody can tell which columns the source has.
        if node.scan.columns is None and node.scan.source.known_schema is None:
            facts.append("columns that nobody needs are left out once they are known")
        return f"scan: {'; '.join(facts) or 'all columns, all rows'}"
    place = "decode pool" if _runs_in_pool(node) else "your thread"
    if node.prepares and all(_runs_in_pool(child) or child.scan is not None for child in node.inputs):
        place = "decode pool, then your thread"
    return f"{place}, needs all rows first" if node.blocking else place


def _runs_in_pool(node: Node) -> bool:
    # The pool applies steps to a block while it is in cache: so only in an unbroken row above a scan.
    while node.in_pool and len(node.inputs) == 1:
        (node,) = node.inputs
    return node.scan is not None and node.scan.source.threaded


def _step_lines(layout: Layout, note: Callable[[Node], str] | None = None) -> Iterator[str]:
    steps = (*layout.head, *layout.tail)
    digits = len(str(layout.total))
    # Notes stand in a column of their own, but one long step must not push them off the screen.
    width = max(len(_line(step, digits)) for step in steps)
    width = min(width, 60)
    for step in layout.head:
        yield _noted(_line(step, digits), note, step, width)
    if layout.hidden:
        yield f"  … ({plural(layout.hidden, 'step')} more)"
    for step in layout.tail:
        yield _noted(_line(step, digits), note, step, width)


def _line(step: Step, digits: int) -> str:
    return f"  {step.tree}{step.number:>{digits}}. {step.text}"


def _noted(line: str, note: Callable[[Node], str] | None, step: Step, width: int) -> str:
    return line if note is None else f"{line:<{width}}  [{note(step.node)}]"


def _named(names: list[str]) -> str:
    shown = ", ".join(one_line(name, 40) for name in names[:_MAX_COLUMNS])
    return shown + (f", … ({len(names) - _MAX_COLUMNS:,} more)" if len(names) > _MAX_COLUMNS else "")
