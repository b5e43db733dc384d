"""Keys in the folders of paths: ``year=2024/carrier=AA/part.parquet``.

Rules: every file has the same keys, or there are none. A key's type is what the export that has made the directory
says, or found over all files, once. A name or value is percent-decoded, since Spark encodes what a folder cannot be
called.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

import pyarrow as pa

from streamframe.errors import PlanError, SchemaError
from streamframe.io.location import CONTINUED_KEY, NULL_KEY, Location
from streamframe.plain_values import plain_texts
from streamframe.schema import dtype_name, parse_dtype

# Whether the keys of paths become columns; None finds out. Or the types of some of them.
Hive = bool | None | tuple[tuple[str, pa.DataType], ...]
Keys = dict[str, str | None]

NO_KEYS = pa.schema([])


def checked_hive(hive: Any) -> Hive:
    """Return ``hive=`` of a reader, with its types as Arrow has them; `PlanError` if it is neither."""
    if isinstance(hive, Mapping):
        return tuple((name, parse_dtype(kind)) for name, kind in hive.items())
    if hive is not None and not isinstance(hive, bool):
        raise PlanError(f"hive needs True, False, None or a mapping of keys to types, got {hive!r}")
    return hive


def partition_values(
    locations: Sequence[Location],
    hive: Hive,
    known: pa.Schema | None,
    written: Callable[[], Mapping[str, pa.DataType]],
    given: Mapping[str, pa.DataType],
) -> pa.RecordBatch:
    """Return the typed keys of the paths, one row for each file; without columns if there are none.

    Parameters
    ----------
    locations
        The files.
    hive
        None takes the folders below a directory or glob that was given; True, or types, all folders
        of a path, and then keys that differ are an error.
    known
        The types of the keys, once they were found.
    written
        Asks with which types the keys were written; called where there are keys whose types are not known.
    given
        The types that the user gave to columns, of which some may be keys; those in `hive` come before them.

    Raises
    ------
    SchemaError
        If a file has other keys than the first, or a value is not of its key's type; names the file.
    """
    found = [] if hive is False else [_keys(one.below if hive is None else one.folders) for one in locations]
    first = dict(found[0]) if found else {}
    for location, pairs in zip(locations, found, strict=False):
        if len(dict(pairs)) < len(pairs) or dict(pairs).keys() != first.keys():
            if hive is None and known is None:
                first = {}
                break
            raise SchemaError(
                f"the path of {location.label} has the keys {_named(pairs)}, that of the first file {_named(found[0])}",
                source=location.label,
                hint="read such files apart, or pass hive=False to take no columns from the paths.",
            )
    rows = [dict(pairs) for pairs in found]
    if known is None:
        known = _typed(first, rows, written() if first else {}, given, hive)
    elif set(first) != set(known.names):
        raise SchemaError(
            f"the paths have the keys {', '.join(first) or '(none)'} now, and had {', '.join(known.names) or '(none)'}",
            source=locations[0].label,
            hint="call the reader again.",
        )
    columns = [_column(field, [row[field.name] for row in rows], locations) for field in known]
    return pa.RecordBatch.from_arrays(columns, schema=known)


def keys_of_no_files(written: Mapping[str, pa.DataType], hive: Hive, given: Mapping[str, pa.DataType]) -> pa.Schema:
    """Return the keys that paths would have, if they were written as these types; `given` as for files."""
    return NO_KEYS if hive is False else _typed(dict.fromkeys(written), [], written, given, hive)


def _keys(folders: Sequence[str]) -> list[tuple[str, str | None]]:
    pairs: list[list[str]] = []
    for folder in folders:
        if pairs and folder.startswith(CONTINUED_KEY):
            pairs[-1][1] += folder.removeprefix(CONTINUED_KEY)
        elif "=" in folder[1:]:
            pairs.append(folder.split("=", 1))
    return [(_text(name), None if value == NULL_KEY else _text(value)) for name, value in pairs]


def _text(quoted: str) -> str:
    # A name that is no UTF-8 shows its bytes, as in the column of paths.
    return unquote(quoted).encode(errors="backslashreplace").decode()


def _typed(
    first: Keys,
    rows: Sequence[Keys],
    written: Mapping[str, pa.DataType],
    given: Mapping[str, pa.DataType],
    hive: Hive,
) -> pa.Schema:
    asked = dict(hive) if isinstance(hive, tuple) else {}
    for name in asked:
        if name not in first:
            raise SchemaError(
                f"hive: {name!r} is no key of the paths; those are: {', '.join(first) or '(none)'}", column=name
            )
    known = {**written, **given, **asked}
    return pa.schema([(name, known.get(name) or _type_of([row[name] for row in rows])) for name in first])


def _type_of(values: Sequence[str | None]) -> pa.DataType:
    present = {value for value in values if value is not None}
    # Months and days are written with two digits; more of them with a zero in front are a code, which is no number.
    number = r"-?(?:[0-9]{1,2}|[1-9][0-9]{0,18})"
    if present and all(re.fullmatch(number, value) and abs(int(value)) < 2**63 for value in present):
        return pa.int64()
    if present and all(re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value) for value in present):
        try:
            plain_texts(sorted(present)).cast(pa.date32())
        except pa.ArrowInvalid:  # the 31st of February
            return pa.string()
        return pa.date32()
    return pa.string()


def _column(field: pa.Field, values: Sequence[str | None], locations: Sequence[Location]) -> pa.Array:
    try:
        return plain_texts(values).cast(field.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        pass
    for value, location in zip(values, locations, strict=True):
        try:
            pa.array([value], pa.string()).cast(field.type)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise SchemaError(
                f"the key {field.name!r} is {value!r} in the path of {location.label}, "
                f"which is no {dtype_name(field.type)}",
                source=location.label,
                column=field.name,
                hint=f'pass hive={{{field.name!r}: "string"}}.',
            ) from error
    raise AssertionError("one value at a time fits, but not all")


def _named(pairs: Sequence[tuple[str, str | None]]) -> str:
    return ", ".join(name for name, _ in pairs) or "(none)"
