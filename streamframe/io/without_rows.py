"""A directory that an export without rows has made: no file is in it, and its manifest has the columns.

Rule: only a manifest that names no file counts. Where it names some, and none is there, rows are missing.
"""

from __future__ import annotations

import base64
import errno
import json
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

from streamframe.errors import SourceError

if TYPE_CHECKING:
    from streamframe.io.location import Location

# Of a manifest without files: ten thousand columns take two.
_MANIFEST_BYTES = 16 << 20


class WithoutRows(NamedTuple):
    """What a manifest says that names no file."""

    format: str
    schema: pa.Schema
    keys: tuple[str, ...]


def without_rows(manifest: Location) -> WithoutRows | None:
    """Return what this manifest says of a directory without files; None if it is not there, or says something else.

    Raises
    ------
    SourceError
        If it cannot be read.
    """
    try:
        with manifest.open_stream(compression=None) as stream:
            facts = json.loads(stream.read_up_to(_MANIFEST_BYTES))
        if facts["files"]:
            return None
        schema = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(facts["schema"]["arrow"])))
        return WithoutRows(facts["format"], schema, tuple(facts["partition_by"]))
    except SourceError as error:
        if error.errno != errno.ENOENT:
            raise
    except (ValueError, KeyError, TypeError, pa.ArrowException):
        pass
    return None
