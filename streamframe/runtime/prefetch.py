"""Read ahead of the consumer, within the budget: one reader thread, a pool that decodes.

Rules:
* The reader thread does I/O and cutting only; the pool computes only. Neither waits for the
  other except through the budget and the channel.
* Room is charged before a block is read (a forecast), corrected when it has been read, weighed
  when it is decoded, and released when the consumer comes back for more.
* Steps may make far more of a block than was in it, such as a hundred columns. So the forecast is of what
  becomes of a block, by the blocks before; and where there are such steps, the second waits for the first's weight.
* Stopping is in this order: the channel (the consumer leaves), the budget (the reader stops
  waiting), the source (which frees a stalled read), then the threads are joined. `stop` does all
  but joining and so may be called by a finalizer.
"""

from __future__ import annotations

import atexit
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import pyarrow as pa

from streamframe.batch import Marked, held_bytes
from streamframe.io.stopping import stopping_when
from streamframe.plan.source import Block, BlockReader, Decoded
from streamframe.runtime.budget import Budget, Closed
from streamframe.runtime.channel import Channel
from streamframe.runtime.decoding import Apply, BlockFailed, RowCounts, decoded

WaitingOn = Literal["source", "decode", "consumer"]
# A stalled read that cannot be freed (a hanging network drive) must not hang `close` for ever.
JOIN_TIMEOUT_S = 10.0
# Pages that were given back have to be asked for again: at every quarter of the memory, that took a
# third of the time in which Parquet is decoded.
_GIVE_BACK_S = 1.0
_LESS_GROWTH = 0.9
_AGAIN_S = 0.1

_live: weakref.WeakSet[Prefetch] = weakref.WeakSet()


class Prefetch:
    """One scan under way: blocks are read ahead and decoded in parallel, batches come out in order.

    Parameters
    ----------
    reader : BlockReader
        Where blocks come from; owned from now on.
    steps : sequence of callables
        Rowwise work done on each batch right after decoding, while it is in the cache.
    budget : Budget
        Shared with the rest of the run.
    workers : int
        Threads that decode.
    counts : RowCounts
        How many rows of each part came before, and what cannot be read.
    grows : bool
        Steps may make more of a block than was in it.
    """

    def __init__(
        self,
        reader: BlockReader,
        steps: Sequence[Apply],
        budget: Budget,
        workers: int,
        counts: RowCounts,
        *,
        grows: bool,
    ) -> None:
        self._reader = reader
        self._counts = counts
        self._steps = tuple(steps)
        self._grows = grows
        self._flow = budget.flow()
        self._channel: Channel[tuple[Block, Decoded, int]] = Channel()
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="streamframe-decode")
        self._thread = threading.Thread(target=self._read_ahead, name="streamframe-reader", daemon=True)
        self._stopped = threading.Event()
        # How many times heavier the steps have made a block, at least once; known when one was weighed.
        self._growth = 1.0
        self._weighed = threading.Event()
        self._given_back = time.monotonic()
        _live.add(self)

    @property
    def waiting_on(self) -> WaitingOn | None:
        """What the consumer waits for now; "consumer" if the reader waits for it."""
        return self._channel.waiting_on or ("consumer" if self._flow.waits else None)

    def batches(self) -> Iterator[Marked]:
        """Yield the decoded batches in order. At its end, and when it is closed, the threads are told to stop."""
        self._thread.start()
        counts = self._counts
        held = 0
        try:
            while True:
                self._flow.adjust(-held)
                self._give_back()
                held = 0
                received = self._channel.receive()
                if received is None:
                    return
                block, made, held = received
                while True:
                    mark = counts.mark_behind(block, made)
                    if made.data.num_rows:
                        yield Marked(made.data, mark)
                    if not made.more:
                        break
                    # Here, one part at a time: the pool would hold more than the budget knows of.
                    made = decoded(block, self._steps)
                    weight = held_bytes(made.data)
                    self._flow.adjust(weight - held)
                    held = weight
                # No longer counted from here on.
                del received, block, made
        except BlockFailed as failed:
            raise counts.located(failed) from failed.error.__cause__
        except Closed:
            return
        finally:
            # Not `close`: a generator that is collected ends here too, and finalizers never join.
            self.stop()

    def stop(self) -> None:
        """Tell the threads to stop and free a stalled read; does not wait for them."""
        if self._stopped.is_set():
            return
        self._stopped.set()
        self._weighed.set()
        self._channel.close()
        self._flow.close()
        self._reader.close()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def close(self) -> None:
        """Stop, and wait until the threads are gone."""
        self.stop()
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            until_s = time.monotonic() + JOIN_TIMEOUT_S
            while self._thread.is_alive() and time.monotonic() < until_s:
                self._thread.join(_AGAIN_S)
                # A cancel that comes before the wait has begun frees nobody.
                self._reader.close()
        self._pool.shutdown(wait=True, cancel_futures=True)
        _live.discard(self)

    def _give_back(self) -> None:
        """Return memory that Arrow's allocator keeps, now and then.

        Batches are allocated by the pool's threads and freed on this one, and what is freed
        elsewhere stays with the allocator: a quarter more RSS, over hours. This is for mimalloc and malloc:
        jemalloc gives back by itself after a second, and Arrow 26 asks it in vain (it purges an arena
        of the name ``MALLCTL_ARENAS_ALL``, which should be its number).
        """
        now = time.monotonic()
        if now - self._given_back > _GIVE_BACK_S:
            self._given_back = now
            pa.default_memory_pool().release_unused()

    def _read_ahead(self) -> None:
        # The reader opens one file after another, and cannot close one that it does not have yet.
        with stopping_when(self._stopped.is_set):
            self._read_until_stopped()

    def _read_until_stopped(self) -> None:
        error: BaseException | None = None
        try:
            while not self._stopped.is_set():
                forecast = int(self._reader.next_bytes() * self._growth)
                self._flow.acquire(forecast)
                block = self._reader.next_block()
                if block is None:
                    self._flow.adjust(-forecast)
                    break
                charged = int(block.nbytes * self._growth)
                self._flow.adjust(charged - forecast)
                self._channel.send(self._pool.submit(self._decode, block, charged))
                if self._grows:
                    self._weighed.wait()
        except Closed:
            pass
        except BaseException as raised:
            error = raised
        finally:
            # The source stays open: blocks that are still to be decoded may read from it.
            self._channel.finish(error)

    def _decode(self, block: Block, charged: int) -> tuple[Block, Decoded, int]:
        try:
            made = decoded(block, self._steps)
            rejects = [one.rejects for one in (made, *(one for _, one in made.each)) if one.rejects is not None]
            weight = held_bytes(made.data) + sum(map(held_bytes, rejects))
            # Slowly less: blocks that few rows are left of may be followed by others.
            self._growth = max(1.0, made.growth, _LESS_GROWTH * self._growth)
            self._flow.adjust(weight - charged)
        finally:
            self._weighed.set()
        return block, made, weight


@atexit.register
def _close_all() -> None:
    # Threads that come back from Arrow into an interpreter that is going down abort the process.
    for prefetch in list(_live):
        prefetch.close()
