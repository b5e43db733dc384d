"""Dirty text, and what Python's own readers make of it: the judge of `test_text_cut_anywhere`.

Each text is put between records without a fault. A record is good, or it is rejected; nothing else becomes of it.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pyarrow as pa

CSV_SCHEMA = pa.schema([("a", pa.string()), ("b", pa.string())])
NDJSON_SCHEMA = pa.schema(
    {
        "id": pa.int64(),
        "x": pa.float64(),
        "s": pa.string(),
        "on": pa.bool_(),
        "of": pa.struct({"y": pa.int64()}),
        "l": pa.list_(pa.int64()),
    }
)
CSV_NULLS = {"", "NA", "null", "NaN"}


@dataclass(frozen=True)
class DirtyCsv:
    """Text between good records; `options` are those of the reader, `first` stands before everything."""

    text: str | bytes
    options: dict[str, Any] = field(default_factory=dict)
    first: str = ""
    # Without a comment and the lines to skip, which Python's reader does not know.
    for_python: str | None = None
    ended: bool = True

    def data(self, around: int) -> bytes:
        """Return the file, with so many good records before and behind."""
        return self._first() + self._bytes(around, self.text)

    def python_rows(self, around: int) -> list[list[str | None]]:
        """Return the records that Python finds, of as many fields as they may be."""
        text = self.text if self.for_python is None else self.for_python
        data = self._bytes(around, text)
        encoding = self.options.get("encoding", "utf-8")
        reader = csv.reader(
            io.StringIO(data.decode(encoding).removeprefix("\ufeff"), newline=""),
            delimiter=self._sep,
            quotechar=self.options.get("quotechar", '"'),
            escapechar=self.options.get("escapechar"),
            quoting=csv.QUOTE_NONE
            if "quotechar" in self.options and not self.options["quotechar"]
            else csv.QUOTE_MINIMAL,
        )
        return [with_nulls(row) for row in reader if row]

    @property
    def _sep(self) -> str:
        return str(self.options.get("sep", ","))

    def _first(self) -> bytes:
        return self.first.encode(self.options.get("encoding", "utf-8"))

    def _bytes(self, around: int, text: str | bytes) -> bytes:
        encoding = self.options.get("encoding", "utf-8")
        good = "".join(f"{row}{self._sep}good {row}\n" for row in range(around))
        middle = text if isinstance(text, bytes) else text.encode(encoding)
        behind = ("\n" + good if good else "\n").encode(encoding) if self.ended else b""
        return good.encode(encoding) + middle + behind


def with_nulls(row: Iterable[str | None]) -> list[str | None]:
    """Return the values of a record; Python does not tell whether a word for null stood in quotes."""
    return [None if value in CSV_NULLS else value for value in row]


CSV = {
    "quoted newlines": DirtyCsv('"a\nb","\n\n"\n"\r\n","\r"'),
    "doubled quotes": DirtyCsv('"a""b",""""\n"""",""""""""'),
    "quoted separators": DirtyCsv('",","a,b,c"\n",\n,",x'),
    "a stray quote in a field": DirtyCsv('5" pipe,7"\nx"y"z,z"'),
    "stray quotes that hide a newline": DirtyCsv('a",b"\n"c\n",d'),
    "text behind a closing quote": DirtyCsv('"a"b,"c"d"e\n"f" ,"g"""'),
    "a space before a quote": DirtyCsv(' "a",b\n\t"c", "d"'),
    "a quote that is never closed": DirtyCsv('a,"b\nc,d\n', ended=False),
    "CRLF": DirtyCsv("a,b\r\nc,d\r\n\r\ne,f\r"),
    "CR alone": DirtyCsv("a,b\rc,d\r\re,f"),
    "all kinds of newlines": DirtyCsv("a,b\rc,d\n\re,f\r\n\r\n\n\rg,h\n\n"),
    "blank lines": DirtyCsv("\n\n\na,b\n\n\n"),
    "lines of spaces": DirtyCsv("a,b\n   \n\t\nc,d"),
    "no final newline": DirtyCsv("a,b\nc,d", ended=False),
    "no final newline behind a quote": DirtyCsv('a,b\nc,"d"', ended=False),
    "a byte order mark": DirtyCsv("a,b", first="\ufeff"),
    "a byte order mark further on": DirtyCsv("\ufeffa,b\n\ufeff\n"),
    "too few fields": DirtyCsv("a\nb,c\nd"),
    "too many fields": DirtyCsv("a,b,c\nd,e\nf,g,h,i\n,,"),
    "empty fields": DirtyCsv(',\n"",\n,""\n"",""'),
    "words for null": DirtyCsv("NA,null\nNaN,x"),
    "NUL bytes": DirtyCsv('a\0b,\0\n"\0",\0\0'),
    "control characters": DirtyCsv("a\x01b,\x1f\x0b\x0c\n\x7f,\x1a"),
    "letters of several bytes": DirtyCsv('é,日本\n"日\n本",😀\n😀😀,"é""é"'),
    "separators of Unicode": DirtyCsv("a\u2028b,c\u2029\nd\u0085e,f\u00a0"),
    "tabs between fields": DirtyCsv('a,b\tc\n"d\te"\tf', {"sep": "\t"}),
    "semicolons between fields": DirtyCsv('1,5;"a;b"\n"2,5";c', {"sep": ";"}),
    "single quotes": DirtyCsv("'a,b',\"c\n'd''e','\n'", {"quotechar": "'"}),
    "no quotes at all": DirtyCsv('"a,b"\n"c,"d', {"quotechar": None}),
    "an escape character": DirtyCsv('a\\"b,"c\\"d"\n"e\\\nf",g\\,h', {"escapechar": "\\"}),
    "comments": DirtyCsv(
        '#"a,\na,b\n#\nc,#d\n# e,f\n', {"comment": "#"}, for_python="a,b\nc,#d\n", first='# first "\n'
    ),
    "lines to skip": DirtyCsv("a,b", {"skip_rows": 2}, first='"x\n\n'),
    "Latin-1": DirtyCsv('é,"ÿ\n"', {"encoding": "latin-1"}),
    "Windows-1252": DirtyCsv('€,"œ"', {"encoding": "cp1252"}),
    "UTF-16": DirtyCsv('é,"日\n本"\n😀,b', {"encoding": "utf-16-le"}),
    "a long field": DirtyCsv("a," + "b" * 300 + '\n"' + "c\n" * 100 + '",d'),
    "many quotes": DirtyCsv('"' + '""' * 60 + '","' + '""' * 61 + '"'),
    "nothing": DirtyCsv("", ended=False),
}

