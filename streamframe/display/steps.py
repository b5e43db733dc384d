"""A plan laid out as numbered lines in reading order, sources first.

Rules: nothing here reads data, calls a user's function or raises: a repr must always come out.
A plan may be thousands of steps deep (made in a loop) or share its inputs (a frame concatenated
with itself, again and again), so every walk has its own stack and visits a shared node once or
stops at a count; recursion would overflow, and a full walk might never end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import pyarrow as pa

from streamframe.errors import StreamError
from streamframe.plan.report import printable

if TYPE_CHECKING:
    from streamframe.plan.node import Node

_MAX_TREE_CHARS = 16
_MAX_TEXT_CHARS = 160


@dataclass(frozen=True)
class Step:
    """One line of a plan.

    Attributes
    ----------
    number : int
        Counted from 1, in the order of reading.
    tree : str
        The lines that connect the inputs of a step that has several.
    text : str
        The step as a person would type it; one printable line of bounded length.
    node : Node
        What is shown.
    """

    number: int
    tree: str
    text: str
    node: Node


@dataclass(frozen=True)
class Layout:
    """The lines of a plan: `head`, then `hidden` steps that are left out, then `tail`."""

    head: tuple[Step, ...]
    hidden: int
    tail: tuple[Step, ...]

    @property
    def total(self) -> int:
        """How many steps the plan has."""
        return len(self.head) + self.hidden + len(self.tail)


def lay_out(node: Node, max_steps: int) -> Layout:
    """Return the plan's steps in reading order; of a long plan, its two ends."""
    total = _count(node)
    if total <= max_steps:
        return Layout(_numbered(_lines(node), 1, 1), 0, ())
    half = max_steps // 2
    head = _numbered(islice(_lines(node), half), 1, 1)
    tail = _numbered(islice(_lines(node, backward=True), half), total, -1)
    return Layout(head, total - 2 * half, tail[::-1])


def known_schema(node: Node) -> pa.Schema | None:
    """Return the schema of the plan's output, where it is known without I/O."""
    schemas: dict[int, pa.Schema | None] = {}
    for step in _inputs_first(node):
        scan = step.scan
        inputs = [scan.source.known_schema] if scan else [schemas[id(each)] for each in step.inputs]
        try:
            schemas[id(step)] = step.produces(*inputs) if None not in inputs else None
        except (StreamError, pa.ArrowException):
            # The plan cannot work. A run will say so, and why; a repr must not fail.
            schemas[id(step)] = None
    return schemas[id(node)]


def one_line(text: str, max_chars: int = _MAX_TEXT_CHARS) -> str:
    """Return text without line ends and terminal escapes, cut to `max_chars`."""
    text = printable(text[: max_chars + 1])
    return text if len(text) <= max_chars else text[: max_chars - 1] + "…"


def _numbered(lines: Iterator[tuple[str, Node]], start: int, by: int) -> tuple[Step, ...]:
    return tuple(
        Step(start + by * index, _short_tree(tree), one_line(node.describe()), node)
        for index, (tree, node) in enumerate(lines)
    )


def _lines(node: Node, *, backward: bool = False) -> Iterator[tuple[str, Node]]:
    """Yield each step with its tree lines, lazily: sources first, or the last step first."""
    # Entries: (tree of a chain's first line, tree of its other lines, node); the last item
    # tells whether the node stands for itself or for the chain of steps that ends in it.
    stack: list[tuple[str, str, Node, bool]] = [("", "", node, True)]
    while stack:
        first, rest, node, is_chain = stack.pop()
        if not is_chain:
            yield first, node
            continue
        lines = list(_chain(first, rest, node))
        stack.extend(lines if backward else reversed(lines))


def _chain(first: str, rest: str, node: Node) -> Iterator[tuple[str, str, Node, bool]]:
    steps = [node]
    while len(steps[-1].inputs) == 1:
        steps.append(steps[-1].inputs[0])
    bottom = steps.pop()
    if bottom.inputs:
        yield first + "┌ ", rest + "│ ", bottom.inputs[0], True
        for each in bottom.inputs[1:]:
            yield rest + "├ ", rest + "│ ", each, True
        yield rest + "└ ", "", bottom, False
        rest += "  "
    else:
        yield first, "", bottom, False
    for step in reversed(steps):
        yield rest, "", step, False


def _short_tree(tree: str) -> str:
    return tree if len(tree) <= _MAX_TREE_CHARS else "… " + tree[2 - _MAX_TREE_CHARS :]


def _count(node: Node) -> int:
    counts: dict[int, int] = {}
    for step in _inputs_first(node):
        counts[id(step)] = 1 + sum(counts[id(each)] for each in step.inputs)
    return counts[id(node)]


def _inputs_first(node: Node) -> Iterator[Node]:
    """Yield every distinct node once, after its inputs."""
    seen: set[int] = set()
    stack = [(node, False)]
    while stack:
        step, inputs_done = stack.pop()
        if inputs_done:
            yield step
        elif id(step) not in seen:
            seen.add(id(step))
            stack.append((step, True))
            stack.extend((each, False) for each in reversed(step.inputs))
