"""What proves that a task was done: the number of rows and the sum of a column, or the groups."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Answer = tuple[Any, ...]
Does = Callable[[str, str, Callable[[], None]], Answer | None]


def counted(batches: Any, first: Callable[[], None]) -> Answer:
    """Take record batches, and note what proves that they were all there."""
    import pyarrow.compute as pc

    rows = distance = 0
    for batch in batches:
        if not rows:
            first()
        rows += batch.num_rows
        distance += pc.sum(batch.column(batch.schema.get_field_index("distance"))).as_py() or 0
    return rows, distance


def counted_frames(frames: Any, first: Callable[[], None]) -> Answer:
    rows = distance = 0
    for frame in frames:
        if not rows:
            first()
        rows += len(frame)
        distance += int(frame["distance"].sum())
    return rows, distance


def groups(rows: Any) -> Answer:
    """Return groups as they can be compared: sorted, means rounded."""
    return tuple(sorted((key, n, delay, far, round(mean, 6)) for key, n, delay, far, mean in rows))
