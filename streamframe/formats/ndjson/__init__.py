"""NDJSON: bytes to blocks to batches, and batches to text.

The way of a record: `format` opens a file (`inference`), `records` cuts its bytes at newlines,
`text_blocks` hands out blocks, `decode` makes them batches with Arrow's parser (`parsing`); only
where that fails, `mending` and `locating` look at single lines. `writer` puts together what `text`
makes of each column.
"""

from streamframe.formats.ndjson.format import NdjsonFormat
from streamframe.formats.ndjson.writer import NdjsonEncoding, NdjsonWriter

__all__ = ["NdjsonEncoding", "NdjsonFormat", "NdjsonWriter"]
