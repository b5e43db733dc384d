"""CSV: bytes to blocks to batches, and batches to text.

The way of a record: `format` opens a file (`header`, `inference`), `records` takes its bytes and
cuts them (`cutter`, by the grammar of `dialect`), `text_blocks` hands out blocks, `decode` makes
them batches, and `locating` says where it could not.
"""

from streamframe.formats.csv.format import CsvFormat
from streamframe.formats.csv.style import CsvStyle, Quoting
from streamframe.formats.csv.writer import CsvEncoding, CsvWriter

__all__ = ["CsvEncoding", "CsvFormat", "CsvStyle", "CsvWriter", "Quoting"]
