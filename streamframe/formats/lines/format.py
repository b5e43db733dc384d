"""Plain lines: the reader's options, and how one file is opened."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Self

import pyarrow as pa

from streamframe.formats.base import FileFormat, OpenFile
from streamframe.formats.carriage_returns import with_newlines
from streamframe.formats.lines.decode import COLUMN, Decoding
from streamframe.formats.lines.records import TextLines
from streamframe.formats.rejects import Errors, checked_errors
from streamframe.formats.sniffing import BOM
from streamframe.formats.text_blocks import OpenText
from streamframe.io.compression import checked_compression
from streamframe.io.expansion import Expansion, checked_ratio
from streamframe.io.transcode import checked_encoding

if TYPE_CHECKING:
    from streamframe.expr.patterns import Pattern
    from streamframe.io.location import Location


@dataclass(frozen=True)
class LinesFormat(FileFormat):
    r"""Lines of text that end with ``\n`` or ``\r\n``, one in each row.

    In a file that has carriage returns and not one newline in its first 64 KiB, lone ``\r`` end lines as well.

    Parameters
    ----------
    encoding
        What the text is written in.
    compression
        ``"infer"`` goes by the suffix, None reads the bytes as they are.
    errors
        What a line does that is no text in this encoding, or that `pattern` does not match.
    max_record_bytes
        The longest line that is held; None for 64 MiB.
    max_decompression_ratio
        How many bytes may come out for each compressed one; None for the default: see `Expansion`.
    pattern
        Takes each line apart; None for the lines as they are.
    """

    name: ClassVar[str] = "lines"
    suffixes: ClassVar[tuple[str, ...]] = (".log", ".txt")
    text: ClassVar[bool] = True
    located: ClassVar[bool] = True

    encoding: str = "utf-8"
    compression: str | None = "infer"
    errors: Errors = "raise"
    max_record_bytes: int | None = None
    max_decompression_ratio: float | None = None
    pattern: Pattern | None = None

    def __post_init__(self) -> None:
        checked_errors(self.errors)
        checked_encoding(self.encoding)
        checked_compression(self.compression)
        object.__setattr__(self, "max_decompression_ratio", checked_ratio(self.max_decompression_ratio))

    @property
    def quarantines(self) -> bool:
        return self.errors == "quarantine"

    @property
    def leaves_out(self) -> bool:
        return self.errors in ("skip", "quarantine")

    def taking_apart(self, column: str, pattern: Pattern) -> Self | None:
        # Without a word on what becomes of such lines, they are the business of the step that takes them apart.
        is_known = self.errors != "raise" and self.pattern is None and column == COLUMN
        return replace(self, pattern=pattern) if is_known else None

    def open(self, location: Location, *, expected: pa.Schema | None, block_bytes: int) -> OpenFile:
        stream = location.open_stream(
            compression=self.compression,
            encoding=self.encoding,
            lenient=self.errors != "raise",
            expansion=Expansion.of(self.max_decompression_ratio),
        )
        try:
            stream = with_newlines(stream)
        except BaseException:
            stream.close()
            raise
        records = TextLines(stream, block_bytes=block_bytes)
        records.allow_records_of(self.max_record_bytes)
        opened = OpenText(records)
        try:
            records.skip(BOM)
        except BaseException:
            opened.close()
            raise
        schema = pa.schema([(COLUMN, pa.string())] if self.pattern is None else self.pattern.fields)
        opened.decoding = Decoding(schema, self.errors, checked_encoding(self.encoding), self.pattern)
        return opened
