"""One line on stderr that says how far a run is.

Rules: progress never breaks or slows a run. It draws at most ten times a second, starts no
thread, and gives up silently when stderr cannot be written. A run that is over at once
shows nothing in mode "auto": a line that flashes by helps nobody.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from types import TracebackType
from typing import Any, Self, TextIO

from streamframe.display.steps import one_line
from streamframe.options import Progress
from streamframe.plan.quantities import human_bytes, human_count, human_rate, human_seconds, human_share
from streamframe.plan.report import RunReport, Stats

_INTERVAL_S = 0.1
# Every update stays in a log file, so there a sign of life is enough.
_LOG_INTERVAL_S = 5.0
_AUTO_DELAY_S = 0.5
_LOG_WIDTH = 120


class ProgressLine:
    """A context manager that draws a run's progress on stderr, in one line.

    Parameters
    ----------
    description
        What the run does, such as ``to_parquet('out.parquet')``, without secrets.
    mode
        ``"auto"`` draws where a person watches a terminal. In a notebook's kernel stderr is no
        terminal, so nothing is drawn there. ``"on"`` always draws, ``"off"`` never.

    Examples
    --------
    >>> with ProgressLine("to_parquet('out.parquet')", "off") as line:
    ...     line.due()
    False
    """

    def __init__(self, description: str, mode: Progress = "auto") -> None:
        self._stream: TextIO | None = sys.stderr
        self._is_terminal = _is_terminal(self._stream)
        self._on = self._stream is not None and (mode == "on" or (mode == "auto" and self._is_terminal))
        self._description = one_line(description, 60)
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
        rate = nbytes / seconds if seconds else 0.0
        left = f"{human_seconds((total - nbytes) / rate)} left" if total and rate else ""
        speed = f"{human_bytes(rate)}/s" if rate else ""
        facts = (self._description, _share_done(nbytes, total), speed, left)
        self._draw_now("  ".join(fact for fact in facts if fact))

    def _draw_now(self, text: str) -> None:
        self._next_draw_s = time.monotonic() + (_INTERVAL_S if self._is_terminal else _LOG_INTERVAL_S)
        self._draw(text)

    def finish(self, report: RunReport) -> None:
        """Draw the receipt of a run that reached its end, and end the line."""
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

    def _moving(self, stats: Stats) -> str:
        done = _share_done(stats.bytes_read, stats.bytes_total)
        held = human_share(stats.bytes_buffered, stats.limit_bytes)
        return self._joined(stats.rows, done, human_rate(stats.rows, stats.seconds), f"buffer {held}")

    def _finished(self, report: RunReport) -> str:
        rate = human_rate(report.rows, report.seconds)
        peak = human_share(report.peak_bytes, report.limit_bytes)
        done = human_bytes(report.bytes_read)
        return self._joined(report.rows, done, rate, human_seconds(report.seconds), f"peak {peak}")

    def _joined(self, rows: int, done: str, *more: str) -> str:
        return "  ".join(fact for fact in (self._description, done, f"{human_count(rows)} rows", *more) if fact)

    def _draw(self, text: str, *, refresh: bool = True) -> None:
        try:
            if self._bar is None:
                self._bar = _new_bar(self._stream)
            self._bar.set_description_str(_fitting(text, self._stream, self._is_terminal), refresh=refresh)
        except (OSError, ValueError):
            # stderr is closed, or its reader is gone: the run matters more than the line about it.
            self._on = False
            self._bar = None

    def _end(self, text: str | None) -> None:
        # A run that ended before its first drawing stays silent, unless the user asked for the line.
        if self._on and text is not None and (self._bar is not None or self._delay_s == 0):
            self._draw(text, refresh=False)  # Closing the bar draws it.
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


def _new_bar(stream: TextIO | None) -> Any:
    from tqdm import tqdm

    class Line(tqdm):  # type: ignore[misc, type-arg, unused-ignore]
        # tqdm's own monitor is a thread that outlives the run; set here, not for all users of tqdm.
        monitor_interval = 0
        # tqdm's default lock is one across processes, which may start a helper process (Python 3.14).
        _lock = getattr(tqdm, "_lock", None) or threading.RLock()

    # leave=None: below a bar of the user's own the line goes away at its end, alone it stays.
    return Line(file=stream, bar_format="{desc}", leave=None)


def _fitting(text: str, stream: TextIO | None, is_terminal: bool) -> str:
    """Return text that the stream can encode and that fits in one row of the terminal."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    width = _columns(stream) if is_terminal else _LOG_WIDTH
    return one_line(text, max(20, width)).encode(encoding, "replace").decode(encoding)


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
