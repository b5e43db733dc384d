"""What formats share whose values are text, and have types: those that the user gives, or those of a sample."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import pyarrow as pa

from streamframe.formats.base import FileFormat, OpenFile
from streamframe.formats.rejects import Errors, OnWiden, checked_errors, checked_on_widen

if TYPE_CHECKING:
    from streamframe.io.location import Location


@dataclass(frozen=True)
class TypedText(FileFormat):
    """A text format with columns.

    Parameters
    ----------
    dtype
        Types of some columns, by name. Kept as pairs.
    errors
        What a record does that cannot be read.
    on_widen
        What a type does that was found in a sample and does not fit a later value: ``"raise"``, the value
        cannot be read; ``"string"``, the whole file is looked at before the first row, and such columns are text.
    """

    text: ClassVar[bool] = True
    located: ClassVar[bool] = True

    dtype: Mapping[str, Any] | tuple[tuple[str, pa.DataType], ...] = ()
    errors: Errors = "raise"
    on_widen: OnWiden = "raise"

    def __post_init__(self) -> None:
        checked_errors(self.errors)
        checked_on_widen(self.on_widen)

    @property
    def quarantines(self) -> bool:
        return self.errors == "quarantine"

    @property
    def leaves_out(self) -> bool:
        return self.errors in ("skip", "quarantine")

    @property
    def widens(self) -> bool:
        return self.on_widen == "string"

    @property
    def given_types(self) -> Mapping[str, pa.DataType]:
        return dict(self.dtype)

    def without_types(self, names: Collection[str]) -> Self:
        kept = tuple((name, kind) for name, kind in self.given_types.items() if name not in names)
        return self if len(kept) == len(self.dtype) else dataclasses.replace(self, dtype=kept)

    def survey(self, location: Location, *, block_bytes: int) -> pa.Schema:
        opened = self._opened(location, None, block_bytes, surveyed=True)
        opened.close()
        return opened.schema

    def open(self, location: Location, *, expected: pa.Schema | None, block_bytes: int) -> OpenFile:
        return self._opened(location, expected, block_bytes)

    @abstractmethod
    def _opened(
        self, location: Location, expected: pa.Schema | None, block_bytes: int, *, surveyed: bool = False
    ) -> OpenFile:
        """Open a file; one that is surveyed tells of its columns only what its own values tell."""
