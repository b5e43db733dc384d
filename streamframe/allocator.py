"""Which of Arrow's allocators is used: imported before anything else of streamframe.

Rule: the user's choice stands. Arrow prefers mimalloc, which keeps what one thread allocates and
another frees, as batches are, and asks again for pages that it has just given back: on files of
300 MB a run under jemalloc holds 75 to 110 MB less, and takes up to a tenth less time. jemalloc keeps
freed pages for a second in each of its arenas, of which it has four for each core: with one for each core
a run holds another 20 to 35 MB less, in the same time (with one for two cores 10 MB less still, and decoding
Parquet takes a tenth more time).
"""

from __future__ import annotations

import os
import sys

_CHOICE = "ARROW_DEFAULT_MEMORY_POOL"
_OPTIONS = "JE_ARROW_MALLOC_CONF"


def choose_allocator() -> None:
    """Import pyarrow so that it allocates with jemalloc, where it has it and nobody chose another."""
    chosen = _CHOICE in os.environ
    one_for_each_core = f"narenas:{os.cpu_count() or 1}"
    wanted = {} if chosen or "pyarrow" in sys.modules else {_CHOICE: "jemalloc", _OPTIONS: one_for_each_core}
    ours = {name: value for name, value in wanted.items() if name not in os.environ}
    # Arrow looks at the environment once, when it is loaded; programs that are started later need not see it.
    os.environ |= ours
    try:
        import pyarrow as pa
    finally:
        for name in ours:
            os.environ.pop(name, None)
    moves = not chosen and pa.default_memory_pool().backend_name == "mimalloc"
    if moves and "jemalloc" in pa.supported_memory_backends():
        # Loaded before, as by pandas: what it allocates for Python can still be moved, if not for Parquet's pages.
        pa.set_memory_pool(pa.jemalloc_memory_pool())


choose_allocator()
