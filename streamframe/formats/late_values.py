"""Which columns hold values that their types, found in a sample, cannot read.

Rules: the whole file is read for it, and nothing of it is kept. Only columns that may become text are looked at, and
none again that was found; records that cannot be read for another reason say nothing here: the run will tell.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa

from streamframe.errors import DecodeError, SchemaError
from streamframe.plan.context import RunContext

if TYPE_CHECKING:
    from streamframe.formats.records import Piece, Records
    from streamframe.formats.text_blocks import Decoding


def unfit_columns(records: Records, decoding: Decoding, names: Collection[str], context: RunContext) -> frozenset[str]:
    """Read all records, and return those of the columns `names` in which a value does not fit.

    Pieces are decoded beside this thread, within the budget of the run.
    """
    found: set[str] = set()
    beside = context.in_order(found.update)
    # Each of them is a frozen dataclass. Only a quarantine tells what is wrong with which record.
    decoding = replace(decoding, errors="quarantine")  # type: ignore[type-var]
    decoding = decoding.narrowed(pa.schema([field for field in decoding.schema if field.name in names]))
    while len(decoding.schema) and (piece := records.take_piece()) is not None:
        beside.add(partial(_unfit, piece, decoding), len(piece.data))
        if not found.isdisjoint(decoding.schema.names):
            decoding = _without(decoding, found)
    beside.finish()
    return frozenset(found)


def _unfit(piece: Piece, decoding: Decoding) -> set[str]:
    found: set[str] = set()
    while len(decoding.schema) and not piece.broken:
        try:
            decoding.batch(piece)
            break
        except (DecodeError, SchemaError):
            pass
        try:
            rejects = decoding.salvaged(piece).rejects
        except (DecodeError, SchemaError):
            break
        # Of each record, the first column that cannot be read: behind it there may be others.
        new = set(decoding.schema.names) & {reject.column for reject in rejects}
        if not new:
            break
        found |= new
        decoding = _without(decoding, new)
    return found


def _without(decoding: Decoding, names: Collection[str]) -> Decoding:
    return decoding.narrowed(pa.schema([field for field in decoding.schema if field.name not in names]))
