"""One stripe as a file of its own, so that its rows can be decoded some at a time.

Rules: Arrow decodes a stripe whole, but the files of a dataset in batches of rows; there is no way to say which stripe.
So the bytes of one are copied as they are, into a file without a name, and a new footer is written behind them, which
tells of no other. Columns are called by their place there, as a dot in a name means a field to Arrow.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from streamframe.formats.orc.chunks import NONE
from streamframe.formats.orc.footer import OrcFooter
from streamframe.formats.orc.protobuf import fields_of, message
from streamframe.io.spill import cannot_spill

_MAGIC = b"ORC"
_COPIED_BYTES = 1 << 20
# Of FileTail, PostScript, Footer, StripeInformation and Type.
_POSTSCRIPT, _FOOTER = 1, 2
_FOOTER_BYTES, _METADATA_BYTES, _STATISTICS_BYTES = 1, 5, 7
_HEADER_BYTES, _CONTENT_BYTES, _STRIPES, _TYPES, _METADATA, _ROWS, _STATISTICS = 1, 2, 3, 4, 5, 6, 7
_NAMES = 3


class StripeRows:
    """The rows of a stripe, some at a time.

    Parameters
    ----------
    path, tail, footer
        The file, its serialized `FileTail`, and what that says.
    stripe
        Which one.
    columns
        The places of the columns that are decoded.
    slice_rows
        How many rows at a time.
    """

    def __init__(
        self, path: str, tail: bytes, footer: OrcFooter, stripe: int, columns: Sequence[int], slice_rows: int
    ) -> None:
        try:
            self._file = tempfile.TemporaryFile(prefix="streamframe-", buffering=0)  # noqa: SIM115 - see `close`
            self._copy(path, tail, footer, stripe)
        except OSError as error:
            raise cannot_spill(error) from error
        self._batches = self._scanned([_name(place) for place in columns], slice_rows)

    def __next__(self) -> pa.RecordBatch:
        """Return the next rows; `StopIteration` behind the last."""
        return next(self._batches)

    def close(self) -> None:
        """Give memory and disk back."""
        del self._batches
        self._file.close()

    def _copy(self, path: str, tail: bytes, footer: OrcFooter, stripe: int) -> None:
        place = footer.stripes[stripe]
        at, left = place.offset, place.index_bytes + place.data_bytes + place.footer_bytes
        self._file.write(_MAGIC)
        with open(path, "rb", buffering=0) as source:
            while left:
                data = os.pread(source.fileno(), min(left, _COPIED_BYTES), at)
                if not data:
                    raise EOFError("a stripe goes beyond the file")
                at, left = at + len(data), left - len(data)
                self._write(data)
        self._write(_tail(tail, footer, stripe))

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]

    def _scanned(self, columns: list[str], slice_rows: int) -> Iterator[pa.RecordBatch]:
        import pyarrow.dataset as ds
        from pyarrow.fs import LocalFileSystem

        fragment = ds.OrcFileFormat().make_fragment(f"/dev/fd/{self._file.fileno()}", LocalFileSystem())
        options: dict[str, Any] = {"use_threads": False, "batch_readahead": 0, "fragment_readahead": 0}
        scanner = ds.Scanner.from_fragment(fragment, columns=columns, batch_size=slice_rows, **options)
        return iter(scanner.to_batches())


def _tail(tail: bytes, footer: OrcFooter, stripe: int) -> bytes:
    """Return what stands behind a stripe that is alone in its file."""
    place = footer.stripes[stripe]
    parts = fields_of(tail)
    told = dict(fields_of(parts[_FOOTER][0]))
    root, *others = told[_TYPES]
    names = [_name(number).encode() for number in range(len(footer.children[0]))]
    told[_HEADER_BYTES], told[_CONTENT_BYTES], told[_ROWS] = [len(_MAGIC)], [sum(place[1:4])], [place.rows]
    told[_STRIPES] = [message(dict(enumerate(([each] for each in (len(_MAGIC), *place[1:])), 1)))]
    told[_TYPES] = [message({**fields_of(root), _NAMES: names}), *others]
    for left_out in (_METADATA, _STATISTICS):
        told.pop(left_out, None)
    data = message(told)
    if footer.compression != NONE:
        # One chunk, which is not compressed.
        data = (len(data) << 1 | 1).to_bytes(3, "little") + data
    postscript = {**fields_of(parts[_POSTSCRIPT][0]), _FOOTER_BYTES: [len(data)], _METADATA_BYTES: [0]}
    postscript.pop(_STATISTICS_BYTES, None)
    end = message(postscript)
    return data + end + bytes([len(end)])


def _name(place: int) -> str:
    return f"c{place}"
