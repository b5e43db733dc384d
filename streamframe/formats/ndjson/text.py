"""Arrow arrays as JSON, for all rows at once.

Rules: a text is null where the value is; whoever puts texts together writes ``null`` there. What
stands around every value, such as quotes, is put on as late as possible: each pass over the text
costs as much as making it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from streamframe.native.text import JsonColumn
from streamframe.plain_values import numbers_of, plain_array, plain_scalar, text_scalar
from streamframe.schema import is_text

_NOTHING = text_scalar("")


class Text(NamedTuple):
    """A text for each row, and what stands before and behind those that are not null."""

    inner: pa.Array
    opening: str = ""
    closing: str = ""

    @property
    def whole(self) -> pa.Array:
        """The texts with what stands around them."""
        if not self.opening:
            return self.inner
        return pc.binary_join_element_wise(text_scalar(self.opening), self.inner, text_scalar(self.closing), _NOTHING)


def object_text(names: Sequence[str], columns: Sequence[pa.Array], *, end: str = "}") -> pa.Array:
    """Return an object for each row, ending in `end`."""
    pieces: list[pa.Array | pa.Scalar] = []
    before = "{"
    for name, column in zip(names, columns, strict=True):
        text = json_text(column)
        before += f"{json.dumps(name, ensure_ascii=False)}:"
        if text.inner.null_count:
            pieces += [text_scalar(before), text.whole]
            before = ","
        else:
            pieces += [text_scalar(before + text.opening), text.inner]
            before = text.closing + ","
    return _joined(*pieces, text_scalar(before.removesuffix(",") + end))


def json_column(array: pa.Array) -> JsonColumn:
    """Return what the kernel writes the JSON text of every value from; raises as `json_text` does."""
    if is_text(array.type):
        return JsonColumn(_text(array), "escaped", '"', '"')
    if pa.types.is_integer(array.type):
        return JsonColumn(array)
    if pa.types.is_floating(array.type):
        return JsonColumn(_text(array.cast(pa.float32()) if pa.types.is_float16(array.type) else array), "float")
    if pa.types.is_timestamp(array.type):
        return JsonColumn(_utc_text(array), "time", '"', _zone(array.type) + '"')
    text = json_text(array)
    return JsonColumn(text.inner, "as it is", text.opening, text.closing)


def json_text(array: pa.Array) -> Text:
    """Return the JSON text of every value; null for null, NaN and the infinities.

    Raises
    ------
    pyarrow.ArrowNotImplementedError
        If JSON has nothing for the type.
    """
    for known, write in _WRITERS:
        if known(array.type):
            return write(array)
    raise pa.ArrowNotImplementedError(f"{array.type} as JSON")


def _plain(array: pa.Array) -> Text:
    return Text(_text(array))


def _quoted(array: pa.Array) -> Text:
    return Text(_text(array), '"', '"')


def _string(array: pa.Array) -> Text:
    text = _text(array)
    for char in _special(text):
        text = pc.replace_substring(text, char, json.dumps(char)[1:-1])
    return Text(text, '"', '"')


def _special(text: pa.Array) -> list[str]:
    r"""Return the characters in these texts that JSON wants escaped, ``\`` first."""
    import numpy as np

    _, offsets, data = text.buffers()
    if data is None or not len(text):
        return []
    bounds = np.frombuffer(offsets, np.int32)
    content = np.frombuffer(data, np.uint8)[bounds[text.offset] : bounds[text.offset + len(text)]]
    found = [char for char in '\\"' if (content == ord(char)).any()]
    controls = content[content < ord(" ")]
    return found + [chr(code) for code in np.unique(controls)]


def _float(array: pa.Array) -> Text:
    if pa.types.is_float16(array.type):
        array = array.cast(pa.float32())
    text = _text(array)
    whole = pc.equal(array, pc.trunc(array))
    if pc.any(whole).as_py():
        # Arrow writes 1.0 as "1", which would read back as an integer.
        bare = pc.and_(whole, pc.invert(pc.match_substring(text, "e")))
        text = pc.binary_join_element_wise(text, pc.if_else(bare, text_scalar(".0"), _NOTHING), _NOTHING)
    finite = pc.is_finite(array)
    return Text(text if pc.all(finite).as_py() else pc.if_else(finite, text, pa.nulls(1, pa.string())[0]))


def _timestamp(array: pa.Array) -> Text:
    return Text(pc.replace_substring(_utc_text(array), " ", "T", max_replacements=1), '"', _zone(array.type) + '"')


def _utc_text(array: pa.Array) -> pa.Array:
    # An instant is the same in UTC; only that needs no knowledge of zones.
    return _text(array.view(pa.timestamp(array.type.unit)))


def _zone(kind: pa.TimestampType) -> str:
    return "" if kind.tz is None else "Z"


def _duration(array: pa.Array) -> Text:
    return _plain(array.view(pa.int64()))


def _base64(array: pa.Array) -> Text:
    values = [None if value is None else base64.b64encode(value).decode() for value in array.to_pylist()]
    return _quoted(pa.array(values, pa.string()))


def _list(array: pa.Array) -> Text:
    # Of a slice, Arrow's offsets count from the start of what was sliced, and null lists may have items.
    lengths = numbers_of(pc.coalesce(pc.list_value_length(array), plain_scalar(0)))
    return Text(_lists(array, lengths, json_text(array.flatten()).whole), "[", "]")


def _map(array: pa.Array) -> Text:
    if pa.types.is_nested(array.type.key_type):
        raise pa.ArrowNotImplementedError(f"{array.type.key_type} as a name in an object")
    offsets = numbers_of(array.offsets)
    keys, items = (side.slice(offsets[0], offsets[-1] - offsets[0]) for side in (array.keys, array.items))
    name = json_text(keys)
    name = Text(name.inner, name.opening or '"', name.closing or '"')
    entries = _joined(name.whole, text_scalar(":"), json_text(items).whole)
    return Text(_lists(array, offsets[1:] - offsets[:-1], entries), "{", "}")


def _lists(array: pa.Array, lengths: Any, items: pa.Array) -> pa.Array:
    """Return `items`, so many for each row, with commas between them."""
    import numpy as np

    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    lists = pa.ListArray.from_arrays(plain_array(offsets), pc.coalesce(items, text_scalar("null")))
    return _where_valid(array, pc.binary_join(lists, text_scalar(",")))


def _struct(array: pa.Array) -> Text:
    if not array.type.num_fields:
        return Text(_where_valid(array, pa.repeat(text_scalar("{}"), len(array))))
    names = [field.name for field in array.type]
    return Text(_where_valid(array, object_text(names, array.flatten())))


def _where_valid(array: pa.Array, text: pa.Array) -> pa.Array:
    return pc.if_else(array.is_valid(), text, pa.nulls(1, pa.string())[0]) if array.null_count else text


def _text(array: pa.Array) -> pa.Array:
    return array.cast(pa.string())


def _joined(*pieces: pa.Array | pa.Scalar) -> pa.Array:
    return pc.binary_join_element_wise(*pieces, _NOTHING, null_handling="replace", null_replacement="null")


def _is_binary(kind: pa.DataType) -> bool:
    is_small = pa.types.is_binary(kind) or pa.types.is_fixed_size_binary(kind)
    return bool(is_small or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind))


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


_WRITERS: list[tuple[Callable[[pa.DataType], bool], Callable[[pa.Array], Text]]] = [
    (is_text, _string),
    (pa.types.is_integer, _plain),
    (pa.types.is_floating, _float),
    (pa.types.is_boolean, _plain),
    (pa.types.is_null, lambda array: Text(pa.nulls(len(array), pa.string()))),
    (pa.types.is_timestamp, _timestamp),
    (pa.types.is_date, _quoted),
    (pa.types.is_time, _quoted),
    (pa.types.is_duration, _duration),
    (pa.types.is_decimal, _quoted),
    (_is_binary, _base64),
    (pa.types.is_struct, _struct),
    (_is_list, _list),
    (pa.types.is_fixed_size_list, lambda array: _list(array.cast(pa.list_(array.type.value_type)))),
    (pa.types.is_map, _map),
    (pa.types.is_dictionary, lambda array: json_text(array.dictionary_decode())),
    (pa.types.is_run_end_encoded, lambda array: json_text(pc.run_end_decode(array))),
    (lambda kind: isinstance(kind, pa.BaseExtensionType), lambda array: json_text(array.storage)),
]
