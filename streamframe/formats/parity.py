"""Which bytes are inside of quotes, when quotes come in pairs: 64 bytes at once.

After G. Langdale and D. Lemire, "Parsing Gigabytes of JSON per Second" (2019), section 3.1.1: the parity of all quotes
so far is the prefix sum, modulo 2, of their bits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


def inside_of(quotes: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return a bit for each byte, whether the next one is inside of quotes.

    Parameters
    ----------
    quotes : array of uint64
        A bit for each byte, whether it is a quote: bit ``i % 64`` of word ``i // 64`` belongs to byte ``i``.
    """
    import numpy as np

    inside = quotes.copy()
    shifted = np.empty_like(inside)
    for distance in (1, 2, 4, 8, 16, 32):
        np.left_shift(inside, np.uint64(distance), out=shifted)
        np.bitwise_xor(inside, shifted, out=inside)
    odd = np.bitwise_xor.accumulate(inside >> np.uint64(63))
    inside[1:] ^= np.uint64(0) - odd[:-1]  # all bits of a word that starts inside
    return inside
