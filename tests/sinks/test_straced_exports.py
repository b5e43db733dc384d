"""Whatever system call a process is killed at, or fails: a target is old or new, and the next run makes it whole."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.sinks.children import printed_by
from tests.sinks.straced import LAYOUTS, SUFFIXES

CALLS = {
    "write": "write",
    "fsync": "fsync",
    "rename": "rename,renameat,renameat2",
    "close": "close",
    "open": "openat",
    "others": "mkdir,rmdir,link,linkat,unlink,unlinkat,chmod,fchmod",
}
FAULTS = {"kill": "signal=KILL", "EIO": "error=EIO", "full disk": "error=ENOSPC"}


@pytest.fixture(scope="module", autouse=True)
def _strace():
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    if subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"], check=False, capture_output=True).returncode:
        pytest.skip("processes may not be traced here")


def endings(folder: Path, verb: str, how: str, call: str, fault: str) -> Counter[str]:
    found = Counter(printed_by("straced", folder, verb, how, CALLS[call], FAULTS[fault]))
    # What was killed has a target of either kind, what was refused the old one, what went through the new one.
    allowed = {"kill": ["old, killed", "new, killed"], "EIO": ["old, refused"], "full disk": ["old, refused"]}[fault]
    assert set(found) <= {f"{each}, whole" for each in (*allowed, "new, done")}
    return found


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["kill", "EIO"])
@pytest.mark.parametrize("how", ["file", "resumed"])
def test_a_process_that_meets_a_fault_at_any_sync_leaves_the_old_or_the_new_target(tmp_path, how, fault):
    found = endings(tmp_path, "to_parquet", how, "fsync", fault)
    assert found.total() > 2


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["error", "append"])
def test_every_folder_on_the_way_to_a_file_is_synced_before_the_directory_takes_its_place(tmp_path, mode):
    """Else the disk may know of files, and of no way to them."""
    out = tmp_path / "out"
    code = (
        "import streamframe as sf\n"
        f"rows = sf.from_arrow({{'a': [1], 'b': [2], 'n': [3]}})\n"
        f"rows.to_csv({str(out)!r}, partition_by=['b', 'a'], mode='MODE')"
    )
    if mode == "append":
        subprocess.run([sys.executable, "-c", code.replace("MODE", "error")], check=True)
    log = tmp_path / "log"
    traced = ["strace", "-f", "-qq", "-y", "-e", "trace=fsync,rename,renameat,renameat2", "-o", log]
    subprocess.run([*traced, sys.executable, "-c", code.replace("MODE", mode)], check=True)
    before, _, _ = log.read_text().rpartition("rename")
    synced = [re.sub(r"^.*\.tmp", "", path) for path in re.findall(r"fsync\(\d+<([^>]*)>", before)]
    assert {"", "/b=2", "/b=2/a=1"} <= set(synced)


@pytest.mark.soak
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("how", LAYOUTS)
@pytest.mark.parametrize("verb", SUFFIXES)
def test_any_call_may_be_the_last(tmp_path, verb, how, call, fault):
    endings(tmp_path, verb, how, call, fault)
