"""What a user can say about the files of a directory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from streamframe.errors import PlanError
from streamframe.io.atomic_directory import Mode
from streamframe.io.directories import is_directory
from streamframe.options import parse_bytes

MAX_OPEN_FILES = 64
# A run that goes on writes one file again, or two, of which the disk had not told; each is a sixteenth of what is done.
# Smaller files make a large directory slow to list and to open, and smaller ones yet are not worth a row group.
_RESUMABLE_SHARE = 16
_LEAST_RESUMABLE_FILE_BYTES = 8 << 20
_RESUMABLE_FILE_BYTES = 64 << 20


@dataclass(frozen=True)
class Layout:
    """How rows are laid out in files."""

    partition_by: tuple[str, ...] = ()
    max_file_bytes: int | None = None
    max_rows_per_file: int | None = None
    max_open_files: int = MAX_OPEN_FILES
    mode: Mode = "error"
    success_marker: bool = False
    resume: bool = False

    def __post_init__(self) -> None:
        if len(set(self.partition_by)) < len(self.partition_by):
            raise PlanError(f"partition_by names a column twice: {list(self.partition_by)}")
        if self.mode not in ("error", "overwrite", "append"):
            raise PlanError(f"mode={self.mode!r} is not known", hint='use "error", "overwrite" or "append".')
        for name in ("max_file_bytes", "max_rows_per_file", "max_open_files"):
            value = getattr(self, name)
            left_out = value is None and name != "max_open_files"
            if not left_out and (isinstance(value, bool) or not hasattr(value, "__index__") or value < 1):
                raise PlanError(f"{name} needs a whole number >= 1, got {value!r}")

    def most_bytes(self, complete_bytes: int) -> int | None:
        """Return how large a file may become behind others of so many bytes; None if that does not matter."""
        chosen = self.partition_by or self.max_file_bytes is not None or self.max_rows_per_file is not None
        if chosen or not self.resume:
            return self.max_file_bytes
        # A run goes on behind what is complete: in one file, nothing is before the end.
        return min(_RESUMABLE_FILE_BYTES, max(_LEAST_RESUMABLE_FILE_BYTES, complete_bytes // _RESUMABLE_SHARE))


def layout_of(
    target: Any,
    storage_options: Mapping[str, Any] | None,
    *,
    partition_by: str | Sequence[str] | None,
    max_file_bytes: int | str | None,
    max_rows_per_file: int | None,
    max_open_files: int,
    mode: Mode | None,
    success_marker: bool,
    resume: bool,
) -> Layout | None:
    """Return the layout of a directory; None if what was asked for is one file. May look at the disk."""
    keys = [partition_by] if isinstance(partition_by, str) else partition_by or ()
    if not isinstance(keys, (list, tuple)) or not all(isinstance(key, str) for key in keys):
        raise PlanError(f"partition_by needs names of columns, got {partition_by!r}", hint='such as ["year", "month"].')
    layout = Layout(
        tuple(keys),
        None if max_file_bytes is None else parse_bytes(max_file_bytes, name="max_file_bytes"),
        max_rows_per_file,
        max_open_files,
        mode or "error",
        success_marker,
        resume,
    )
    asked = layout != Layout() or mode is not None
    return layout if asked or is_directory(target, storage_options) else None
