"""Where the batches of a column chunk have to end, so that Arrow holds no more at once than is allowed.

Rules: it holds a page, and all rows of a batch. A list of 300 million zeros is 552 bytes, and thousands of rows may
point at one long text. Where so much could come out of a chunk, as far as its pages say how many values they have, each
row is weighed; nearly no chunk is that large, and then nothing is decompressed. A row that is too heavy is refused.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any

from streamframe.errors import BudgetError, DecodeError
from streamframe.formats.limits import Limits
from streamframe.formats.parquet.chunks import Chunk
from streamframe.formats.parquet.footer import Footer
from streamframe.formats.parquet.levels import BY_DICTIONARY, MOST_DELTAS, Leaf, dictionary_lengths, sections_of
from streamframe.formats.parquet.pages import DAMAGED_HINT, DICTIONARY_PAGE, Page, may_become, pages_of
from streamframe.formats.parquet.weighing import Array, Damaged, Weigher, weigher
from streamframe.plan.quantities import human_bytes

Source = Callable[[int, int], Any]
# Of each value Arrow notes how deep in lists it is, and whether it is there, in 16 bits each; or where a text ends.
_LEVEL_BYTES = 4
_DELTA = 7
# As much as a decimal takes.
_SMALL_BYTES = 32
# So many pieces in one batch are too many, where more comes out of a chunk than is usual.
_MANY_PIECES, _USUAL_RATIO = 16, 100
# Rows that weigh no more are never apart.
_LEAST_PIECE_BYTES = 1 << 20
_WIDTHS = {"BOOLEAN": 1, "INT32": 4, "INT64": 8, "INT96": 8, "FLOAT": 4, "DOUBLE": 8}


class BatchEnds:
    """Before which rows of a row group a batch has to end.

    Parameters
    ----------
    footer, group
        Of the file, and the number of the row group.
    most_bytes
        What a page and a row may become.
    source
        Returns bytes of the file, by offset and number.
    """

    def __init__(self, footer: Footer, group: int, most_bytes: int, source: Source) -> None:
        self._footer, self._group, self._most_bytes, self._source = footer, group, most_bytes, source
        self._seen: set[str] = set()
        self._ends: list[int] = []

    def look_at(self, column: str, chunks: Sequence[Chunk], piece_bytes: int, longest: int | None = None) -> None:
        """Take a column into account that is to be read in pieces of so many bytes.

        `longest` is the longest text of its dictionary, if that is known.

        Raises
        ------
        BudgetError
            If a page or a row would become larger than is allowed.
        DecodeError
            If a page is damaged.
        """
        if column in self._seen:
            return
        limits = Limits(max(piece_bytes, _LEAST_PIECE_BYTES), self._most_bytes)
        for chunk, leaf in zip(chunks, self._footer.columns.leaves(column), strict=True):
            pieces = ChunkPieces(chunk, leaf_of(leaf), limits, self._source, self._footer, self._group, column)
            self._ends = sorted({*self._ends, *pieces.ends(longest)})
        self._seen.add(column)

    def may_be_heavy(self, chunk: Chunk, longest: int, piece_bytes: int) -> bool:
        """Tell whether a chunk of text has to be looked at whose dictionary has no longer text."""
        few = min(self._most_bytes, _MANY_PIECES * max(piece_bytes, _LEAST_PIECE_BYTES))
        return longest * self._footer.rows[self._group] > few or may_become(chunk, few)

    def fitting(self, start: int, rows: int) -> int:
        """Return how many of some rows may be in one batch."""
        at = bisect_right(self._ends, start)
        return min(rows, self._ends[at] - start) if at < len(self._ends) else rows


def leaf_of(column: Any) -> Leaf:
    """Return what Arrow's schema of a file says of a column chunk."""
    kind = column.physical_type
    width = column.length if kind == "FIXED_LEN_BYTE_ARRAY" else _WIDTHS.get(kind)
    return Leaf(column.max_repetition_level, column.max_definition_level, width)


