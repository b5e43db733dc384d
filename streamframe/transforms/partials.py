"""Reduce a batch to one row a group, and such rows to fewer, as often as need be.

Rules: partials say where each group was first seen, since Arrow gives groups in no certain order.
All zeros are one key, and all NaNs. A sum that might overflow is carried in a wider type, since
Arrow's own sums wrap around without a word.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streamframe.errors import DecodeError, SchemaError
from streamframe.expr import Expr, evaluate_all
from streamframe.native.groups import Groups
from streamframe.plain_values import plain_array
from streamframe.schema import dtype_name
from streamframe.transforms.aggregates import Aggregate, carrier, result_field
from streamframe.transforms.select import computed_field, output_name

# The column of the partials that says where a group was first seen.
FIRST = "first"
# The tables that Arrow needs meanwhile take several times the bytes of its input.
_REDUCED_ROWS = 65_536
# The kernels need each column in one piece: a copy, which is not worth its memory where there are many groups.
_COPIED_BYTES = 1 << 20
_WIDE_INTEGER = pa.decimal128(38, 0)
# What Acero wants to know: columns, function, options, name of the result.
_Step = tuple[str | list[str], str, Any, str]


@dataclass(frozen=True)
class Reduction:
    """One column of the partials: a function of an operand, which is None for rows."""

    function: str
    operand: int | None
    dtype: pa.DataType | None

    @property
    def name(self) -> str:
        """The column's name in the partials."""
        return f"{self.function}{'' if self.operand is None else self.operand}"


