"""How much of a file of batches is held at once: what becomes a block, what comes in slices, and what is refused."""

from __future__ import annotations

from typing import NamedTuple

from streamframe.errors import BudgetError
from streamframe.plan.quantities import human_bytes

# A batch that is compressed may become so large: a file of 60 KB can hold one of 2 GB.
MAX_BATCH_BYTES = 1 << 30
# Of the 48 blocks that the memory has room for: three such batches may be on their way.
_WHOLE_BLOCKS = 12
_SLICE_BLOCKS = 4
# However little they weigh.
MAX_SLICE_ROWS = 1 << 20
# What compression often saves; a batch does not tell before it is read.
USUAL_RATIO = 4


class Limits(NamedTuple):
    """How large a block shall be, and how large a batch may become that is compressed."""

    block_bytes: int
    batch_bytes: int = MAX_BATCH_BYTES
    # As much as the first rows take, where no more of them are wanted.
    first_bytes: int | None = None

    @property
    def piece_bytes(self) -> int:
        """How much is read at a time."""
        return self.block_bytes if self.first_bytes is None else min(self.block_bytes, self.first_bytes)

    @property
    def whole_bytes(self) -> int:
        """The most that is decoded at once, where it can be decoded in pieces."""
        return _WHOLE_BLOCKS * self.block_bytes

    def large_bytes(self, *, compressed: bool) -> int:
        """Return from which size on a batch that has not been read yet is not decoded at once."""
        return self.whole_bytes // USUAL_RATIO if compressed else self.whole_bytes

    @property
    def slice_bytes(self) -> int:
        """About as much of a larger batch is handed on at a time."""
        return _SLICE_BLOCKS * self.piece_bytes

    def check(self, nbytes: int, what: str, label: str, byte_offset: int | None = None) -> None:
        """Raise `BudgetError` if what is compressed there becomes larger than is allowed."""
        if nbytes > self.batch_bytes:
            raise BudgetError(
                f"{what} has {human_bytes(nbytes)} once it is decompressed; the most that is allowed for one is "
                f"{human_bytes(self.batch_bytes)}",
                source=label,
                byte_offset=byte_offset,
                hint="If they are as large as that, pass max_batch_bytes=, or read fewer columns.",
            )