class ChunkPieces:
    """One column chunk, and what is told of it."""

    def __init__(
        self, chunk: Chunk, leaf: Leaf, limits: Limits, source: Source, footer: Footer, group: int, column: str
    ) -> None:
        self._chunk, self._leaf, self._limits, self._source = chunk, leaf, limits, source
        self._rows, self._rows_before = footer.rows[group], sum(footer.rows[:group])
        self._column, self._group, self._label = column, group, footer.label
        self._level_bytes = max(_LEVEL_BYTES, leaf.width or 0)

    def ends(self, longest: int | None = None) -> list[int]:
        """Return the rows before which a batch has to end; none for nearly all chunks.

        `longest` is the longest text of the dictionary, if that is known.
        """
        # Else all rows weigh the same, and that is little.
        differ = self._leaf.most_repetition or self._leaf.width is None or self._leaf.width > _SMALL_BYTES
        if self._chunk.elsewhere or not (differ or may_become(self._chunk, self._limits.batch_bytes)):
            return []
        found = list(pages_of(self._chunk, self._source, self._label))
        for at, _, page in found:
            self._limits.check(page.nbytes, f"a page of column {self._column!r}", self._label, at)
        if not differ:
            return []
        lengths = self._lengths(found) if longest is None else None
        if lengths is not None and len(lengths):
            longest = int(lengths.max())
        if self._is_little(sum(self._most(page, longest or 0) for _, _, page in found if page.is_data)):
            return []
        return self._weighed(found, self._lengths(found) if lengths is None else lengths)

    def _is_little(self, nbytes: int) -> bool:
        """Tell whether so much may be made of a chunk in one batch, whichever rows it is of."""
        packed = self._chunk.end - self._chunk.start
        is_usual = nbytes <= _MANY_PIECES * self._limits.piece_bytes or nbytes <= _USUAL_RATIO * packed
        return nbytes <= self._limits.batch_bytes and is_usual

    def _most(self, page: Page, longest: int) -> int:
        """Return what all values of a page can become at most, where the dictionary has no longer text."""
        nbytes = page.values * self._level_bytes
        if self._leaf.width is None:
            if page.encoding in BY_DICTIONARY:
                nbytes += page.values * longest
            else:
                nbytes += page.nbytes * (page.values if page.encoding == _DELTA else 1)
        return nbytes

    def _lengths(self, pages: list[tuple[int, int, Page]]) -> Array | None:
        """Return the lengths of the texts of the dictionary."""
        if self._leaf.width is not None:
            return None
        for header, body, page in pages:
            if page.kind == DICTIONARY_PAGE:
                try:
                    return dictionary_lengths(page, self._source(body, page.packed_bytes), self._chunk.codec)
                except Damaged as error:
                    raise self._damaged(header) from error
        return None

    def _weighed(self, pages: list[tuple[int, int, Page]], lengths: Array | None) -> list[int]:
        found = weigher(
            self._leaf.most_repetition,
            self._leaf.most_definition,
            level_bytes=self._level_bytes,
            most_row_bytes=self._limits.batch_bytes,
            piece_bytes=self._limits.piece_bytes,
        )
        for header, body, page in pages:
            # Of the last row of all, nobody knows here where it ends.
            if not page.is_data or found.rows > self._rows:
                continue
            if page.encoding == _DELTA and page.values > MOST_DELTAS:
                self._limits.check(self._most(page, 0), f"a page of column {self._column!r}", self._label, header)
            try:
                data = self._source(body, page.packed_bytes)
                sections, how, told = sections_of(page, data, self._chunk.codec, self._leaf, lengths)
                sure = found.add(page.values, sections, how, told)
            except Damaged as error:
                raise self._damaged(header) from error
            if not sure:
                raise self._damaged(header)
            if found.too_heavy:
                raise self._too_heavy(found)
        if found.before_bytes and found.before_bytes + found.row_bytes > self._limits.piece_bytes:
            found.ends.append(found.rows - 1)
        return found.ends

    def _too_heavy(self, found: Weigher) -> BudgetError:
        most = human_bytes(self._limits.batch_bytes)
        row = self._rows_before + found.rows
        return BudgetError(
            f"column {self._column!r}: row {found.rows:,} of row group {self._group} has more than {most} once it is "
            "decompressed, the most that is allowed for one",
            source=self._label,
            row=row,
            column=self._column,
            byte_offset=self._chunk.start,
            hint="If rows are as large as that, pass max_batch_bytes=, or read fewer columns.",
        )

    def _damaged(self, at: int) -> DecodeError:
        return DecodeError(
            f"a page of column {self._column!r} cannot be decoded: it is damaged",
            source=self._label,
            column=self._column,
            byte_offset=at,
            hint=DAMAGED_HINT,
        )
