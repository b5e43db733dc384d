"""One piece of text to one batch of its lines: computing only, and nothing for each line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from streamframe.batch import rows_without_columns
from streamframe.errors import DecodeError
from streamframe.formats.records import Piece, line_starts
from streamframe.formats.rejects import Errors, Reject, Salvaged
from streamframe.formats.sniffing import ENCODING_HINT, is_utf8
from streamframe.formats.wording import not_text

COLUMN = "line"
_NEWLINE = 0x0A
_SHOWN = 60


@dataclass(frozen=True)
class Decoding:
    """How the pieces of one file become batches; `schema` holds the column, if it is wanted."""

    schema: pa.Schema
    errors: Errors = "raise"
    encoding: str = "utf-8"

    def narrowed(self, schema: pa.Schema) -> Decoding:
        """Return the same for fewer columns."""
        return replace(self, schema=schema)

    def batch(self, piece: Piece) -> pa.RecordBatch:
        """Return the lines of this piece.

        Raises
        ------
        DecodeError
            If a line is no text; with `row` counted from 1 at the start of the piece.
        """
        lines = _split(memoryview(piece.data)[piece.start : piece.stop])
        if not len(self.schema):
            return rows_without_columns(len(lines))
        try:
            text = lines.cast(pa.string())
        except pa.ArrowInvalid as error:
            raise self._located(piece, lines) from error
        return pa.RecordBatch.from_arrays([text], schema=self.schema)

    def salvaged(self, piece: Piece) -> Salvaged:
        """Return what is left of a piece that `batch` has refused."""
        lines = _split(memoryview(piece.data)[piece.start : piece.stop]).to_pylist()
        bad = {at for at, line in enumerate(lines) if not is_utf8(line)}
        if self.errors == "null":
            kept: list[bytes | None] = [None if at in bad else line for at, line in enumerate(lines)]
            return Salvaged(self._of(kept), None, len(lines), nulled=len(bad))
        places = [at for at in range(len(lines)) if at not in bad]
        rejects = []
        if self.errors == "quarantine":
            offsets = self.offsets(piece)
            rejects = [
                Reject(at + 1, offsets[at].as_py(), COLUMN, not_text(lines[at], _SHOWN, self.encoding), lines[at])
                for at in sorted(bad)
            ]
        return Salvaged(self._of([lines[at] for at in places]), pa.array(places, pa.int64()), len(lines), rejects)

    def offsets(self, piece: Piece) -> pa.Int64Array:
        """Return where each line of a piece starts in the file."""
        return pa.array(line_starts(piece) + (piece.byte_offset - piece.start), pa.int64())

    def _of(self, lines: Sequence[bytes | None]) -> pa.RecordBatch:
        text = pa.array(lines, pa.binary()).cast(pa.string())
        return pa.RecordBatch.from_arrays([text], schema=self.schema)

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
