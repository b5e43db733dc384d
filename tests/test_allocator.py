"""Which of Arrow's allocators a process has, once streamframe is imported."""

import subprocess
import sys

import pyarrow as pa
import pytest

TELL = (
    "import os, pyarrow; print(pyarrow.default_memory_pool().backend_name, os.environ.get('ARROW_DEFAULT_MEMORY_POOL'))"
)


def told(code, **environment):
    command = [sys.executable, "-W", "error", "-c", f"{code}; {TELL}"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.parametrize("code", ["import streamframe", "import pyarrow, streamframe"])
def test_arrow_allocates_with_jemalloc_and_the_environment_is_as_before(code):
    if "jemalloc" not in pa.supported_memory_backends():
        pytest.skip("this build of Arrow has no jemalloc")
    assert told(code) == ["jemalloc", "None"]


@pytest.mark.parametrize("chosen", ["system", "mimalloc"])
def test_the_allocator_that_the_user_has_chosen_stays(chosen):
    assert told("import streamframe", ARROW_DEFAULT_MEMORY_POOL=chosen) == [chosen, chosen]