class Layout:
    """What the partials of a group-by look like, for an input of this schema.

    Parameters
    ----------
    keys : sequence of Expr
        What rows are grouped by; without any, all rows are one group.
    aggregates : sequence of (str, Aggregate)
        What is computed of each group, by the names of the results.
    schema : pyarrow.Schema
        The input.
    """

    def __init__(self, keys: Sequence[Expr], aggregates: Sequence[tuple[str, Aggregate]], schema: pa.Schema) -> None:
        self._exprs = list(keys)
        fields = [_key_field(computed_field(output_name(key), key, schema)) for key in keys]
        self.keys = [f"key{number}" for number in range(len(keys))]
        self._results: list[tuple[str, list[Reduction]]] = []
        for name, aggregate in aggregates:
            operand = None
            at = None
            if aggregate.operand is not None:
                operand = computed_field(aggregate.operand.name or name, aggregate.operand, schema)
                at = self._place(aggregate.operand)
            fields.append(result_field(name, aggregate.function, operand))
            parts = ("sum", "count") if aggregate.function == "mean" else (aggregate.function,)
            dtypes = [None if operand is None else carrier(part, operand.type) for part in parts]
            reductions = [Reduction(part, at, dtype) for part, dtype in zip(parts, dtypes, strict=True)]
            self._results.append((aggregate.function, reductions))
        self.schema = pa.schema(fields)

    def _place(self, operand: Expr) -> int:
        """Return where among the computed columns an operand is: a plain column is there once."""
        for place, known in enumerate(self._exprs):
            if known is operand or (known.column is not None and known.column == operand.column):
                return place
        self._exprs.append(operand)
        return len(self._exprs) - 1

    @cached_property
    def reductions(self) -> tuple[Reduction, ...]:
        """The columns of the partials behind the keys."""
        return tuple(dict.fromkeys(each for _, parts in self._results for each in parts))

    def reduce(self, data: pa.RecordBatch, kept: pa.BooleanArray | None = None) -> pa.RecordBatch:
        """Return the partials of one input batch; a group of a large batch may be in more than one.

        Only rows count that are `kept`. Where the kernels take that, none of them is copied.
        """
        if kept is not None:
            # What is computed might fail on a row that was left out.
            plain = all(expr.column is not None for expr in self._exprs)
            made = self._by_kernel(evaluate_all(self._exprs, data), kept) if plain else None
            if made is not None:
                return made
            data = data.filter(kept)
        values = evaluate_all(self._exprs, data)
        made = self._by_kernel(values)
        if made is not None:
            return made
        pieces = []
        for start in range(0, max(1, data.num_rows), _REDUCED_ROWS):
            piece = [array.slice(start, _REDUCED_ROWS) for array in values]
            pieces.append(self._by_arrow(piece, min(_REDUCED_ROWS, data.num_rows - start), start))
        return pieces[0] if len(pieces) == 1 else pa.concat_batches(alike(pieces))

    def _by_kernel(self, values: Sequence[pa.Array], kept: pa.BooleanArray | None = None) -> pa.RecordBatch | None:
        """Return the partials of some rows; None if that takes Arrow."""
        keys = values[: len(self.keys)]
        groups = Groups.of([key.indices if pa.types.is_dictionary(key.type) else key for key in keys], kept)
        if groups is None:
            return None
        wanted: list[tuple[str, pa.Array | None]] = []
        for each in self.reductions:
            operand = None if each.operand is None or each.dtype is None else values[each.operand]
            if operand is not None and each.function != "count":
                operand = _cast(operand, each.dtype)
            wanted.append((each.function if operand is not None else "count", operand))
        made = groups.reduce(wanted)
        if made is None:
            return None
        firsts = plain_array(groups.firsts)
        columns = {name: _key(key.take(firsts)) for name, key in zip(self.keys, keys, strict=True)}
        columns |= {each.name: array for each, array in zip(self.reductions, made, strict=True)}
        columns[FIRST] = plain_array(groups.firsts.astype(np.int64))
        return pa.RecordBatch.from_pydict(columns)

    def _by_arrow(self, values: Sequence[pa.Array], rows: int, start: int) -> pa.RecordBatch:
        columns: dict[str, pa.Array] = {}
        dictionaries: dict[str, pa.Array] = {}
        for key, array in zip(self.keys, values, strict=False):
            if pa.types.is_dictionary(array.type):
                dictionaries[key], columns[key] = array.dictionary, array.indices
            else:
                columns[key] = _key(array)
        steps: list[_Step] = []
        for each in self.reductions:
            if each.operand is None or each.dtype is None:
                steps.append(([], "count_all", None, each.name))
                continue
            columns[each.name] = _carried(values[each.operand], each)
            options = pc.CountOptions("only_valid") if each.function == "count" else None
            steps.append((each.name, each.function, options, each.name))
        if self.keys:
            columns[FIRST] = pa.arange(start, start + rows)
            steps.append((FIRST, "min", None, FIRST))
        # Acero counts no rows where there is no column.
        columns = columns or {"rows": pa.nulls(rows)}
        made = _grouped(pa.table(columns), self.keys, steps)
        for key, dictionary in dictionaries.items():
            at = made.schema.get_field_index(key)
            made = made.set_column(at, key, _key(dictionary.take(made.column(at))))
        return made

    def merge(self, partials: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
        """Return the partials of all that these are partials of."""
        table = pa.Table.from_batches(alike(partials))
        merged = self._merged_by_kernel(table) if self.keys and table.nbytes <= _COPIED_BYTES else None
        if merged is not None:
            return merged
        steps: list[_Step] = []
        for each in self.reductions:
            function = "sum" if each.function == "count" else each.function
            if function == "sum":
                at = table.schema.get_field_index(each.name)
                table = table.set_column(at, each.name, _summable(table.column(at)))
            steps.append((each.name, function, None, each.name))
        if self.keys:
            steps.append((FIRST, "min", None, FIRST))
        return _grouped(table, self.keys, steps)

    def _merged_by_kernel(self, table: pa.Table) -> pa.RecordBatch | None:
        """Return the partials of partials; None if that takes Arrow."""
        columns = dict(zip(table.column_names, (_single(column) for column in table.columns), strict=True))
        groups = Groups.of([columns[key] for key in self.keys])
        if groups is None:
            return None
        functions = {each.name: "sum" if each.function == "count" else each.function for each in self.reductions}
        functions[FIRST] = "min"
        made = groups.reduce([(function, columns[name]) for name, function in functions.items()])
        if made is None:
            return None
        firsts = plain_array(groups.firsts)
        taken = {key: columns[key].take(firsts) for key in self.keys}
        return pa.RecordBatch.from_pydict({**taken, **dict(zip(functions, made, strict=True))})

    def finish(self, partials: pa.RecordBatch) -> pa.RecordBatch:
        """Return the results, of partials with one row a group.

        Raises
        ------
        DecodeError
            If a sum does not fit its type.
        """
        arrays = [_restored(partials.column(key), self.schema.field(at)) for at, key in enumerate(self.keys)]
        for field, (function, parts) in zip(list(self.schema)[len(self.keys) :], self._results, strict=True):
            first, *more = (partials.column(each.name) for each in parts)
            if function == "mean":
                first = pc.divide(first.cast(pa.float64(), safe=False), more[0].cast(pa.float64()))
            arrays.append(_restored(first, field))
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)


