"""Two gigabytes from a real server: killed at each tenth, they arrive whole, in little memory."""

from __future__ import annotations

import hashlib
import json
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.io.nginx import PROGRAM, Nginx

MEGABYTES = 2048
# Memory is that of this program: what is counted from its parent's would be as large as that was.
CODE = """
import json, re, sys
import streamframe as sf

def peak_kb():
    return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])

sf.copy(sys.argv[1] + "few.bin", sys.argv[2] + "/few.bin")
before_kb = peak_kb()
report = sf.copy(sys.argv[1] + "much.bin", sys.argv[2] + "/much.bin")
print(json.dumps([report.nbytes, report.kept_bytes, report.sha256, peak_kb() - before_kb]))
"""


@pytest.fixture
def much(tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    piece, digest = random.Random(2).randbytes((1 << 20) - 8), hashlib.sha256()
    with (folder / "much.bin").open("wb") as file:
        for number in range(MEGABYTES):
            data = number.to_bytes(8, "little") + piece
            file.write(data)
            digest.update(data)
    (folder / "few.bin").write_bytes(piece)
    return folder, digest.hexdigest()


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.skipif(PROGRAM is None, reason="nginx is not installed (see .ci/system-packages)")
def test_two_gigabytes_that_are_killed_at_each_tenth_arrive_whole_in_little_memory(tmp_path, much):
    files, digest = much
    target = tmp_path / "to"
    target.mkdir()
    under_way = target / ".much.bin.streamframe-copy"
    with Nginx(tmp_path, files) as server:
        command = [sys.executable, "-c", CODE, f"{server.url}/plain/", str(target)]
        for tenth in range(1, 10):
            process = subprocess.Popen(command)
            while size(under_way) < tenth * MEGABYTES * (1 << 20) // 10:
                with pytest.raises(subprocess.TimeoutExpired):
                    process.wait(0.01)
            process.send_signal(signal.SIGKILL)
            process.wait()
            assert not (target / "much.bin").exists()
        run = subprocess.run(command, capture_output=True, text=True, check=True)
    nbytes, kept_bytes, told, grown_kb = json.loads(run.stdout)
    print(f"kept {kept_bytes:,} of {nbytes:,} bytes; {grown_kb:,} kB more than for a megabyte")  # noqa: T201
    assert (nbytes, told) == (MEGABYTES << 20, digest)
    # What came behind the last digest that was noted is fetched again.
    assert kept_bytes >= 0.85 * nbytes
    assert grown_kb < 32_000
    assert sorted(path.name for path in target.iterdir()) == ["few.bin", "much.bin"]
    with (target / "much.bin").open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == digest


def size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
