"""Modules of the tests that run in a process of their own: they kill, or are killed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def printed_by(module: str, *arguments: object, timeout_s: float = 300) -> list[str]:
    """Run a module of this folder; return the lines that it prints. It has nothing to complain of."""
    run = subprocess.run(
        [sys.executable, "-m", f"tests.sinks.{module}", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    assert run.stderr == ""
    return run.stdout.splitlines()
