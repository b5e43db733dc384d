"""curl, as a client that nobody of us has written."""

from __future__ import annotations

import shutil
import subprocess

import pytest

needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed (see .ci/system-packages)")


def curl(url: str, *options: str, patience_s: float = 20) -> subprocess.CompletedProcess[bytes]:
    """Fetch a URL; return curl's exit code and what came of the body."""
    command = ["curl", "-s", "-f", "-L", "--max-time", str(patience_s), "--max-redirs", "5", *options, url]
    return subprocess.run(command, capture_output=True, check=False)
