"""Where a run is in its input, in terms that another process can go on from."""

from __future__ import annotations

from streamframe.batch import Mark
from streamframe.engines.steps import in_reading_order, scans_of
from streamframe.errors import PlanError
from streamframe.plan.checkpoint import require_same_lines
from streamframe.plan.context import RunContext
from streamframe.plan.node import Node
from streamframe.plan.source import OpenSource

# What to do where a step, or the source, has no checkpoint.
BEFORE_IT = "take the checkpoint of what comes before it"
OF_A_COPY = "its rows may come once only, or otherwise the next time: write them to Parquet, and go on in that"


class Identities:
    """What the sources of a run were like, part by part, up to any mark.

    Parameters
    ----------
    scan : int
        The scan in which the run starts.
    start : tuple of str
        What was read of it before, by an earlier run.
    before : tuple of tuple of str
        And of each scan before that one.
    """

    def __init__(self, scan: int, start: tuple[str, ...], before: tuple[tuple[str, ...], ...]) -> None:
        self._scan = scan
        self._start = start
        self._before = before
        self._opened: dict[int, OpenSource] = {}
        self._found: dict[int, list[str]] = {}

    def opened(self, scan: int, source: OpenSource) -> None:
        """Take note of a source that is about to be read.

        Raises
        ------
        ResumeError
            If it is not what the earlier run has read.
        """
        self._opened[scan] = source
        if scan == self._scan:
            require_same_lines("source", self._start, self._up_to(scan, len(self._start)))

    def at(self, mark: Mark) -> tuple[str, ...]:
        """Return a line for each part up to the mark."""
        if mark.scan not in self._opened:
            return self._start if mark.scan == self._scan else ()
        return self._up_to(mark.scan, mark.part + 1)

    def before(self, mark: Mark) -> tuple[tuple[str, ...], ...]:
        """Return the lines of each scan before that of the mark."""
        return tuple(map(self._whole, range(mark.scan)))

    def require_same_before(self, plan: Node, context: RunContext) -> None:
        """Raise `ResumeError` if a scan that the earlier run has read to its end would be another one now."""
        for lines, scan in zip(self._before, scans_of(plan), strict=False):
            if any(lines):
                with scan.source.open(context) as opened:
                    require_same_lines("source", lines, tuple(map(opened.identity, range(len(lines)))))

    def known(self) -> tuple[str, ...]:
        """Return a line for each part that was opened so far, in all scans, and by the earlier run; no I/O."""
        found = {scan: dict(source.known_identities()) for scan, source in self._opened.items()}
        found.setdefault(self._scan, {}).update(enumerate(self._start))
        return tuple(parts[part] for _, parts in sorted(found.items()) for part in sorted(parts))

    def _whole(self, scan: int) -> tuple[str, ...]:
        if scan in self._opened:
            return self._up_to(scan, 1 + max(self._opened[scan].known_identities(), default=-1))
        return self._before[scan] if scan < len(self._before) else ()

    def _up_to(self, scan: int, parts: int) -> tuple[str, ...]:
        found, source = self._found.setdefault(scan, []), self._opened[scan]
        found.extend(source.identity(part) for part in range(len(found), parts))
        return tuple(found[:parts])


def plan_lines(plan: Node) -> tuple[str, ...]:
    """Return the steps of a plan, in reading order, with all that tells them apart."""
    return tuple(
        node.describe() if node.scan is None else node.scan.source.fingerprint() for node in in_reading_order(plan)
    )


def is_traceable(plan: Node) -> bool:
    """Tell whether the lines of a plan say all that it does."""
    return all(node.traceable for node in in_reading_order(plan))


def is_resumable(plan: Node) -> bool:
    """Tell whether every step of a plan can go on in the middle."""
    return all(node.resumable for node in in_reading_order(plan))


def require_resumable(plan: Node, instead: str, of_source: str | None = None) -> None:
    """Raise `PlanError` if a step of a plan cannot go on in the middle; the hint says what to do instead.

    What to do instead where it is the source that cannot may be another thing.
    """
    for node in in_reading_order(plan):
        if not node.resumable:
            hint = f"{instead if node.scan is None else of_source or instead}."
            if node.scan is None and not node.blocking:
                hint = f'{instead}; a function can be passed once it has a name: map_batches(fn, name="clean").'
            raise PlanError(f"{node.describe()} cannot be continued in the middle", hint=hint)
