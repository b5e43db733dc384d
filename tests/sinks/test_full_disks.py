"""However little room a disk has left, for bytes or for files: a typed error, the old target, and nothing stray."""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tests.sinks.children import printed_by
from tests.sinks.straced import LAYOUTS, SUFFIXES


@pytest.fixture(scope="module", autouse=True)
def _mounting(tmp_path_factory):
    folder = tmp_path_factory.mktemp("disk")
    if subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("nothing may be mounted here")
    subprocess.run(["umount", "--lazy", folder], check=True)


def refusals(folder: Path, verb: str, how: str, what: str) -> int:
    found = Counter(printed_by("on_full_disk", folder, verb, how, what))
    assert found.keys() == {"old, refused, whole", "new, done, whole"}
    return found["old, refused, whole"]


@pytest.mark.slow
@pytest.mark.parametrize("what", ["bytes", "files"])
def test_folders_on_a_disk_that_gets_full_stay_as_they_were(tmp_path, what):
    assert refusals(tmp_path, "to_parquet", "folders", what) > 3


# Some three hundred full disks.
@pytest.mark.soak
@pytest.mark.parametrize("what", ["bytes", "files"])
@pytest.mark.parametrize("how", LAYOUTS)
@pytest.mark.parametrize("verb", SUFFIXES)
def test_any_target_on_a_disk_that_gets_full_stays_as_it_was(tmp_path, verb, how, what):
    assert refusals(tmp_path, verb, how, what) > 0
