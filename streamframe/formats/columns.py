"""What the columns of a file have to be: found by name, and those of the first file."""

from __future__ import annotations

import pyarrow as pa

from streamframe.errors import SchemaError
from streamframe.warn import warn


def require_unique(schema: pa.Schema, label: str) -> None:
    """Raise `SchemaError` if two columns have one name."""
    for name in schema.names:
        if schema.get_field_index(name) < 0:
            raise SchemaError(
                f"{label} has more than one column named {name!r}",
                source=label,
                column=name,
                hint="write the file again with names that differ: columns are found by name.",
            )


def require_columns(found: pa.Schema, expected: pa.Schema, label: str) -> None:
    """Raise `SchemaError` if a column of the first file is missing here, or of another type; tell of new ones."""
    names, known = frozenset(found.names), frozenset(expected.names)
    added = [name for name in found.names if name not in known]
    if added:
        others = f" and {len(added) - 1:,} more" if len(added) > 1 else ""
        warn(
            f"{label} has a column {added[0]!r}{others}, which the first file does not have; it is left out: "
            'pass schema="union" to have it'
        )
    for field in expected:
        if field.name not in names:
            raise SchemaError(
                f"{label} has no column {field.name!r}, which the first file has",
                source=label,
                column=field.name,
                hint='pass schema="union": what a file lacks is null.',
            )
        if found.field(field.name).type != field.type:
            raise SchemaError(
                f"column {field.name!r} is {found.field(field.name).type} in {label}, "
                f"but {field.type} in the first file",
                source=label,
                column=field.name,
                hint='pass schema="union": types are widened where nothing is lost.',
            )
