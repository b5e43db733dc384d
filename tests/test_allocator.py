"""Which of Arrow's allocators a process has, once streamframe is imported."""

import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

TELL = (
    "import os, pyarrow; print(pyarrow.default_memory_pool().backend_name, os.environ.get('ARROW_DEFAULT_MEMORY_POOL'))"
)


def told(code, **environment):
    command = [sys.executable, "-W", "error", "-c", f"{code}; {TELL}"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.slow
@pytest.mark.parametrize("code", ["import streamframe", "import pyarrow, streamframe"])
def test_arrow_allocates_with_jemalloc_and_the_environment_is_as_before(code):
    if "jemalloc" not in pa.supported_memory_backends():
        pytest.skip("this build of Arrow has no jemalloc")
    assert told(code) == ["jemalloc", "None"]


@pytest.mark.slow
@pytest.mark.parametrize("chosen", ["system", "mimalloc"])
def test_the_allocator_that_the_user_has_chosen_stays(chosen):
    assert told("import streamframe", ARROW_DEFAULT_MEMORY_POOL=chosen) == [chosen, chosen]


# Threads take their turns and stay alive: each has an arena of its own, if there are so many.
TURNS = """
import threading
import pyarrow as pa

def held_mb():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) / 1000

def turn(done, end):
    pa.concat_arrays([eight_mb, eight_mb])
    done.set()
    end.wait()

eight_mb, end = pa.array(range(1_000_000)), threading.Event()
before = held_mb()
for _ in range(THREADS):
    done = threading.Event()
    threading.Thread(target=turn, args=(done, end)).start()
    done.wait()
print(held_mb() - before)
end.set()
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells")
@pytest.mark.skipif("jemalloc" not in pa.supported_memory_backends(), reason="this build of Arrow has no jemalloc")
def test_what_threads_have_freed_is_used_by_others():
    threads = 4 * (os.cpu_count() or 1)
    code = TURNS.replace("THREADS", str(threads))
    kept_mb = float(told(f"import streamframe\nexec({code!r})")[0])
    assert kept_mb < threads * 16 / 2
