"""Where frames begin: files.

Rule: a reader checks its arguments and makes a plan of one node; it does no I/O. A name from
another library gets an error that says ours.
"""

from streamframe.readers.by_suffix import infer_schema, read
from streamframe.readers.columnar import read_ipc, read_orc, read_parquet
from streamframe.readers.text import read_csv, read_lines, read_ndjson

__all__ = ["infer_schema", "read", "read_csv", "read_ipc", "read_lines", "read_ndjson", "read_orc", "read_parquet"]
