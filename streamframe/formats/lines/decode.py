"""One piece of text to one batch of its lines: computing only, and nothing for each line."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streamframe.batch import rows_without_columns
from streamframe.errors import DecodeError
from streamframe.formats.records import Piece, line_starts
from streamframe.formats.rejects import Errors, Reject, Salvaged
from streamframe.formats.sniffing import ENCODING_HINT, is_utf8
from streamframe.formats.wording import not_text

if TYPE_CHECKING:
    from streamframe.expr.patterns import Pattern

COLUMN = "line"
_NO_MATCH = "the pattern does not match"
_NEWLINE = 0x0A
_SHOWN = 60


@dataclass(frozen=True)
class Decoding:
    """How the pieces of one file become batches.

    `schema` holds the columns that are wanted: that of the lines, or those of the pattern that takes them apart.
    """

    schema: pa.Schema
    errors: Errors = "raise"
    encoding: str = "utf-8"
    pattern: Pattern | None = None

    def narrowed(self, schema: pa.Schema) -> Decoding:
        """Return the same for fewer columns."""
        return replace(self, schema=schema)

    def batch(self, piece: Piece) -> pa.RecordBatch:
        """Return the lines of this piece.

        Raises
        ------
        DecodeError
            If a line is no text, or no match; with `row` counted from 1 at the start of the piece.
        """
        lines = _split(memoryview(piece.data)[piece.start : piece.stop])
        if not len(self.schema) and self.pattern is None:
            return rows_without_columns(len(lines))
        try:
            text = lines.cast(pa.string())
        except pa.ArrowInvalid as error:
            raise self._located(piece, lines) from error
        data, matches = self._of(text)
        if not pc.all(matches, min_count=0).as_py():
            # Who is to be told of it has the text once more: what is asked of `errors` is not done here.
            raise DecodeError(_NO_MATCH)
        return data

    def salvaged(self, piece: Piece) -> Salvaged:
        """Return what is left of a piece that `batch` has refused."""
        lines = _split(memoryview(piece.data)[piece.start : piece.stop]).to_pylist()
        bad = {at: not_text(line, _SHOWN, self.encoding) for at, line in enumerate(lines) if not is_utf8(line)}
        text = pa.array([None if at in bad else line for at, line in enumerate(lines)], pa.binary()).cast(pa.string())
        data, matches = self._of(text)
        bad |= {
            at: _NO_MATCH for at in np.flatnonzero(~matches.to_numpy(zero_copy_only=False)).tolist() if at not in bad
        }
        if self.errors == "null":
            return Salvaged(data, None, len(lines), nulled=len(bad))
        places = pa.array([at for at in range(len(lines)) if at not in bad], pa.int64())
        rejects = []
        if self.errors == "quarantine":
            offsets, column = self.offsets(piece), COLUMN if self.pattern is None else None
            rejects = [Reject(at + 1, offsets[at].as_py(), column, bad[at], lines[at]) for at in sorted(bad)]
        kept = data.take(places) if len(self.schema) else rows_without_columns(len(places))
        return Salvaged(kept, places, len(lines), rejects)

    def offsets(self, piece: Piece) -> pa.Int64Array:
        """Return where each line of a piece starts in the file."""
        return pa.array(line_starts(piece) + (piece.byte_offset - piece.start), pa.int64())

    def _of(self, text: pa.Array) -> tuple[pa.RecordBatch, pa.Array]:
        """Return the columns that are wanted, and which lines match; without a pattern all do."""
        if self.pattern is None:
            return pa.RecordBatch.from_arrays([text], schema=self.schema), pa.repeat(True, len(text))
        columns, matches = self.pattern.taken_apart(text)
        made = dict(zip(self.pattern.names, columns, strict=True))
        if not len(self.schema):
            return rows_without_columns(len(text)), matches
        return pa.RecordBatch.from_arrays([made[name] for name in self.schema.names], schema=self.schema), matches

    def _located(self, piece: Piece, lines: pa.BinaryArray) -> DecodeError:
        row = next(at for at, line in enumerate(lines.to_pylist()) if not is_utf8(line))
        return DecodeError(
            not_text(lines[row].as_py(), _SHOWN),
            column=COLUMN,
            row=row + 1,
            byte_offset=self.offsets(piece)[row].as_py(),
            hint=ENCODING_HINT,
        )


def _split(data: memoryview) -> pa.BinaryArray:
    """Return the lines without what ends them."""
    text = bytes(data)
    if b"\r\n" in text:
        text = text.replace(b"\r\n", b"\n")
    ends = np.flatnonzero(np.frombuffer(text, np.uint8) == _NEWLINE)
    # Without the newlines, each line starts where the one before it ends.
    joined = text.translate(None, b"\n")
    offsets = np.zeros(len(ends) + 1, np.int64)
    offsets[1:] = ends - np.arange(len(ends))
    if text and not text.endswith(b"\n"):
        offsets = np.append(offsets, len(joined))
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(joined)]
    return pa.Array.from_buffers(pa.large_binary(), len(offsets) - 1, buffers).cast(pa.binary())
