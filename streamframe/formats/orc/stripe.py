"""The stripes of an ORC file as blocks.

Rules: Arrow decodes a column of a stripe whole, and no smaller piece. A stripe that is small beside the memory is
decoded at once; of a larger one each column is decoded by itself, and kept on disk, from where its rows come in slices.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa

from streamframe.batch import Mark
from streamframe.errors import DecodeError
from streamframe.formats.limits import Limits
from streamframe.formats.orc.footer import OrcFooter
from streamframe.formats.orc.lengths import require_sound
from streamframe.formats.spilled import SpilledColumns
from streamframe.formats.wording import first_line
from streamframe.io.ranged import RangedFile
from streamframe.plan.source import Block, BlockReader, Decoded

# What a column takes while it grows: the old half of its values is copied.
_GROWING = 2


@dataclass(frozen=True)
class Stripes:
    """How the stripes of one file are decoded."""

    path: str
    label: str
    part: int
    wanted: pa.Schema
    # As in the file; its first column is read where none is wanted, since somebody has to be counted.
    found: pa.Schema
    footer: OrcFooter
    limits: Limits

    @property
    def names(self) -> list[str]:
        """The columns that are read."""
        return list(self.wanted.names or self.found.names[:1])

    @cached_property
    def row_bytes(self) -> dict[str, float]:
        """The bytes of a row once it is decoded, by column."""
        return dict(zip(self.found.names, self.footer.row_bytes, strict=True))

    @cached_property
    def places(self) -> dict[str, int]:
        """Where the columns stand in the file."""
        return {name: place for place, name in enumerate(self.found.names)}

    def weight(self, stripe: int, names: list[str]) -> int:
        """Return the bytes that these columns of a stripe have once they are decoded, as far as the file tells."""
        return int(self.footer.stripe_rows[stripe] * sum(self.row_bytes[name] for name in names))

    def is_whole(self, stripe: int) -> bool:
        """A stripe is decoded at once."""
        return self.weight(stripe, self.names) <= self.limits.whole_bytes

    def held(self, stripe: int) -> int:
        """Return the bytes that are held at most while a stripe is decoded."""
        if self.is_whole(stripe):
            return self.weight(stripe, self.names)
        return _GROWING * max(self.weight(stripe, [name]) for name in self.names)

    def slice_rows(self, stripe: int) -> int:
        """Return how many rows of a stripe are handed out at a time."""
        rows = self.footer.stripe_rows[stripe]
        weight = max(1, self.weight(stripe, self.names))
        return max(1, min(rows, rows * self.limits.slice_bytes // weight))

    def require_within(self, stripe: int, nbytes: int) -> None:
        """Raise `BudgetError` if a stripe has more bytes than the user allows."""
        self.limits.check(nbytes, f"stripe {stripe}", self.label)

    def read(self, stripe: int, names: list[str]) -> pa.RecordBatch:
        """Decode columns of a stripe, and prove that they are sound."""
        try:
            require_sound(self.path, self.footer, stripe, [self.places[name] for name in names])
            data = opened_orc(self.path, self.label).read_stripe(stripe, columns=names)
            data.validate(full=True)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise damaged(self.label, f"stripe {stripe}: {first_line(error)}") from error
        if data.num_rows != self.footer.stripe_rows[stripe]:
            raise damaged(self.label, f"stripe {stripe}: it holds other rows than the footer says")
        return data


class OrcReader(BlockReader):
    """Hands out one block for each stripe; `close` is called when it is closed."""

    def __init__(self, stripes: Stripes, file: RangedFile, close: Callable[[], None]) -> None:
        self._stripes = stripes
        self._file = file
        self._close = close
        self._count = len(stripes.footer.stripe_rows)
        weights = stripes.row_bytes
        share = sum(weights[name] for name in stripes.names) / (sum(weights.values()) or 1.0)
        self._raw_bytes = int(file.size * share / max(1, self._count))
        self._next = 0
        self._blocks: list[_Stripe] = []

    @property
    def bytes_read(self) -> int:
        return self._raw_bytes * self._next if self._file.local_path else self._file.bytes_read

    @property
    def bytes_total(self) -> int | None:
        return self._raw_bytes * self._count if self._file.local_path else self._file.size

    @property
    def retries(self) -> int:
        return self._file.retries

    @property
    def pending(self) -> bool:
        return not all(block.done for block in self._blocks)

    def next_bytes(self) -> int:
        return self._stripes.held(self._next) if self._next < self._count else 0

    def next_block(self) -> Block | None:
        if self._next == self._count:
            return None
        block = _Stripe(self._stripes, self._next)
        self._next += 1
        self._blocks = [*(one for one in self._blocks if not one.done), block]
        return block

    def close(self) -> None:
        self._close()


class _Stripe(Block):
    def __init__(self, stripes: Stripes, index: int) -> None:
        self.nbytes, self.part, self.label = stripes.held(index), stripes.part, stripes.label
        self._stripes = stripes
        self._index = index
        self._spilled: SpilledColumns | None = None
        self.done = False

    def decode(self) -> Decoded:
        try:
            if self._spilled is None:
                self._stripes.require_within(self._index, self._stripes.weight(self._index, self._stripes.names))
                if self._stripes.is_whole(self._index):
                    return self._decoded(self._stripes.read(self._index, self._stripes.names))
                self._spilled = self._spill()
            data = self._spilled.next_slice(self._stripes.wanted)
        finally:
            # What is on disk needs the file no more.
            self.done = True
        return Decoded(data, data.num_rows, more=self._spilled.has_more)

    def mark(self, rows: int) -> Mark:
        return Mark(part=self.part, token=self._index, rows=rows)

    def _decoded(self, data: pa.RecordBatch) -> Decoded:
        columns = [data.column(name) for name in self._stripes.wanted.names]
        if not columns:
            return Decoded(data.select([]), data.num_rows)
        self._stripes.require_within(self._index, data.nbytes)
        return Decoded(pa.RecordBatch.from_arrays(columns, schema=self._stripes.wanted), data.num_rows)

    def _spill(self) -> SpilledColumns:
        stripes, nbytes = self._stripes, 0
        spilled = SpilledColumns(stripes.footer.stripe_rows[self._index], stripes.slice_rows(self._index))
        # The largest first: what it has used, the others use again.
        for name in sorted(stripes.names, key=lambda name: -stripes.weight(self._index, [name])):
            column = stripes.read(self._index, [name]).column(0)
            nbytes += column.nbytes
            stripes.require_within(self._index, nbytes)
            spilled.add(name, column)
            del column  # before the next one is decoded
        return spilled


def opened_orc(path: str, label: str) -> Any:
    """Return Arrow's reader of a local file."""
    try:
        import pyarrow.orc as orc
    except ImportError as error:
        raise DecodeError("this build of pyarrow cannot read ORC", hint="install pyarrow from its wheels.") from error
    try:
        return orc.ORCFile(path)
    except (pa.ArrowException, OSError) as error:
        raise damaged(label, first_line(error)) from error


def damaged(label: str, why: str) -> DecodeError:
    """Return the error for a file that is not ORC, or no longer."""
    if "zoneinfo" in why or "time zone" in why:
        hint = "ORC needs the system's time zones: install the package tzdata, or set TZDIR."
    else:
        hint = "check the path and the suffix; download or write the file again if it was cut short."
    return DecodeError(f"{label} cannot be read as ORC: {why}", source=label, hint=hint)
