"""Large files are on their way to the disk before they are complete."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

import pytest

_EXPORT = """
import sys
import pyarrow as pa
import streamframe as sf
batch = pa.RecordBatch.from_pydict({"text": ["x" * 1023] * 1024})
frame = sf.from_batches([batch] * 100)
frame.to_csv(sys.argv[1], **eval(sys.argv[2]))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux" or shutil.which("strace") is None, reason="needs strace")
@pytest.mark.parametrize(("target", "how"), [("out.csv", {}), ("out/", {"max_file_bytes": "90MB"})])
def test_what_was_written_is_sent_on_its_way_before_the_end(tmp_path, target, how):
    """Some 100 MB: in three steps at least, each where the last one ended, and then fsync."""
    log = tmp_path / "calls"
    command = [sys.executable, "-c", _EXPORT, str(tmp_path / target), repr(how)]
    traced = subprocess.run(
        ["strace", "-f", "-qq", "-e", "trace=sync_file_range,fsync", "-o", str(log), *command], capture_output=True
    )
    if b"ptrace" in traced.stderr:
        pytest.skip("processes may not be traced here")
    assert traced.returncode == 0, traced.stderr
    calls = log.read_text()
    steps = [(int(at), int(count)) for at, count in re.findall(r"sync_file_range\(\d+, (\d+), (\d+)", calls)]
    # A second file starts at 0 again.
    first = steps[: next((i for i in range(1, len(steps)) if steps[i][0] == 0), len(steps))]
    assert sum(count for _, count in first) >= 60_000_000
    assert [at for at, _ in first[1:]] == [at + count for at, count in first[:-1]]
    assert calls.index("sync_file_range") < calls.index("fsync")
