r"""What a user can say about how CSV is spelled.

Rule: a style that could not be read back is refused at the call; where only a value can tell, the value is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from streamframe.errors import PlanError
from streamframe.formats.csv.dialect import Dialect
from streamframe.plain_values import plain_texts, text_scalar

Quoting = Literal["needed", "all", "none"]
_CHOICES = {
    "quoting": ("needed", "all", "none"),
    "line_terminator": ("\n", "\r\n"),
    "encoding": ("utf-8", "utf-8-sig"),
}
# What spreadsheets take for a formula: https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA = r"\A([=+\-@\t\r])"


@dataclass(frozen=True)
class CsvStyle:
    """The options of `to_csv` that concern the text, checked."""

    sep: str = ","
    quoting: Quoting = "needed"
    quotechar: str = '"'
    line_terminator: str = "\n"
    na_rep: str = ""
    formula_guard: bool = False
    encoding: str = "utf-8"

    def __post_init__(self) -> None:
        for argument, known in _CHOICES.items():
            if (value := getattr(self, argument)) not in known:
                raise PlanError(f"{argument}={value!r} is not known", hint=f"use one of {', '.join(map(repr, known))}.")
        if self.quotechar is None:
            raise PlanError("quotechar needs a character", hint='pass quoting="none" to write no quotes.')
        Dialect(sep=self.sep, quotechar=self.quotechar)
        if not isinstance(self.na_rep, str) or any(
            char in self.na_rep for char in (self.sep, self.quotechar, *'"\r\n')
        ):
            raise PlanError(
                f"na_rep needs text without separator, quote and line end, got {self.na_rep!r}", hint='such as "NULL".'
            )
        if not isinstance(self.formula_guard, bool):
            raise PlanError(f"formula_guard needs True or False, got {self.formula_guard!r}")

    def head(self, names: list[str], *, header: bool) -> bytes:
        """Return what a file starts with."""
        start = b"\xef\xbb\xbf" if self.encoding == "utf-8-sig" else b""
        if not header:
            return start
        texts = plain_texts(names).cast(pa.large_string())
        texts = guarded(texts) if self.formula_guard else texts
        if self.quoting == "none":
            for name in texts.to_pylist():
                if any(char in name for char in (self.sep, *'"\r\n')):
                    raise PlanError(
                        f"the column name {name!r} needs quotes", hint='rename the column, or pass quoting="needed".'
                    )
        else:
            texts = quoted(texts, self.quotechar)
        return start + (self.sep.join(texts.to_pylist()) + self.line_terminator).encode()


def is_text(kind: pa.DataType) -> bool:
    """Tell whether values of this type can hold any text."""
    if pa.types.is_dictionary(kind):
        return is_text(kind.value_type)
    return any(
        test(kind)
        for test in (
            pa.types.is_string,
            pa.types.is_large_string,
            pa.types.is_string_view,
            pa.types.is_binary,
            pa.types.is_large_binary,
            pa.types.is_binary_view,
            pa.types.is_fixed_size_binary,
        )
    )


def as_text(values: pa.Array) -> pa.Array:
    """Return values as text, spelled as Arrow spells them in CSV."""
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    return values.cast(pa.large_string())


def guarded(text: pa.Array) -> pa.Array:
    """Return text with an apostrophe before what a spreadsheet would compute.

    Examples
    --------
    >>> import pyarrow as pa
    >>> guarded(pa.array(["=1+1", "1-1", None])).to_pylist()
    ["'=1+1", '1-1', None]
    """
    return pc.replace_substring_regex(text, _FORMULA, r"'\1")


def quoted(text: pa.Array, quotechar: str) -> pa.Array:
    """Return text in quotes, with those inside it doubled."""
    inner = pc.replace_substring(text, quotechar, 2 * quotechar)
    return _concatenated(quotechar, inner, quotechar)


def joined(batch: pa.RecordBatch, style: CsvStyle, null: str) -> bytes:
    """Return the text of a batch with a quote of another kind than Arrow's, which knows one only."""
    columns = []
    for column in batch.columns:
        text = as_text(column)
        if style.quoting == "all" or is_text(column.type):
            text = quoted(text, style.quotechar)
        columns.append(pc.coalesce(text, text_scalar(null).cast(text.type)))
    lines = _concatenated(*columns, between=style.sep)
    ended = _concatenated(lines, style.line_terminator)
    return "".join(ended.to_pylist()).encode()


def _concatenated(*texts: pa.Array | str, between: str = "") -> pa.Array:
    # Arrow joins only what is of one type.
    typed = [text_scalar(text).cast(pa.large_string()) if isinstance(text, str) else text for text in (*texts, between)]
    return pc.binary_join_element_wise(*typed)
