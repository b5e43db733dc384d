"""The columns of directories in which an export without rows has left no file."""

from __future__ import annotations

import pyarrow as pa

from streamframe.errors import SourceError
from streamframe.formats.base import FileFormat
from streamframe.io.locations import Paths
from streamframe.io.without_rows import without_rows
from streamframe.sources.hive import Hive, keys_of_no_files


def columns_of_no_rows(paths: Paths, file_format: FileFormat, hive: Hive) -> tuple[pa.Schema, pa.Schema]:
    """Return what the files would hold, and what their folders would be called by; the first directory tells.

    Raises
    ------
    SourceError
        If that was an export of another format.
    """
    directory = paths.given[0]
    told = None if directory.manifest is None else without_rows(directory.manifest)
    if told is None or told.format != file_format.name:
        written = "" if told is None else f"; an export of {told.format} without rows has made it"
        raise SourceError(f"the directory {directory.label} holds no file{written}", source=directory.label)
    given = file_format.given_types
    keys = keys_of_no_files({key: told.schema.field(key).type for key in told.keys}, hive, given)
    types = {field.name: given.get(field.name, field.type) for field in told.schema if field.name not in told.keys}
    # The options may tell of columns that nobody has written.
    for field in file_format.without_types(keys.names).schema_of_nothing or ():
        types[field.name] = field.type
    return pa.schema(list(types.items())), keys
