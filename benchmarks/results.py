"""Where results are kept: one JSON file, written after each task, so that nothing measured is lost.

Each kind of measurement ("time", "memory") has its settings and its tasks. A later run with the same settings adds
its tasks; one with others (another machine, version, commit, size) begins that kind anew.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

PACKAGES = ["pyarrow", "pandas", "polars", "duckdb", "datasets", "ray", "fsspec", "aiohttp"]


class Results:
    """The results in one folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.json, self.svg = folder / "benchmarks.json", folder / "benchmarks.svg"
        self.found: dict[str, Any] = json.loads(self.json.read_text()) if self.json.exists() else {}

    def begin(self, kind: str, **settings: Any) -> None:
        settings = {**machine(), **settings}
        if self.found.get(kind, {}).get("settings") != settings:
            self.found[kind] = {"settings": settings, "tasks": {}}

    def add(self, kind: str, name: str, found: dict[str, Any]) -> None:
        self.found[kind]["tasks"][name] = found
        unfinished = self.json.with_name(f"unfinished.{self.json.name}")
        unfinished.write_text(json.dumps(self.found, indent=1) + "\n")
        unfinished.replace(self.json)


def machine() -> dict[str, Any]:
    versions = {}
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return {
        "cores": os.cpu_count(),
        "processor": _processor(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": versions,
        "commit": _commit(),
    }


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


def _commit() -> str | None:
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
