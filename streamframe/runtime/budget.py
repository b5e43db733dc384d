"""How many bytes a run holds, and who has to wait for room.

Rules:
* Only the reader waits, and only for room for a block it has not read yet. Re-weighing a block
  that turned out larger, and what a step keeps between batches, never wait: they are counted,
  and the reader then stays behind until the consumer has made room.
* A block that is larger than the whole budget passes alone. "Alone" means that no other block
  is on its way; what steps keep does not count, since they may need more input to let go.
* The reader fills half of the budget. The rest is for what it cannot foresee: blocks turn out
  heavier than foretold, the batch that a sink is just taking over is counted twice for a moment,
  and allocators keep pages. Filling more has made no run faster, and most slower: each page that was
  never used before has to be asked for.
* `Flow.close` releases what a stopped scan still had on its way and wakes its reader, which
  then gets `Closed`.
"""

from __future__ import annotations

import threading


class Closed(Exception):  # noqa: N818 - not an error: the run was stopped, and its owner knows
    """The run was stopped while something waited."""


class Budget:
    """The bytes that one run may hold.

    Parameters
    ----------
    limit_bytes : int
        The number the user has set.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self._read_ahead_bytes = limit_bytes // 2
        self._changed = threading.Condition()
        self._held_bytes = 0
        self._peak_bytes = 0

    @property
    def held_bytes(self) -> int:
        """Bytes held now."""
        return self._held_bytes

    @property
    def peak_bytes(self) -> int:
        """The most bytes held at any moment so far."""
        return self._peak_bytes

    def flow(self) -> Flow:
        """Return an account for the blocks and batches of one scan that are on their way."""
        return Flow(self)

    def hold(self) -> Kept:
        """Return an account for bytes that a step keeps between batches."""
        return Kept(self)

    def _add(self, nbytes: int) -> None:
        self._held_bytes += nbytes
        self._peak_bytes = max(self._peak_bytes, self._held_bytes)
        if nbytes < 0:
            self._changed.notify_all()


class Flow:
    """An account for what is on its way from one scan to its consumer."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._nbytes = 0
        self._closed = False
        self.waits = False

    def acquire(self, nbytes: int) -> None:
        """Wait for room for a block, and charge it.

        Raises
        ------
        Closed
            If the scan is stopped meanwhile.
        """
        budget = self._budget
        with budget._changed:
            self.waits = True
            budget._changed.wait_for(
                lambda: self._closed or self._nbytes == 0 or budget._held_bytes + nbytes <= budget._read_ahead_bytes
            )
            self.waits = False
            if self._closed:
                raise Closed
            self._nbytes += nbytes
            budget._add(nbytes)

    def adjust(self, nbytes: int) -> None:
        """Charge (or, if negative, release) bytes on their way. Never waits."""
        with self._budget._changed:
            if not self._closed:
                self._nbytes += nbytes
                self._budget._add(nbytes)

    def close(self) -> None:
        """Release everything and wake whoever waits, for good."""
        with self._budget._changed:
            if not self._closed:
                self._closed = True
                self._budget._add(-self._nbytes)
                self._budget._changed.notify_all()


class Kept:
    """An account for what one step keeps between batches."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._nbytes = 0

    def resize(self, nbytes: int) -> None:
        """Say how many bytes are kept now. Never waits."""
        with self._budget._changed:
            self._budget._add(nbytes - self._nbytes)
            self._nbytes = nbytes
