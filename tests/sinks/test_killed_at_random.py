"""At whatever moment an export is killed, the target is old or new, and the next run makes it whole."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from tests.sinks.children import printed_by
from tests.sinks.straced import LAYOUTS, SUFFIXES

ALLOWED = {"old, killed, whole", "new, killed, whole", "old, killed, killed again", "new, done, whole"}

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="Linux has it")


def killings(folder: Path, verb: str, how: str, seed: int, kills: int) -> Counter[str]:
    found = Counter(printed_by("killed_at_random", folder, verb, how, seed, kills, timeout_s=900))
    assert found.total() - found["new, done, whole"] == kills
    return found


@pytest.mark.slow
@pytest.mark.parametrize("how", LAYOUTS)
def test_killed_now_or_then_a_target_is_old_or_new(tmp_path, how):
    assert set(killings(tmp_path, "to_parquet", how, os.getpid(), 5)) <= ALLOWED


# 16 times 13 are 208 kills.
@pytest.mark.soak
@pytest.mark.parametrize("how", LAYOUTS)
@pytest.mark.parametrize("verb", SUFFIXES)
def test_two_hundred_kills_leave_old_or_new_targets(tmp_path, verb, how):
    assert set(killings(tmp_path, verb, how, 1, 13)) <= ALLOWED
