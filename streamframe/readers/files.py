"""From what a reader is given to a frame of files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from streamframe.errors import PlanError
from streamframe.formats.base import FileFormat
from streamframe.io.locations import paths
from streamframe.options import parse_bytes
from streamframe.plan.node import Scan
from streamframe.plan.source import Source
from streamframe.schema import parse_dtype
from streamframe.sources.files import Files
from streamframe.sources.hive import checked_hive
from streamframe.sources.schemas import SchemaOver, checked_schema_over
from streamframe.stream import StreamFrame


def files_of(
    path: Any, file_format: FileFormat, schema: SchemaOver, hive: Any, storage_options: Mapping[str, Any] | None
) -> Files:
    """Return the source of what `path` stands for."""
    return Files(paths(path, storage_options), file_format, checked_schema_over(schema), checked_hive(hive))


def frame_of(source: Source) -> StreamFrame:
    """Return the frame of a source."""
    return StreamFrame(Scan(source), source.known_schema)


def types_of(dtype: Any) -> tuple[tuple[str, pa.DataType], ...]:
    """Return ``dtype=`` with its types as Arrow has them; raise `PlanError` if it is no mapping."""
    if dtype is not None and not isinstance(dtype, Mapping):
        raise PlanError(f"dtype needs a mapping from columns to types, got {dtype!r}", hint='dtype={"zip": "string"}.')
    return tuple((name, parse_dtype(kind)) for name, kind in (dtype or {}).items())


def size_of(value: int | str | None) -> int | None:
    """Return ``max_record_bytes=`` in bytes; None for the default."""
    return None if value is None else parse_bytes(value, name="max_record_bytes")
