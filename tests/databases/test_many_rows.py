"""Millions of rows go into a database and come back, each of them once, within little memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.compute as pc
import pytest

import streamframe as sf
from tests.databases.connecting import CONNECTIONS, let_go

FEW, MANY, AT_A_TIME = 100_000, 5_000_000, 50_000
# 32 MB of rows, Python with its libraries, and what the driver holds. Far below what all rows take: 190 MB beside it.
MOST_PEAK_KB = 260_000


def batch(start, stop):
    ids = pa.array(range(start, stop))
    notes = pc.binary_join_element_wise("note number ", ids.cast(pa.string()), "")
    fares = pc.if_else(pc.equal(pc.bit_wise_and(ids, 15), 0), None, pc.divide(ids.cast(pa.float64()), 8))
    return pa.record_batch({"id": ids, "fare": fares, "note": notes})


def go_and_return(name, folder, uri, conninfo, rows):
    """Write so many rows, and read them; print how many came, what differs, and the peak. Runs in a child process."""
    connection = CONNECTIONS[name](Path(folder), lambda: SimpleNamespace(uri=uri, conninfo=conninfo))
    with sf.options(memory="32MB", progress="off"):
        batches = sf.from_batches(lambda: (batch(at, at + AT_A_TIME) for at in range(0, rows, AT_A_TIME)))
        batches.to_sql("many", connection)
        if hasattr(connection, "commit"):
            connection.commit()
        seen = 0
        for found in sf.read_sql("select id, fare, note from many order by id", connection):
            expected = batch(seen, seen + found.num_rows)
            assert pa.record_batch(found).cast(expected.schema).equals(expected), seen
            seen += found.num_rows
    let_go(connection)
    status = Path("/proc/self/status").read_text()
    print(seen, status.split("VmHWM:")[1].split()[0])  # noqa: T201 - it is what the parent reads


@pytest.mark.slow
@pytest.mark.parametrize("rows", [FEW, pytest.param(MANY, marks=[pytest.mark.soak, pytest.mark.timeout(1800)])])
@pytest.mark.parametrize("name", sorted(CONNECTIONS))
def test_all_rows_come_back_within_little_memory(name, rows, tmp_path, request):
    uri = conninfo = ""
    if "postgres" in name or name == "psycopg":
        server = request.getfixturevalue("postgres")
        request.getfixturevalue("pg")
        uri, conninfo = server.uri, server.conninfo
    let_go(CONNECTIONS[name](tmp_path, lambda: SimpleNamespace(uri=uri, conninfo=conninfo)))  # or skip
    code = "from tests.databases.test_many_rows import go_and_return; import sys; "
    code += "go_and_return(*sys.argv[1:5], int(sys.argv[5]))"
    command = [sys.executable, "-c", code, name, str(tmp_path), uri, conninfo, str(rows)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    seen, peak_kb = map(int, done.stdout.split())
    print(name, rows, peak_kb)  # noqa: T201 - the figure is what the soak is for
    assert seen == rows
    # DuckDB is in our process, and takes what its own memory_limit allows.
    assert peak_kb < MOST_PEAK_KB or name.startswith("duckdb")
