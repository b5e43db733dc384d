"""What people who come from pandas, polars or pyarrow type, and what it is called here."""

from __future__ import annotations

_OURS = {
    # verbs and ends
    "assign": "with_columns(name=expr)",
    "with_column": "with_columns(name=expr)",
    "groupby": "group_by",
    "query": "filter(sf.col('x') > 0)",
    "where": "filter(sf.col('x') > 0)",
    "loc": "filter and select",
    "iloc": "slice(offset, n)",
    "astype": "cast({'column': 'type'})",
    "tail": "to_pandas().tail(), if the result fits in memory",
    "agg": 'group_by().agg(total=("fare", "sum"))',
    "apply": "map_pandas(fn)",
    "map": "map_batches(fn)",
    "collect": "to_arrow() or to_pandas()",
    "compute": "to_pandas()",
    "fetch": "head(n)",
    "shape": "count() and .columns",
    "dtypes": ".schema",
    "sink_parquet": "to_parquet(path)",
    "sink_csv": "to_csv(path)",
    "write_parquet": "to_parquet(path)",
    "write_csv": "to_csv(path)",
    "sink_ndjson": "to_ndjson(path)",
    "write_ndjson": "to_ndjson(path)",
    "to_json": "to_ndjson(path)",
    "sink_ipc": "to_ipc(path)",
    "write_ipc": "to_ipc(path)",
    "write_ipc_stream": "to_ipc(path, stream=True)",
    "to_feather": "to_ipc(path)",
    "iterrows": "iter_rows()",
    "itertuples": "iter_rows()",
    "to_batches": "iter_batches()",
    # readers
    "scan_csv": "read_csv, which is lazy",
    "scan_ndjson": "read_ndjson, which is lazy",
    "read_json": "read_ndjson, for one object in each line",
    "scan_parquet": "read_parquet, which is lazy",
    "scan_ipc": "read_ipc, which is lazy",
    "read_feather": "read_ipc",
    "read_ipc_stream": "read_ipc",
    "open_csv": "read_csv, which is lazy",
    "from_polars": "from_arrow, which takes polars frames as they are",
    "from_table": "from_arrow",
    "DataFrame": "from_pandas or from_arrow",
    "option_context": "options",
    # arguments of readers
    "usecols": "columns=",
    "nrows": ".limit(n) on the frame",
    "n_rows": ".limit(n) on the frame",
    "chunksize": ".iter_pandas(chunksize=...) on the frame",
    "iterator": ".iter_pandas() on the frame",
    "dtype_backend": "dtype_backend= of iter_pandas and to_pandas",
    "delimiter": "sep=",
    "separator": "sep=",
    "quote_char": "quotechar=",
    "schema": "dtype=",
    "schema_overrides": "dtype=",
    "skiprows": "skip_rows=",
    "has_header": "header=",
    "null_values": "na_values=",
    "comment_prefix": "comment=",
    "on_bad_lines": "errors=",
    "ignore_errors": "errors=",
    "parse_dates": 'dtype={"column": "timestamp[us]"}',
    "filter": "filters=, or .filter(...) on the frame",
    # arguments of exports
    "index": "left out: a frame has no index",
    "columns": ".select(...) on the frame",
    "na_rep": "left out: a null is written as nothing",
    "include_header": "header=",
}


def other_name(name: str) -> str | None:
    """Return ``it is called ... here`` for a name that other libraries use."""
    ours = _OURS.get(name)
    return f"here it is {ours}" if ours else None
