"""Arrow IPC: messages to blocks to batches, and batches to messages.

The way of a record batch: `format` tells file from stream and reads the schema; `stream` takes
`messages` in order, `file` reads them where the `footer` says; `metadata` parses what they tell of
themselves, `layout` which bytes are needed; `block` decodes. Of a batch that is too large to be held, `slices` reads
some rows at a time, from `slice_columns`; `spilling` takes the others through the disk, column by column.
"""

from streamframe.formats.ipc.encoding import IpcEncoding
from streamframe.formats.ipc.format import IpcFormat

__all__ = ["IpcEncoding", "IpcFormat"]
