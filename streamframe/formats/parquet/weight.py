"""What rows weigh that have not been decoded, as far as those tell that have."""

from __future__ import annotations

# Few enough to weigh little, whatever they hold.
FIRST_ROWS = 16
# How many times as many rows are asked for, after a batch that was as light as the ones before. More would
# let more rows in unseen, which may be heavy.
_GROWTH = 2


class RowWeight:
    """What a decoded row weighs, as far as it is known; shared by the row groups of a file.

    Written by the pool and read by the reader thread without a lock: a forecast may be a slice late.
    """

    def __init__(self) -> None:
        self.nbytes = 0.0
        # So many rows at once have been seen to weigh what they should.
        self.trusted_rows: int = FIRST_ROWS

    def learn(self, rows: int, nbytes: int, slice_bytes: int) -> None:
        """Take one batch into account."""
        weight = nbytes / max(1, rows)
        self.nbytes = max(weight, (self.nbytes + weight) / 2)
        fitting = max(1, int(slice_bytes / max(self.nbytes, 1.0)))
        self.trusted_rows = min(fitting, max(self.trusted_rows, rows * _GROWTH))
