"""Read without reading ahead: block by block, when the consumer asks, on the consumer's thread.

For sources that call user code, and for the few rows of a `head`, where whatever is read ahead is
read in vain.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from streamframe.batch import Marked
from streamframe.plan.source import BlockReader
from streamframe.runtime.decoding import Apply, BlockFailed, RowCounts, decoded


def pulled(reader: BlockReader, steps: Sequence[Apply], counts: RowCounts) -> Iterator[Marked]:
    """Yield the batches of a reader, which is closed at the end and when this is."""
    try:
        while (block := reader.next_block()) is not None:
            more = True
            while more:
                made = decoded(block, steps)
                more = made.more
                mark = counts.mark_behind(block, made)
                if made.data.num_rows:
                    yield Marked(made.data, mark)
    except BlockFailed as failed:
        raise counts.located(failed) from failed.error.__cause__
    finally:
        reader.close()
