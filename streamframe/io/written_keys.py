"""The types of the keys that name an export's folders: names of folders tell no ``int8`` from text of digits.

Rule: only the start of the manifest is read, which is as long as the columns are many, however many files it names.
"""

from __future__ import annotations

import base64
import errno
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pyarrow as pa

from streamframe.errors import SourceError

if TYPE_CHECKING:
    from streamframe.io.location import Location

# Of a manifest up to its rows: ten thousand columns take two.
_START_BYTES = 16 << 20
_PIECE_BYTES = 64 << 10
# A line end in a text is escaped, and inner keys are indented more, so nothing else is spelled so.
_BEHIND_THE_COLUMNS = b',\n "rows": '


def written_keys(manifest: Location) -> Mapping[str, pa.DataType]:
    """Return the types of the keys that this manifest names; none if it is not there, or says nothing of the kind.

    Text that was written with a dictionary comes back as text, and a column of nulls is left out.

    Raises
    ------
    SourceError
        If it cannot be read.
    """
    try:
        with manifest.open_stream(compression=None) as stream:
            start = b""
            while _BEHIND_THE_COLUMNS not in start and len(start) < _START_BYTES:
                more = stream.read_up_to(_PIECE_BYTES)
                if not more:
                    return {}
                start += more
        facts = json.loads(start.partition(_BEHIND_THE_COLUMNS)[0] + b"}")
        schema = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(facts["schema"]["arrow"])))
        types = {key: schema.field(key).type for key in facts["partition_by"]}
    except SourceError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR):
            raise
        return {}
    except (ValueError, KeyError, TypeError, pa.ArrowException):
        return {}
    plain = {key: kind.value_type if pa.types.is_dictionary(kind) else kind for key, kind in types.items()}
    return {key: kind for key, kind in plain.items() if not pa.types.is_null(kind)}
