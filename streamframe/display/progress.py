"""One line that says how far a run is: on stderr, or below a notebook's cell.

Rules: progress never breaks or slows a run. It draws at most ten times a second, starts no
thread, and gives up silently when stderr cannot be written. A run that is over at once
shows nothing in mode "auto": a line that flashes by helps nobody. Where there is no room for all of it,
what the run does is told shorter than how far it is.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self, TextIO

from streamframe.display.cell import CellLine, in_notebook
from streamframe.display.steps import one_line
from streamframe.options import Progress
from streamframe.plan.quantities import human_bytes, human_count, human_rate, human_seconds, human_share
from streamframe.plan.report import RunReport, Stats

_INTERVAL_S = 0.1
# Every update stays in a log file, so there a sign of life is enough.
_LOG_INTERVAL_S = 5.0
# Each is a message to the browser, which may be far away.
_CELL_INTERVAL_S = 0.25
_AUTO_DELAY_S = 0.5
# Of a log file, and of a cell, which wraps what does not fit.
_LOG_WIDTH = 120
_DESCRIPTION_CHARS = 60
_UNCUT = 10_000
# Less of it says nothing.
_LEAST_DESCRIPTION_CHARS = 12


class ProgressLine:
    """A context manager that draws a run's progress in one line.

    Parameters
    ----------
    description
        What the run does, such as ``to_parquet('out.parquet')``, without secrets.
    mode
        ``"auto"`` draws where a person watches: in a terminal, and below a notebook's cell. ``"on"`` always
        draws, on stderr where that is no terminal; ``"off"`` never.

    Examples
    --------
    >>> with ProgressLine("to_parquet('out.parquet')", "off") as line:
    ...     line.due()
    False
    """

    def __init__(self, description: str, mode: Progress = "auto") -> None:
        self._stream: TextIO | None = sys.stderr
        self._is_terminal = _is_terminal(self._stream)
        self._is_cell = in_notebook()
        watched = self._is_terminal or self._is_cell
        self._on = (self._stream is not None or self._is_cell) and (mode == "on" or (mode == "auto" and watched))
        self._interval_s = _CELL_INTERVAL_S if self._is_cell else _INTERVAL_S if self._is_terminal else _LOG_INTERVAL_S
        self._description = one_line(description, _DESCRIPTION_CHARS)
        # What is told of it gets shorter only: the facts would jump to and fro behind it.
        self._room = len(self._description)
        self._delay_s = _AUTO_DELAY_S if mode == "auto" else 0.0
        self._next_draw_s = time.monotonic() + self._delay_s
        self._last: Stats | None = None
        self._bar: Any = None

    def due(self) -> bool:
        """Tell whether `update` would draw now, so that a caller can save itself the snapshot."""
        return self._on and time.monotonic() >= self._next_draw_s

    def update(self, stats: Stats) -> None:
        """Draw a snapshot, unless the last one was drawn just now."""
        if not self._on:
            return
        self._last = stats
        if self.due():
            self._draw_now(self._moving(stats))

    def update_bytes(self, nbytes: int, total: int | None, seconds: float) -> None:
        """Draw how much of a copy is done; ask `due` before."""
        speed = f"{human_bytes(nbytes / seconds)}/s" if seconds else ""
        self._draw_now((_share_done(nbytes, total), speed, _left(nbytes, total, seconds)))

    def _draw_now(self, facts: Iterable[str]) -> None:
        self._next_draw_s = time.monotonic() + self._interval_s
        self._draw(facts)

    def finish(self, report: RunReport) -> None:
        """Draw the receipt of a run that reached its end, and end the line."""
        self._room = len(self._description)
        self._end(self._finished(report))

    def close(self) -> None:
        """End the line as far as the run came. Safe to call twice, and after `finish`."""
        self._end(self._moving(self._last) if self._last is not None else None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _moving(self, stats: Stats) -> Iterable[str]:
        return (
            _share_done(stats.bytes_read, stats.bytes_total),
            f"{human_count(stats.rows)} rows",
            human_rate(stats.rows, stats.seconds),
            _left(stats.bytes_read, stats.bytes_total, stats.seconds),
            f"buffer {human_share(stats.bytes_buffered, stats.limit_bytes)}",
        )

    def _finished(self, report: RunReport) -> Iterable[str]:
        return (
            human_bytes(report.bytes_read),
            f"{human_count(report.rows)} rows",
            human_rate(report.rows - report.kept_rows, report.seconds),
            human_seconds(report.seconds),
            f"peak {human_share(report.peak_bytes, report.limit_bytes)}",
        )

    def _draw(self, facts: Iterable[str], *, refresh: bool = True) -> None:
        told = "  ".join(fact for fact in facts if fact)
        width = self._width()
        self._room = min(self._room, width - len(told) - 2)
        if self._description and self._room >= min(_LEAST_DESCRIPTION_CHARS, len(self._description)):
            told = f"{one_line(self._description, self._room)}  {told}"
        text = one_line(told, max(20, width))
        try:
            if self._bar is None:
                self._bar = CellLine() if self._is_cell else _new_bar(self._stream)
            if not self._is_cell:
                text = _encodable(text, self._stream)
            self._bar.set_description_str(text, refresh=refresh)
        except (OSError, ValueError):
            # stderr is closed, or its reader is gone: the run matters more than the line about it.
            self._on = False
            self._bar = None

    def _width(self) -> int:
        return _columns(self._stream) if self._is_terminal and not self._is_cell else _LOG_WIDTH

    def _end(self, facts: Iterable[str] | None) -> None:
        # A run that ended before its first drawing stays silent, unless the user asked for the line.
        if self._on and facts is not None and (self._bar is not None or self._delay_s == 0):
            self._draw(facts, refresh=False)  # Closing the bar draws it.
        self._on = False
        bar, self._bar = self._bar, None
        if bar is not None:
            with contextlib.suppress(OSError, ValueError):
                bar.close()


def _share_done(nbytes: int, total: int | None) -> str:
    if not total:
        return human_bytes(nbytes)
    # A file may grow while it is read; more than all of it would look like a bug.
    return f"{min(100, 100 * nbytes // total):3d}%  {human_bytes(nbytes)}/{human_bytes(total)}"


def _left(nbytes: int, total: int | None, seconds: float) -> str:
    """Return about how long it takes to the end; empty where nobody knows, or when the end is reached."""
    if not total or not nbytes or not seconds or nbytes >= total:
        return ""
    left_s = max(1, round((total - nbytes) / nbytes * seconds))
    # Below a minute human_seconds has tenths, which would flicker.
    return f"{left_s} s left" if left_s < 60 else f"{human_seconds(left_s)} left"


def _new_bar(stream: TextIO | None) -> Any:
    from tqdm import tqdm

    class Line(tqdm):  # type: ignore[misc, type-arg, unused-ignore]
        # tqdm's own monitor is a thread that outlives the run; set here, not for all users of tqdm.
        monitor_interval = 0
        # tqdm's default lock is one across processes, which may start a helper process (Python 3.14).
        _lock = getattr(tqdm, "_lock", None) or threading.RLock()

    # leave=None: below a bar of the user's own the line goes away at its end, alone it stays.
    # The text is cut already; tqdm would show none of it where a terminal says that it has no rows and columns.
    return Line(file=stream, bar_format="{desc}", leave=None, ncols=_UNCUT, nrows=_UNCUT)


def _encodable(text: str, stream: TextIO | None) -> str:
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)


def _columns(stream: TextIO | None) -> int:
    try:
        columns = os.get_terminal_size(stream.fileno()).columns if stream is not None else 0
    except (OSError, ValueError):
        columns = 0  # It says it is a terminal, but is no file: an IDE's console.
    # The last column stays free: some terminals wrap when it is filled. 0 means: not known.
    return (columns or 80) - 1


def _is_terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except ValueError:
        return False  # It is closed.
