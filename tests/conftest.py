"""What every test has: the real data, and a check that nothing stays behind."""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

DATASETS = Path(__file__).resolve().parent.parent / "datasets"
# Finalizers never join, so a thread that was told to stop may still be on its way out.
GRACE_S = 2.0


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "soak: gigabytes or hours; runs in `make soak` only")
    # Like curl we ask a proxy of the environment for loopback too, where it would find none of our servers.
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        for spelled in (name, name.upper()):
            os.environ.pop(spelled, None)


@pytest.fixture(scope="session")
def datasets() -> Path:
    return DATASETS


@pytest.fixture(autouse=True)
def nothing_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail the test that leaves a thread of ours, or an open file in its tmp_path."""
    # Asked for first, so that it is torn down last: the folder still exists when we look.
    folder = request.getfixturevalue("tmp_path") if "tmp_path" in request.fixturenames else None
    before = set(_our_threads())
    yield
    deadline = time.monotonic() + GRACE_S
    for thread in set(_our_threads()) - before:
        thread.join(max(0.0, deadline - time.monotonic()))
    alive = sorted(thread.name for thread in set(_our_threads()) - before)
    assert not alive, f"threads left running: {', '.join(alive)}"
    if folder is not None:
        # Arrow's own readers, which tests use to look at results, close files on threads of their own.
        while (left_open := open_files_under(folder)) and time.monotonic() < deadline:
            pass
        assert not left_open, f"files left open: {', '.join(left_open)}"


def _our_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("streamframe")]


def open_files_under(folder: Path) -> list[str]:
    """Return regular files below `folder` that this process holds open (Linux only)."""
    descriptors = Path("/proc/self/fd")
    if not descriptors.is_dir():
        return []
    found = []
    for number in os.listdir(descriptors):
        try:
            path = os.readlink(descriptors / number)
            regular = stat.S_ISREG(os.stat(descriptors / number).st_mode)
        except OSError:
            continue  # Closed since it was listed: the listing's own descriptor, for one.
        if regular and Path(path.removesuffix(" (deleted)")).is_relative_to(folder.resolve()):
            found.append(path)
    return sorted(found)
