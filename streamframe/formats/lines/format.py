"""Plain lines: the reader's options, and how one file is opened."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Self

import pyarrow as pa

from streamframe.formats.base import OpenFile
from streamframe.formats.carriage_returns import with_newlines
from streamframe.formats.encoded_text import EncodedText
from streamframe.formats.lines.decode import COLUMN, Decoding
from streamframe.formats.lines.records import TextLines
from streamframe.io.transcode import checked_encoding

if TYPE_CHECKING:
    from streamframe.expr.patterns import Pattern
    from streamframe.io.location import Location


@dataclass(frozen=True)
class LinesFormat(EncodedText):
    r"""Lines of text that end with ``\n`` or ``\r\n``, one in each row.

    In a file that has carriage returns and not one newline in its first 64 KiB, lone ``\r`` end lines as well.

    Parameters
    ----------
    pattern
        Takes each line apart; None for the lines as they are.
    errors
        What a line does that is no text in this encoding, or that `pattern` does not match.
    encoding, compression, max_record_bytes, max_decompression_ratio
        See `EncodedText`.
    """

    name: ClassVar[str] = "lines"
    suffixes: ClassVar[tuple[str, ...]] = (".log", ".txt")

    pattern: Pattern | None = None

    def taking_apart(self, column: str, pattern: Pattern) -> Self | None:
        # Without a word on what becomes of such lines, they are the business of the step that takes them apart.
        is_known = self.errors != "raise" and self.pattern is None and column == COLUMN
        return replace(self, pattern=pattern) if is_known else None

    def open(
        self, location: Location, *, expected: pa.Schema | None, block_bytes: int, like: OpenFile | None = None
    ) -> OpenFile:
        records = TextLines(self._stream(location, with_newlines), block_bytes=block_bytes)
        schema = pa.schema([(COLUMN, pa.string())] if self.pattern is None else self.pattern.fields)
        decoding = Decoding(schema, self.errors, checked_encoding(self.encoding), self.pattern)
        return self._opened_text(records, lambda: decoding, like)
