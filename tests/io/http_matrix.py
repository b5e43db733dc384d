"""Every fault of `streamframe.testing` against every format: nothing may be lost in silence.

    python -m tests.io.http_matrix

prints the table. A cell is one read: complete and equal, or a typed error that says how far it came.
Where HTTP itself cannot tell an early end, the report has to say "unknown", and `expect_bytes` has to
make an error of it. "plain" is a server that stays broken and a client that does not try again;
"resume" one that recovers.
"""

from __future__ import annotations

import gzip
import io
import sys
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

import streamframe as sf
from streamframe.errors import DecodeError, StreamError
from streamframe.testing import FAULTS, Handler, in_turn, page, serve

ROWS = 12_000
TABLE = pa.table(
    {
        "id": range(ROWS),
        "name": [f"row {n * 7919 % ROWS}" for n in range(ROWS)],
        "value": [n / 8 for n in range(ROWS)],
    }
)
OTHER_ERROR = "ANOTHER ERROR"
SILENT = "SILENT"


@dataclass(frozen=True)
class Format:
    """A way to write the table down, and to read it."""

    suffix: str
    body: bytes
    read: Callable[..., sf.StreamFrame]
    # Requests that are answered well before the fault.
    spared: int = 0


def _csv() -> bytes:
    return TABLE.to_pandas().to_csv(index=False).encode()


def _parquet() -> bytes:
    sink = io.BytesIO()
    pq.write_table(TABLE, sink, row_group_size=ROWS // 3, compression="none")
    return sink.getvalue()


def _ndjson() -> bytes:
    return TABLE.to_pandas().to_json(orient="records", lines=True, double_precision=15).encode()


def _ipc(*, stream: bool) -> bytes:
    sink = io.BytesIO()
    with (pa.ipc.new_stream if stream else pa.ipc.new_file)(sink, TABLE.schema) as writer:
        writer.write_table(TABLE, max_chunksize=ROWS // 4)
    return sink.getvalue()


def _zstd(data: bytes) -> bytes:
    return pa.compress(data, codec="zstd", asbytes=True)


FORMATS = {
    "csv": Format("a.csv", _csv(), sf.read_csv),
    "csv.gz": Format("a.csv.gz", gzip.compress(_csv(), mtime=0), sf.read_csv),
    "csv.zst": Format("a.csv.zst", _zstd(_csv()), sf.read_csv),
    "ndjson": Format("a.ndjson", _ndjson(), sf.read_ndjson),
    "ipc stream": Format("a.arrows", _ipc(stream=True), sf.read_ipc),
    # The first request sees that it is a file, the second its end; the fault comes after that.
    "ipc file, later": Format("a.arrow", _ipc(stream=False), sf.read_ipc, spared=2),
    "parquet": Format("a.parquet", _parquet(), sf.read_parquet),
    "parquet, later": Format("a.parquet", _parquet(), sf.read_parquet, spared=1),
}
MODES = ("plain", "resume")


def cell(fault: str, form: Format, mode: str) -> str:
    """Read once from a server with this fault; say what came of it."""
    body = form.body
    handler = FAULTS[fault].stays(body) if mode == "plain" else FAULTS[fault].passes(body)
    options = {"retries": 0 if mode == "plain" else 3, "read_timeout": 0.25}
    outcome = _read(form, handler, options)
    if outcome == "less, unknown":
        handler = FAULTS[fault].stays(body) if mode == "plain" else FAULTS[fault].passes(body)
        expected = _read(form, handler, {**options, "expect_bytes": len(body)})
        is_error = expected.partition(" ")[0].endswith("Error") or expected == "equal"
        return f"told as unknown; expect_bytes: {expected}" if is_error else f"{SILENT} under expect_bytes"
    return outcome


def _read(form: Format, handler: Handler, options: dict[str, Any]) -> str:
    handler = in_turn(*[page(form.body)] * form.spared, handler)
    with serve(handler) as url, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # RangeIgnoredWarning is right for many of these
        frame = form.read(f"{url}/{form.suffix}", storage_options=options)
        try:
            with frame.iter_batches() as batches:
                found = pa.Table.from_batches(list(batches), frame.schema)
                known = batches.stats().completeness == "verified"
        except DecodeError as error:
            # It is about the bytes, so it has to name their place.
            return f"DecodeError @{error.byte_offset}" if error.byte_offset is not None else "DecodeError"
        except StreamError as error:
            return f"{type(error).__name__} @{error.byte_offset or 0}"
        except Exception as error:  # the table is to show whatever may happen
            return f"{OTHER_ERROR} {type(error).__name__}"
    if found.equals(TABLE):
        return "equal" if known else "equal, unknown"
    return SILENT if known else "less, unknown"


def table() -> dict[tuple[str, str, str], str]:
    """Return all cells, by (fault, format, mode)."""
    keys = [(fault, name, mode) for fault in FAULTS for name in FORMATS for mode in MODES]
    with ThreadPoolExecutor(12) as pool:  # most of the time is waiting
        return dict(zip(keys, pool.map(lambda key: cell(key[0], FORMATS[key[1]], key[2]), keys), strict=True))


def is_bad(outcome: str) -> bool:
    return outcome.startswith((SILENT, OTHER_ERROR))


def main() -> int:
    cells = table()
    print(f"| fault | mode | {' | '.join(FORMATS)} |\n|---|---|{'---|' * len(FORMATS)}")
    for fault in FAULTS:
        for mode in MODES:
            print(f"| {fault} | {mode} | {' | '.join(cells[fault, name, mode] for name in FORMATS)} |")
    bad = [key for key, outcome in cells.items() if is_bad(outcome)]
    print(f"\n{len(FAULTS)} faults x {len(FORMATS)} formats x {len(MODES)}: {len(cells)} cells, {len(bad)} silent")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