NDJSON: dict[str, str | bytes] = {
    "CRLF": '{"id":1}\r\n{"id":2}\r\n\r\n{"id":3}\r',
    "blank lines": '\n\n{"id":1}\n  \n\t\n\n',
    "spaces around": '   {"id":1}\t\n\t{ "id" : 2 , "s" : "a" }  ',
    "no final newline": '{"id":1}\n{"id":2}',
    "a line that is cut": '{"id":1}\n{"id":2,"s":"a',
    "a text that is never closed": '{"s":"a}\n{"id":1}',
    "quotes and newlines in text": '{"s":"a\\"b\\n\\r\\t\\\\"}\n{"s":"\\\\\\""}',
    "escapes of Unicode": '{"s":"\\u00e9\\ud83d\\ude00\\u0000"}',
    "half of a pair": '{"s":"\\ud83d"}\n{"s":"\\ude00x"}\n{"id":1}',
    "an unknown escape": '{"s":"\\x41"}\n{"s":"\\u12"}\n{"id":1}',
    "control characters in text": '{"s":"a\x01b"}\n{"s":"a\tb"}\n{"id":1}',
    "letters of several bytes": '{"s":"é日本😀"}\n{"s":"\u2028\u0085"}',
    "braces in text": '{"s":"}{"}\n{"s":"]["}\n{"s":"{\\"a\\":1}"}',
    "bytes that are no UTF-8": b'{"s":"\xff\xfe"}\n{"id":1}\n{"s":"\xc3"}',
    "NUL": b'{"s":"a\x00b"}\n\x00\n{"id":1}',
    "objects in objects": '{"of":{"y":1}}\n{"of":{}}\n{"of":null}\n{"of":{"y":null}}',
    "a wrong value in an object": '{"of":{"y":"a"}}\n{"of":[]}\n{"of":1}\n{"of":{"y":2}}',
    "a new field in an object": '{"of":{"z":1}}\n{"of":{"y":1,"z":{}}}',
    "arrays": '{"l":[1,2]}\n{"l":[]}\n{"l":null}\n{"l":[null,3]}',
    "a wrong value in an array": '{"l":[1,"a"]}\n{"l":{}}\n{"l":[[1]]}\n{"l":[2.5]}',
    "fields in another order": '{"s":"a","id":1}\n{"l":[1],"x":2,"id":3}',
    "a field that is new": '{"id":1,"new":2}\n{"id":2}\n{"new":{"id":3}}',
    "a field that stands twice": '{"id":1,"id":2}\n{"id":3}',
    "no fields": "{}\n{ }\n{\t}",
    "nulls": '{"id":null,"x":null,"s":null,"on":null,"of":null,"l":null}',
    "large integers": '{"id":9223372036854775807}\n{"id":9223372036854775808}\n{"id":-9223372036854775808}',
    "integers with a fraction": '{"id":1.0}\n{"id":1.5}\n{"id":1e3}\n{"id":2}',
    "numbers": '{"x":1}\n{"x":-0.0}\n{"x":1e300}\n{"x":1E-5}\n{"x":123456789012345678}',
    "numbers that are none": '{"x":+1}\n{"x":.5}\n{"x":1.}\n{"x":01}\n{"x":0x1}\n{"x":1}',
    "words that are none": '{"on":True}\n{"on":yes}\n{"on":nul}\n{"on":true}\n{"on":false}',
    "values of another type": '{"id":"1"}\n{"s":1}\n{"on":1}\n{"x":"1"}\n{"id":true}\n{"x":false}\n{"id":5}',
    "a comma too many": '{"id":1,}\n{"id":1,,"s":"a"}\n{,}\n{"l":[1,]}\n{"id":2}',
    "single quotes": "{'id':1}\n{id:1}\n{\"id\":2}",
    "no object": '[]\n[1]\n1\n"a"\nnull\ntrue\n{"id":1}',
    "two objects in a line": '{"id":1}{"id":2}\n{"id":3} {"id":4}\n{"id":5},{"id":6}',
    "an object in two lines": '{"id":\n1}\n{\n}\n{"id":2}',
    "more behind an object": '{"id":1} x\n{"id":2}]\n{"id":3}}\n{"id":4}',
    "comments": '// a\n{"id":1} // b\n/* {"id":2} */\n# c',
    "a byte order mark further on": '\ufeff{"id":1}\n{"id":2}',
    "deep arrays": '{"l":' + "[" * 60 + "]" * 60 + '}\n{"id":1}',
    "a long text": '{"s":"' + "ab\\n" * 120 + '"}\n{"id":1}',
}


