"""The kernels touch nothing but what is theirs: their tests once more, with the compiler's checks built in."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CHECKS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-O1", "-g"]


def runtime_library(name: str) -> str:
    """Return where gcc has one of its libraries; only the name if it has none."""
    asked = ["gcc", f"-print-file-name={name}"]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_compiler_finds_no_fault_in_what_the_other_tests_do(tmp_path):
    if shutil.which("gcc") is None:
        pytest.skip("needs gcc")
    runtime = runtime_library("libasan.so")
    if not Path(runtime).is_absolute():
        pytest.skip("needs the sanitizers of gcc")
    for folder in ("streamframe", "tests"):
        shutil.copytree(
            ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__", "kernels.library")
        )
    kernels = tmp_path / "streamframe" / "native"
    sources = sorted(kernels.glob("*.[ch]"))
    checksum = zlib.crc32(b"".join(source.read_bytes() for source in sources))
    command = ["gcc", *CHECKS, "-std=c11", "-fPIC", "-shared", f"-DSTREAMFRAME_SOURCES={checksum}u"]
    code = [str(source) for source in sources if source.suffix == ".c"]
    subprocess.run([*command, "-o", str(kernels / "kernels.library"), *code], check=True)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-s", "-q", "tests/native", "-k", "not floats"],
        cwd=tmp_path,
        env={
            **os.environ,
            # The checks look for what throws exceptions when they start: Arrow's code does.
            "LD_PRELOAD": f"{runtime} {runtime_library('libstdc++.so.6')}",
            # Python keeps what it has until it ends; memory of the system's own is watched.
            "ASAN_OPTIONS": "detect_leaks=0",
            "ARROW_DEFAULT_MEMORY_POOL": "system",
            "KERNEL_EXAMPLES": "100",
            "PYTHONPATH": str(tmp_path),
            "PYTEST_ADDOPTS": "-m 'not slow'",
        },
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    assert " passed" in run.stdout
    assert "skipped" not in run.stdout
