"""Whatever system call a process is killed at, or fails: a target is old or new, and the next run makes it whole."""

from __future__ import annotations

import shutil
import subprocess
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


@pytest.mark.soak
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("how", LAYOUTS)
@pytest.mark.parametrize("verb", SUFFIXES)
def test_any_call_may_be_the_last(tmp_path, verb, how, call, fault):
    endings(tmp_path, verb, how, call, fault)
