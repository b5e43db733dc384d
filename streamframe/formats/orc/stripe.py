"""The stripes of an ORC file as blocks.

Rules: a stripe that is small beside the memory is decoded at once, in the pool. The rows of a larger one are decoded
some at a time, where they are consumed, from a copy of the stripe on disk: what that takes is there once, not
for each block that waits.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa

from streamframe.batch import Mark
from streamframe.errors import DecodeError, StreamError
from streamframe.formats.limits import Limits
from streamframe.formats.orc.footer import OrcFooter
from streamframe.formats.orc.lengths import require_sound
from streamframe.formats.orc.single import StripeRows
from streamframe.formats.wording import first_line
from streamframe.io.ranged import RangedFile
from streamframe.plan.source import Block, BlockReader, Decoded

# Of a slice: what the library below Arrow made of it, the arrays while they grow, and the one that was handed on.
_SLICES_HELD = 6


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
    # As it is serialized.
    tail: bytes
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
        return _SLICES_HELD * self.limits.slice_bytes

    def slice_rows(self, stripe: int) -> int:
        """Return how many rows of a stripe are handed out at a time."""
        rows = self.footer.stripe_rows[stripe]
        weight = max(1, self.weight(stripe, self.names))
        return max(1, min(rows, rows * self.limits.slice_bytes // weight))

    def require_within(self, stripe: int, nbytes: int) -> None:
        """Raise `BudgetError` if a stripe has more bytes than the user allows."""
        self.limits.check(nbytes, f"stripe {stripe}", self.label)

    def read(self, stripe: int) -> pa.RecordBatch:
        """Decode a stripe, and prove that it is sound."""
        with self._told(stripe):
            self._require_sound(stripe)
            data = opened_orc(self.path, self.label).read_stripe(stripe, columns=self.names)
            data.validate(full=True)
        if data.num_rows != self.footer.stripe_rows[stripe]:
            raise self._other_rows(stripe)
        return pa.RecordBatch.from_arrays([data.column(name) for name in self.names], names=self.names)

    def slices(self, stripe: int) -> Generator[pa.RecordBatch, None, None]:
        """Yield the rows of a stripe in slices, each of which is sound."""
        taken, rows = 0, self.footer.stripe_rows[stripe]
        places = [self.places[name] for name in self.names]
        with self._told(stripe):
            self._require_sound(stripe)
            copy = StripeRows(self.path, self.tail, self.footer, stripe, places, self.slice_rows(stripe))
        try:
            while taken < rows:
                with self._told(stripe):
                    data = next(copy, None)
                    if data is not None:
                        data.validate(full=True)
                if data is None or data.num_rows > rows - taken:
                    raise self._other_rows(stripe)
                taken += data.num_rows
                yield data.rename_columns(self.names)
        finally:
            copy.close()

    def _require_sound(self, stripe: int) -> None:
        require_sound(self.path, self.footer, stripe, [self.places[name] for name in self.names])

    @contextmanager
    def _told(self, stripe: int) -> Iterator[None]:
        """Tell of a stripe what Arrow cannot read."""
        try:
            yield
        except StreamError:
            raise
        except (pa.ArrowException, OSError, ValueError, EOFError) as error:
            raise damaged(self.label, f"stripe {stripe}: {first_line(error)}") from error

    def _other_rows(self, stripe: int) -> DecodeError:
        return damaged(self.label, f"stripe {stripe}: it holds other rows than the footer says")


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
    def file_bytes(self) -> int:
        return self._file.size

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
        for block in self._blocks:
            block.close()
        self._close()


class _Stripe(Block):
    def __init__(self, stripes: Stripes, index: int) -> None:
        self.nbytes, self.part, self.label = stripes.held(index), stripes.part, stripes.label
        self._stripes = stripes
        self._index = index
        self._slices: Generator[pa.RecordBatch, None, None] | None = None
        # Of the slices so far.
        self._rows = self._bytes = 0
        self.done = False

    def decode(self) -> Decoded:
        more = False
        try:
            if self._slices is None:
                stripes = self._stripes
                stripes.require_within(self._index, stripes.weight(self._index, stripes.names))
                if stripes.is_whole(self._index):
                    return self._decoded(stripes.read(self._index))
                self._slices = stripes.slices(self._index)
                more = True
                # None of it here: blocks wait behind each other.
                return Decoded(pa.RecordBatch.from_pylist([], schema=stripes.wanted), 0, more=True)
            made = self._decoded(next(self._slices))
            more = made.more
            return made
        finally:
            self.done = not more

    def mark(self, rows: int) -> Mark:
        return Mark(part=self.part, token=self._index, rows=rows)

    def close(self) -> None:
        """Give the copy of the stripe back, though not all of it was asked for."""
        if self._slices is not None:
            # In the midst of a slice another thread is at it, and comes by at its end.
            with suppress(ValueError):
                self._slices.close()

    def _decoded(self, data: pa.RecordBatch) -> Decoded:
        stripes = self._stripes
        self._rows += data.num_rows
        self._bytes += data.nbytes
        more = self._rows < stripes.footer.stripe_rows[self._index]
        if not stripes.wanted.names:
            return Decoded(data.select([]), data.num_rows, more=more)
        stripes.require_within(self._index, self._bytes)
        return Decoded(pa.RecordBatch.from_arrays(data.columns, schema=stripes.wanted), data.num_rows, more=more)


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
