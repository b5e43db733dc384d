"""One text file as blocks: the reader thread cuts them, the pool decodes them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa

from streamframe.batch import Mark, held_bytes
from streamframe.errors import DecodeError, SchemaError
from streamframe.formats.base import OpenFile
from streamframe.formats.late_values import unfit_columns
from streamframe.formats.records import Piece, Records, joined_lines
from streamframe.formats.rejects import Errors, Salvaged
from streamframe.plan.context import RunContext
from streamframe.plan.report import Completeness
from streamframe.plan.source import Block, BlockReader, Decoded, Joined, fact_column, fact_type
from streamframe.schema import check_columns

if TYPE_CHECKING:
    from streamframe.plan.node import Scan

# With a small limit, blocks stay small: what is decoded beyond it is thrown away.
_BYTES_PER_WANTED_ROW = 1024


class Decoding(Protocol):
    """How the pieces of one file become batches."""

    @property
    def schema(self) -> pa.Schema:
        """The columns that are wanted, with their types, in the order wanted."""
        ...

    @property
    def errors(self) -> Errors:
        """What a record does that cannot be read."""
        ...

    @property
    def encoding(self) -> str:
        """What the text was written in; here it is UTF-8."""
        ...

    def narrowed(self, schema: pa.Schema) -> Decoding:
        """Return the same for fewer columns."""
        ...

    def batch(self, piece: Piece) -> pa.RecordBatch:
        """Return the records of this piece: computing only.

        Raises
        ------
        DecodeError
            With `row` counted from 1 at the start of the piece.
        """
        ...

    def salvaged(self, piece: Piece) -> Salvaged:
        """Return what is left of a piece that `batch` has refused."""
        ...

    def offsets(self, piece: Piece) -> pa.Int64Array:
        """Return where each record of a piece starts in the file, also of those that cannot be read."""
        ...


class OpenText(OpenFile):
    """A text file whose first records were read, and are kept."""

    decoding: Decoding

    def __init__(self, records: Records) -> None:
        self._records = records
        self._handed_over = False
        # For fewer columns, by their names: of all files that are decoded alike.
        self._narrowed: dict[tuple[str, ...], Decoding] = {}

    def decode_by(self, decoding: Decoding, like: OpenFile | None = None) -> None:
        """Set how records are decoded: as those of another file where that is the same: it knows its way."""
        self.decoding = decoding
        if isinstance(like, OpenText) and like.decoding == decoding:
            self.decoding, self._narrowed = like.decoding, like._narrowed

    @property
    def schema(self) -> pa.Schema:
        return self.decoding.schema

    def read(self, scan: Scan, *, part: int) -> TextReader:
        place = fact_column("byte_offset")
        located = scan.columns is not None and place in scan.columns
        decoding = self.decoding if scan.columns is None else self._of(scan.columns, place)
        if scan.limit is not None:
            self._records.limit_size(scan.limit * _BYTES_PER_WANTED_ROW)
        if scan.start is not None:
            self._records.go_to(scan.start.token)
        self._handed_over = True
        rows_before = scan.start.rows if scan.start else 0
        return TextReader(self._records, decoding, part=part, rows_before=rows_before, located=located)

    def _of(self, columns: tuple[str, ...], place: str) -> Decoding:
        if columns not in self._narrowed:
            check_columns([name for name in columns if name != place], self.schema)
            wanted = pa.schema([field for field in self.schema if field.name in columns])
            self._narrowed[columns] = self.decoding.narrowed(wanted)
        return self._narrowed[columns]

    def unfit_columns(self, names: Collection[str], context: RunContext) -> frozenset[str]:
        # What is taken cannot be given back.
        self._handed_over = True
        try:
            return unfit_columns(self._records, self.decoding, names, context)
        finally:
            self._records.stream.close()

    def close(self) -> None:
        if not self._handed_over:
            # What can be read only once must not lose what was looked at.
            self._records.give_back()
            self._records.stream.close()


class DecodedRatio:
    """Decoded bytes for each raw byte, learned from the blocks that were decoded.

    Written by the pool and read by the reader thread without a lock: a forecast may be a block late.
    """

    def __init__(self) -> None:
        self.value = 2.0
        self._learned = False

    def learn(self, raw_bytes: int, decoded_bytes: int) -> None:
        """Take one block into account."""
        ratio = decoded_bytes / max(raw_bytes, 1)
        # Forecasting too much costs some reading ahead; too little costs the promise.
        self.value = max(ratio, (self.value + ratio) / 2) if self._learned else ratio
        self._learned = True


class TextReader(BlockReader):
    """The blocks of one file; `located` ones have a column more, behind the others: `fact_column("byte_offset")`."""

    def __init__(
        self, records: Records, decoding: Decoding, *, part: int, rows_before: int = 0, located: bool = False
    ) -> None:
        self._records = records
        self._rows_before = rows_before
        self._located = located
        self._decoding = decoding
        self._part = part
        self._ratio = DecodedRatio()

    @property
    def bytes_read(self) -> int:
        return self._records.stream.bytes_read - self._records.passed_bytes

    @property
    def bytes_total(self) -> int | None:
        size = self._records.stream.size
        return None if size is None else size - self._records.passed_bytes

    @property
    def file_bytes(self) -> int | None:
        return self._records.stream.size

    @property
    def bytes_again(self) -> int:
        return self._records.read_again_bytes

    @property
    def rows_before(self) -> int:
        return self._rows_before

    @property
    def retries(self) -> int:
        return self._records.stream.retries

    @property
    def completeness(self) -> Completeness:
        return self._records.stream.completeness

    def next_bytes(self) -> int:
        return int(self._records.held_bytes * (1 + self._ratio.value))

    def next_block(self) -> TextBlock | None:
        piece = self._records.take_piece()
        if piece is None:
            return None
        label = self._records.stream.label
        return TextBlock(
            piece,
            self._decoding,
            self._ratio,
            part=self._part,
            label=label,
            located=self._located,
            take_back=self._records.take_back,
        )

    def close(self) -> None:
        self._records.stream.close()


class TextBlock(Block):
    """Some complete records."""

    def __init__(
        self,
        piece: Piece,
        decoding: Decoding,
        ratio: DecodedRatio,
        *,
        part: int,
        label: str,
        located: bool,
        take_back: Callable[[bytearray], None],
    ) -> None:
        self._piece: Piece | None = piece
        self._decoding = decoding
        self._located = located
        self._ratio = ratio
        self._take_back = take_back
        self._end = piece.byte_offset + piece.stop - piece.start
        self.nbytes = len(piece.data) + int((piece.stop - piece.start) * ratio.value)
        self.part = part
        self.label = label

    def decode(self) -> Decoded:
        piece, self._piece = self._piece, None
        if piece is None:
            raise RuntimeError("a block is decoded once: its bytes are let go of")
        made = self._decoded(piece)
        if self._located:
            made = made._replace(data=self._with_offsets(made, piece))
        self._ratio.learn(piece.stop - piece.start, held_bytes(made.data))
        self._take_back(piece.data)
        return made

    def decode_with(self, following: Sequence[Block]) -> Joined | None:
        pieces = [
            block._piece
            for block in (self, *following)
            if isinstance(block, TextBlock) and block._decoding is self._decoding and not block._located
        ]
        if len(pieces) <= len(following) or any(piece is None or piece.broken for piece in pieces):
            return None
        joined = joined_lines([piece for piece in pieces if piece is not None])
        if joined is None:
            return None
        whole, lines = joined
        data = self._decoding.batch(whole)
        # Where each line has made a row, there is no empty one, and none that goes on in the next, or in another file.
        return Joined(data, lines) if data.num_rows == sum(lines) else None

    def _decoded(self, piece: Piece) -> Decoded:
        if not piece.broken:
            try:
                data = self._decoding.batch(piece)
            except (DecodeError, SchemaError):
                if self._decoding.errors == "raise":
                    raise
            else:
                return Decoded(data, data.num_rows)
        return self._decoding.salvaged(piece).decoded(self.label, self._decoding.encoding)

    def _with_offsets(self, made: Decoded, piece: Piece) -> pa.RecordBatch:
        offsets = self._decoding.offsets(piece)
        if len(offsets) != made.records:
            # Two ways to find records must agree; wrong places would be worse than none.
            raise RuntimeError(f"{len(offsets)} places for {made.records} records: a bug of streamframe")
        offsets = offsets if made.places is None else offsets.take(made.places)
        field = pa.field(fact_column("byte_offset"), fact_type("byte_offset"))
        return pa.RecordBatch.from_arrays([*made.data.columns, offsets], schema=made.data.schema.append(field))

    def mark(self, rows: int) -> Mark:
        return Mark(part=self.part, token=self._end, rows=rows)