def alike(partials: Sequence[pa.RecordBatch]) -> Sequence[pa.RecordBatch]:
    """Return the partials in one schema: a sum that some carry wide is wide in all."""
    schema = partials[0].schema
    if all(each.schema.equals(schema) for each in partials):
        return partials
    kinds = [{each.schema.field(at).type for each in partials} for at in range(len(schema))]
    wide = [_WIDE_INTEGER if len(found) > 1 else next(iter(found)) for found in kinds]
    schema = pa.schema([field.with_type(kind) for field, kind in zip(schema, wide, strict=True)])
    return [each.cast(schema) for each in partials]


def _single(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _grouped(table: pa.Table, keys: list[str], steps: Sequence[_Step]) -> pa.RecordBatch:
    """Return one row a group; the keys first."""
    # Late, since importing it takes longer than all of streamframe.
    from pyarrow.acero import AggregateNodeOptions, Declaration, TableSourceNodeOptions

    prefix = "hash_" if keys else ""
    aggregates = [(target, prefix + function, options, name) for target, function, options, name in steps]
    source = Declaration("table_source", TableSourceNodeOptions(table))
    plan = Declaration("aggregate", AggregateNodeOptions(aggregates, keys=keys), inputs=[source])
    try:
        made = plan.to_table(use_threads=False).combine_chunks()
    except pa.ArrowNotImplementedError as error:
        raise SchemaError(
            f"this version of pyarrow cannot group so: {error}", hint="upgrade pyarrow, or cast the column first."
        ) from error
    return made.to_batches()[0] if made.num_rows else pa.RecordBatch.from_pylist([], schema=made.schema)


def _key(array: pa.Array) -> pa.Array:
    array = _cast(array, carrier("min", array.type))
    if pa.types.is_float32(array.type) or pa.types.is_float64(array.type):
        # Arrow groups by bits; and -0.0 + 0.0 is 0.0.
        array = pc.add(array, pa.scalar(0.0, array.type))
        return pc.if_else(pc.is_nan(array), pa.scalar(float("nan"), array.type), array)
    return array


def _carried(array: pa.Array, reduction: Reduction) -> pa.Array:
    if reduction.function == "count":
        return array
    array = _cast(array, reduction.dtype)
    return _summable(array) if reduction.function == "sum" else array


def _cast(array: pa.Array, dtype: pa.DataType | None) -> pa.Array:
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    return array if array.type == dtype else array.cast(dtype)


def _summable(array: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Return integers as they are if no sum of them can overflow, otherwise as wide ones."""
    dtype = array.type
    if not pa.types.is_integer(dtype) or (dtype.bit_width < 64 and len(array) < 2**31):
        return array
    bounds = pc.min_max(array).as_py()
    most = max(abs(bounds["min"] or 0), abs(bounds["max"] or 0))
    return array if most * len(array) < 2**63 else array.cast(_WIDE_INTEGER)


def _restored(array: pa.Array, field: pa.Field) -> pa.Array:
    dtype = field.type
    if array.type == dtype:
        return array
    try:
        if pa.types.is_dictionary(dtype):
            return array.dictionary_encode()
        if pa.types.is_duration(dtype):
            array = array.cast(pa.int64())
        return array.cast(dtype)
    except pa.ArrowInvalid as error:
        raise DecodeError(
            f"sum {field.name!r} does not fit {dtype_name(dtype)}",
            column=field.name,
            hint='cast the column first, such as .cast({"fare": "decimal128(38, 0)"}) or to "float64".',
        ) from error


def _key_field(field: pa.Field) -> pa.Field:
    """Return how a key comes out; raise `SchemaError` if nothing can be grouped by it."""
    dtype = field.type
    if pa.types.is_nested(dtype) or isinstance(dtype, pa.BaseExtensionType):
        raise SchemaError(
            f"group_by cannot group by column {field.name!r}: it is {dtype_name(dtype)}",
            column=field.name,
            hint="group by a part of it, or cast it to text first.",
        )
    if pa.types.is_dictionary(dtype):
        # All batches together may have more values than the indices of one can count.
        dtype = pa.dictionary(pa.int32(), dtype.value_type)
    return pa.field(field.name, dtype)
