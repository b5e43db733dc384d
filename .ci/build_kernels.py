"""Builds the kernels when the package is built, if there is a C compiler; hatchling runs this.

Rule: a machine without a compiler gets everything but the speed. The library is plain C, loaded by `kernels.py`, so it
knows nothing of Python's version.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from packaging.tags import sys_tags

FOLDER = Path(__file__).parents[1] / "streamframe" / "native"
LIBRARY = FOLDER / "kernels.library"
_FLAGS = ["-O3", "-std=c11", "-fPIC", "-shared", "-Wall", "-Wextra"]


class KernelsHook(BuildHookInterface):
    """Compiles the kernels beside their sources, and takes them along."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile; without a compiler, say so and go on."""
        if self.target_name != "wheel":
            return
        problem = compiled()
        if problem:
            self.app.display_warning(
                f"streamframe's kernels were not built, so CSV, JSON and Parquet are read slower: {problem}"
            )
            return
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{next(sys_tags()).platform}"
        build_data["artifacts"].append(LIBRARY.relative_to(self.root).as_posix())


def compiled() -> str | None:
    """Compile the kernels; return what hinders, or None."""
    LIBRARY.unlink(missing_ok=True)
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if not compiler or sys.platform == "win32":
        return "no C compiler was found (on Debian and Ubuntu: apt-get install gcc libc6-dev)"
    sources = sorted(FOLDER.glob("*.[ch]"))
    checksum = zlib.crc32(b"".join(source.read_bytes() for source in sources))
    command = [*shlex.split(compiler), *_FLAGS, f"-DSTREAMFRAME_SOURCES={checksum}u"]
    # Beside its place first: a running process has the old one mapped.
    made = LIBRARY.with_suffix(f".{os.getpid()}")
    try:
        subprocess.run(
            [*command, "-o", made, *(source for source in sources if source.suffix == ".c")],
            check=True,
            capture_output=True,
            text=True,
        )
    except OSError as error:
        return f"{compiler}: {error}"
    except subprocess.CalledProcessError as error:
        return f"{compiler} failed: {error.stderr.strip()[-500:]}"
    made.replace(LIBRARY)
    return None