def ndjson_data(name: str, around: int) -> bytes:
    """Return the file, with so many good records before and behind."""
    text = NDJSON[name]
    middle = text if isinstance(text, bytes) else text.encode()
    good = "".join(f'{{"id":{row},"s":"good"}}\n' for row in range(around)).encode()
    return good + middle + (b"\n" + good if good else b"")


def python_row(line: bytes) -> dict[str, Any] | None:
    """Return the row that a line holds, None if it holds none: strict JSON, each value of its column's type."""
    try:
        value = json.loads(line.decode(), object_pairs_hook=_members, parse_constant=_refuse)
        # JSON may name half of a pair, which no text can hold.
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or not _is_of(value, pa.struct(list(NDJSON_SCHEMA))):
        return None
    return {field.name: _filled(value.get(field.name), field.type) for field in NDJSON_SCHEMA}


def keeps_digits(number: int) -> bool:
    """Tell whether a whole number is a float, or what one is written as."""
    return Decimal(number) in {Decimal(float(number)), Decimal(repr(float(number)))}


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a name stands twice")
    return dict(pairs)


def _refuse(word: str) -> float:
    raise ValueError(f"{word} is not JSON")


def _is_of(value: Any, kind: pa.DataType) -> bool:
    if value is None:
        return True
    if pa.types.is_struct(kind):
        names = {field.name: field.type for field in kind}
        return isinstance(value, dict) and all(
            name in names and _is_of(inner, names[name]) for name, inner in value.items()
        )
    if pa.types.is_list(kind):
        return isinstance(value, list) and all(_is_of(inner, kind.value_type) for inner in value)
    if pa.types.is_floating(kind):
        return type(value) is float or (type(value) is int and keeps_digits(value))
    if pa.types.is_integer(kind):
        return type(value) is int and -(2**63) <= value < 2**63
    return type(value) is (bool if pa.types.is_boolean(kind) else str)


def _filled(value: Any, kind: pa.DataType) -> Any:
    if pa.types.is_floating(kind) and value is not None:
        return float(value)
    if pa.types.is_struct(kind) and value is not None:
        return {field.name: _filled(value.get(field.name), field.type) for field in kind}
    return value
