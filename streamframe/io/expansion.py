"""How much more may come out of compressed bytes than went in.

Rule: what comes out passes through bounded memory, so that a ratio protects time and disks. Up to `free_bytes` nothing
is refused, since a small file of equal rows may well be honest; behind them, all that came out so far is held
against all that went in.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from streamframe.errors import BudgetError, PlanError

# Tables shrink to a fifth or a twentieth, logs to a hundredth, one-hot columns by xz to a two-thousandth. Gzip and zip
# end at 1,032, lz4 at 255, and reach them with equal bytes only; zstd comes to 33,000 then, and bz2 to 1.4 million.
MAX_RATIO = 10_000
FREE_BYTES = 1 << 30
# Whoever chooses a ratio does not trust the file, and a small bomb is one too.
CHOSEN_FREE_BYTES = 1 << 20


class Expansion(NamedTuple):
    """The most that is taken out of a compressed stream."""

    ratio: float = MAX_RATIO
    free_bytes: int = FREE_BYTES

    @classmethod
    def of(cls, ratio: float | None) -> Expansion:
        """Return the limits for a ratio that the user chose, or the default ones."""
        return cls() if ratio is None else cls(ratio, CHOSEN_FREE_BYTES)

    def check(self, went_in: int, came_out: int, label: str, codec: str) -> None:
        """Raise `BudgetError` if more came out than is allowed."""
        if came_out > self.free_bytes and came_out > self.ratio * went_in:
            raise BudgetError(
                f"{label}: {came_out:,} bytes came out of {went_in:,} bytes of {codec}, "
                f"{came_out // max(went_in, 1):,} for each; the most that is allowed is {self.ratio:,.12g}",
                source=label,
                byte_offset=came_out,
                hint="it may be a bomb. If it is as it should be, pass a larger max_decompression_ratio=; "
                'float("inf") allows any.',
            )


def checked_ratio(ratio: Any) -> float | None:
    """Return the argument `max_decompression_ratio`; raise `PlanError` if it is no number from 1 on."""
    if ratio is None:
        return None
    is_number = hasattr(ratio, "__float__") and not isinstance(ratio, bool)
    if not is_number or not float(ratio) >= 1 or math.isnan(ratio):
        raise PlanError(
            f"max_decompression_ratio needs a number >= 1, got {ratio!r}",
            hint="how many bytes may come out for each compressed one, such as 1000.",
        )
    return float(ratio)
