"""What a process took, with those it started: CPU time, and the peak of memory over where it began."""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path


class ProcessTree:
    """Begins to count when it is made.

    `watched` adds the processes below this one. Their memory is looked at ten times a second, since the sum of
    their peaks would be more than they ever held at once; memory that they share is counted once.
    """

    def __init__(self, *, watched: bool) -> None:
        self._watched = watched
        self._stopped = threading.Event()
        self._base_mb, self._cpu_s = self._held_mb(), self._spent_s()
        self._peak_mb = self._base_mb
        Path("/proc/self/clear_refs").write_text("5")  # VmHWM counts from now on
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        if watched:
            self._watcher.start()

    def stop(self) -> tuple[float, float]:
        """Return CPU seconds, and the peak in MB over the start."""
        spent_s = self._spent_s() - self._cpu_s
        if self._watched:
            self._stopped.set()
            self._watcher.join()
        else:
            self._peak_mb = _status_mb("self", "VmHWM")
        return spent_s, self._peak_mb - self._base_mb

    def _watch(self) -> None:
        while not self._stopped.wait(0.1):
            self._peak_mb = max(self._peak_mb, self._held_mb())

    def _held_mb(self) -> float:
        if not self._watched:
            return _status_mb("self", "VmRSS")
        own, shared = 0.0, 0.0
        for process in self._processes():
            with contextlib.suppress(OSError, LookupError):  # it has ended
                own += _status_mb(process, "RssAnon")
                shared = max(shared, _status_mb(process, "RssShmem"))
        return own + shared

    def _spent_s(self) -> float:
        if not self._watched:
            return time.process_time()
        import psutil

        spent = 0.0
        for process in self._processes():
            with contextlib.suppress(psutil.Error):
                times = psutil.Process(int(process)).cpu_times()
                spent += times.user + times.system
        return spent

    def _processes(self) -> list[str]:
        import psutil

        this = psutil.Process()
        return [str(each.pid) for each in (this, *this.children(recursive=True))]


def _status_mb(process: str, field: str) -> float:
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024 / 1e6
    raise LookupError(field)
