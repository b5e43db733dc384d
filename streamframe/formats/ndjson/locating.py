"""From a line that was refused to an error that names what is wrong with it, and the remedy."""

from __future__ import annotations

import json
import re
from typing import Literal

import pyarrow as pa

from streamframe.errors import DecodeError, SchemaError, StreamError
from streamframe.formats.ndjson.exactness import is_rounded
from streamframe.formats.ndjson.inference import has_half, infer_type, is_too_deep
from streamframe.formats.ndjson.mending import Member, items, members
from streamframe.formats.ndjson.parsing import reads, surely_refused
from streamframe.formats.sniffing import ENCODING_HINT, other_format
from streamframe.formats.wording import not_text, quoted, shortened
from streamframe.formats.zones import zone_hint
from streamframe.schema import dtype_name

Unit = Literal["line", "element"]
_INTEGER = re.compile(r"-?\d+")
# Where Python finds half of a pair of UTF-16, it could find no other half.
_HALF = re.compile("[\ud800-\udfff]")
_HALF_HINT = 'write both halves of the letter, or \\ufffd for it; errors="quarantine" sets such rows aside.'
_SHOWN_VALUE = 60
_SHOWN_LINE = 80
_KINDS = {"[": "an array", '"': "text", "t": "a boolean", "f": "a boolean", "n": "null"}


def refused(
    line: bytes,
    schema: pa.Schema,
    text: frozenset[str],
    *,
    strict: bool,
    encoding: str = "utf-8",
    unit: Unit = "line",
    exact: frozenset[str] = frozenset(),
) -> StreamError:
    """Return the error for a line that cannot be read.

    Parameters
    ----------
    line
        The line, without whitespace around it.
    schema
        The columns that are wanted.
    text
        Columns that take any value.
    strict
        Every field must be a column.
    encoding
        What the text was written in.
    unit
        What holds a record: a line, or an element of an array.
    exact
        Columns in which no digit of a whole number may be lost.
    """
    try:
        decoded = line.decode()
    except UnicodeDecodeError as error:
        around = line[max(0, error.start - 20) :]
        return DecodeError(not_text(around, _SHOWN_VALUE, encoding), hint=other_format(line) or ENCODING_HINT)
    if hint := other_format(line):
        return DecodeError("not NDJSON", hint=hint)
    if decoded[0] != "{":
        return _no_object(decoded, unit)
    try:
        found = members(decoded)
    except json.JSONDecodeError as error:
        return _no_json(decoded, error, unit)
    except RecursionError:
        return _nested_too_deeply()
    if is_too_deep(line, {member.key: member.value for member in found if member.key not in text}):
        return _nested_too_deeply()
    return _bad_member(found, schema, text, exact, strict=strict) or DecodeError(
        f"cannot be read as NDJSON: {shortened(decoded, _SHOWN_LINE)!r}"
    )


def _nested_too_deeply() -> DecodeError:
    return DecodeError("an object is nested too deeply", hint="no reader of ours goes deeper than some hundred levels.")


def _no_object(line: str, unit: Unit) -> DecodeError:
    hint = "NDJSON has one object in each line: {...}; or all objects stand in one array."
    if unit == "element":
        hint = "each element of the array has to be an object: {...}."
    if line[0] == "[":
        hint += " Arrays in arrays have to be taken apart first: jq -c '.[][]'."
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        if line[0] != "[":
            return DecodeError(f"not JSON: {shortened(line, _SHOWN_LINE)!r}", hint=hint)
    holds = "an element is" if unit == "element" else "a line holds"
    return DecodeError(
        f"{holds} {_KINDS.get(line[0], 'a number')}, not an object: {shortened(line, _SHOWN_LINE)!r}", hint=hint
    )


def _no_json(line: str, error: json.JSONDecodeError, unit: Unit) -> DecodeError:
    if error.msg == "Extra data" and line[error.pos] == "{":
        hint = "NDJSON has one object in each line; cut it first: jq -c ."
        if unit == "element":
            hint = "a comma is missing between them."
        return DecodeError(f"two objects in one {unit}: {shortened(line, _SHOWN_LINE)!r}", hint=hint)
    near = line[max(0, error.pos - _SHOWN_VALUE // 2) :]
    hint = "look at that place."
    if unit == "line":
        hint += (
            " If each object is spread over several lines, join them first: jq -c . "
            "If the file is one object that holds the rows, take them out: jq -c '.rows[]'."
        )
    return DecodeError(
        f"not JSON: {error.msg} at character {error.pos + 1:,} of the {unit}, near {shortened(near, _SHOWN_VALUE)!r}",
        hint=hint,
    )


def _bad_member(
    found: list[Member], schema: pa.Schema, text: frozenset[str], exact: frozenset[str], *, strict: bool
) -> StreamError | None:
    seen = set()
    for member in found:
        name = member.key
        if _HALF.search(name):
            # No column can be called so.
            return DecodeError(f"the name {name!r} has half of a pair of UTF-16, which is no letter", hint=_HALF_HINT)
        if name not in schema.names:
            if not strict:
                continue
            return _unknown(name, member)
        if name in seen:
            return DecodeError(f"column {name!r} stands twice in one object", column=name, hint="keep one of them.")
        seen.add(name)
        if (name not in text or _is_half(member)) and (
            error := _bad_value(name, name, member, schema.field(name).type, exact=name in exact)
        ):
            return error
    return None


def _bad_value(column: str, path: str, member: Member, kind: pa.DataType, *, exact: bool) -> StreamError | None:
    """Return what is wrong with a value, at the deepest place that can be named."""
    is_read = not surely_refused(member.value, kind) and reads(member.text, kind)
    if is_read and not (exact and is_rounded(member.text, kind)):
        return None
    if pa.types.is_struct(kind) and isinstance(member.value, dict):
        seen = set()
        for inner in members(member.text):
            below = f"{path}.{inner.key}"
            if kind.get_field_index(inner.key) < 0:
                return _unknown_below(column, below, inner)
            if inner.key in seen:
                return DecodeError(f"field {below!r} stands twice in one object", column=column)
            seen.add(inner.key)
            if error := _bad_value(column, below, inner, kind.field(inner.key).type, exact=exact):
                return error
    if pa.types.is_list(kind) and isinstance(member.value, list):
        for inner in items(member.text):
            if error := _bad_value(column, f"{path}[]", inner, kind.value_type, exact=exact):
                return error
    place = f"column {column!r}" if path == column else f"column {column!r}, field {path!r}"
    if _is_half(member):
        return DecodeError(
            f"{place}: {shortened(member.text, _SHOWN_VALUE)} has half of a pair of UTF-16, which is no letter",
            column=column,
            hint=_HALF_HINT,
        )
    keeping = " without losing digits" if is_read else ""
    return DecodeError(
        f"{place}: cannot read {shortened(member.text, _SHOWN_VALUE)} as {dtype_name(kind)}{keeping}",
        column=column,
        hint=_hint(column, member, kind, nested=path != column),
    )


def _is_half(member: Member) -> bool:
    return isinstance(member.value, str) and _HALF.search(member.value) is not None


def _unknown(name: str, member: Member) -> SchemaError:
    if has_half(member.value):
        kind = pa.string()
    else:
        kind = pa.int64() if _INTEGER.fullmatch(member.text) else infer_type([member.value])
    # The type of an object has no name that could be pasted.
    word = "string" if "struct" in str(kind) else dtype_name(kind)
    return SchemaError(
        f"field {name!r} is new: no record of the sample has it; here it is {shortened(member.text, _SHOWN_VALUE)}",
        column=name,
        hint=f"pass dtype={{{quoted(name)}: {quoted(word)}}} to read it, or columns=[...] without it to leave it out.",
    )


def _unknown_below(column: str, path: str, member: Member) -> SchemaError:
    return SchemaError(
        f"column {column!r}, field {path!r} is new: no record of the sample has it; "
        f"here it is {shortened(member.text, _SHOWN_VALUE)}",
        column=column,
        hint=_whole_hint(column),
    )


def _hint(column: str, member: Member, kind: pa.DataType, *, nested: bool) -> str:
    if nested or pa.types.is_nested(kind):
        return _whole_hint(column)
    if pa.types.is_floating(kind) and _INTEGER.fullmatch(member.text):
        return f'pass dtype={{{quoted(column)}: "string"}}, which keeps all digits, or "float64", which rounds.'
    if isinstance(member.value, str) and (hint := zone_hint(column, member.value, kind)):
        return hint
    word = _wider(member, kind)
    is_huge = pa.types.is_integer(kind) and _INTEGER.fullmatch(member.text) and word == "string"
    more = ", which keeps all digits (float64 rounds)" if is_huge else ""
    return f"pass dtype={{{quoted(column)}: {quoted(word)}}}{more}."


def _wider(member: Member, kind: pa.DataType) -> str:
    """Return the type that holds this value too."""
    if pa.types.is_integer(kind) and _INTEGER.fullmatch(member.text):
        if -(2**63) <= member.value < 2**63 and kind != pa.int64():
            return "int64"
        return "uint64" if 0 <= member.value < 2**64 and kind != pa.uint64() else "string"
    if pa.types.is_integer(kind) and isinstance(member.value, float):
        return "float64"
    return "string"


def _whole_hint(column: str) -> str:
    return (
        f'pass dtype={{{quoted(column)}: "string"}} to read the whole value as JSON text, or its type as a pyarrow one.'
    )
