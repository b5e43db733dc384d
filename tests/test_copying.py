"""`copy`: all bytes or none, checked, and a killed copy goes on where it was."""

from __future__ import annotations

import hashlib
import io
import os
import random
import signal
import subprocess
import sys

import fsspec
import pytest
from click.testing import CliRunner

import streamframe as sf
from streamframe.cli import main
from streamframe.io.locations import paths
from streamframe.io.partial_file import PartialFile
from streamframe.testing import page, serve, status

DATA = random.Random(1).randbytes(3_000_000)
SUM = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "from" / "a.bin"
    path.parent.mkdir()
    path.write_bytes(DATA)
    return path


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "to").mkdir()
    return tmp_path / "to"


@pytest.mark.parametrize("data", [b"", b"x", DATA])
def test_the_target_has_the_bytes_and_the_report_their_digest(source, folder, data):
    source.write_bytes(data)
    report = sf.copy(source, folder / "b.bin")
    assert (folder / "b.bin").read_bytes() == data
    assert (report.nbytes, report.kept_bytes, report.sha256) == (len(data), 0, hashlib.sha256(data).hexdigest())
    assert [path.name for path in folder.iterdir()] == ["b.bin"]
    assert report.sha256 in repr(report)


def test_a_directory_gets_a_file_of_the_same_name(source, folder):
    sf.copy(source, folder)
    assert (folder / "a.bin").read_bytes() == DATA
    sf.copy(str(source), f"{folder}/")


def test_a_page_goes_to_a_file_and_a_file_to_a_store_and_back(source, folder):
    with serve(page(DATA)) as url:
        assert sf.copy(f"{url}/a.bin?key=geheim", folder / "a.bin").sha256 == SUM
    assert sf.copy(source, "memory://copies/a.bin").nbytes == len(DATA)
    assert fsspec.filesystem("memory").cat("/copies/a.bin") == DATA
    assert sf.copy("memory://copies/a.bin", folder / "c.bin").sha256 == SUM


def test_bytes_that_do_not_add_up_leave_the_target_as_it_was(source, folder):
    (folder / "b.bin").write_bytes(b"old")
    with pytest.raises(sf.SourceChangedError, match="adds up to"):
        sf.copy(source, folder / "b.bin", expect_sha256="0" * 64)
    assert [(path.name, path.read_bytes()) for path in folder.iterdir()] == [("b.bin", b"old")]
    assert sf.copy(source, folder / "b.bin", expect_sha256=SUM.upper()).sha256 == SUM


def test_what_cannot_be_meant_is_told_before_anything_is_copied(source, folder):
    with pytest.raises(sf.PlanError, match="copy takes one source, got 2"):
        sf.copy([source, source], folder / "b.bin")
    for wrong in (5, "zz" * 32, "0" * 63):
        with pytest.raises(sf.PlanError, match="64 hexadecimal digits"):
            sf.copy(source, folder / "b.bin", expect_sha256=wrong)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("name", ["", "..", "there"])
def test_a_directory_in_which_no_file_can_get_a_name_is_refused_before_anything_is_copied(folder, name):
    (folder / "in" / "there").mkdir(parents=True)
    with serve(page(DATA)) as url, pytest.raises(sf.PlanError, match="name the file"):
        sf.copy(f"{url}/{name}", folder / "in")
    with pytest.raises(sf.PlanError, match="name the file"):
        sf.copy(io.BytesIO(DATA), f"{folder}/in/")
    assert sorted(folder.rglob("*")) == [folder / "in", folder / "in" / "there"]


def test_a_source_that_gives_nothing_leaves_nothing(folder):
    with pytest.raises(sf.SourceError, match="is a directory"):
        sf.copy(folder, folder / "b.bin")
    with serve(status(404)) as url, pytest.raises(sf.SourceError):
        sf.copy(url, folder / "b.bin")
    assert list(folder.iterdir()) == []


def test_a_directory_that_is_missing_is_named(source, folder):
    with pytest.raises(sf.SinkError, match=r"the directory .*nowhere does not exist\nHint: create it first"):
        sf.copy(source, folder / "nowhere" / "b.bin")


@pytest.mark.parametrize("name", ["\N{GRINNING FACE}" * 63, "b" * 255])
def test_a_name_may_be_as_long_as_the_disk_takes(source, folder, name):
    assert sf.copy(source, folder / name).sha256 == SUM
    sf.from_arrow({"a": [1]}).to_csv(folder / name)
    assert [path.name for path in folder.iterdir()] == [name]


def begun(source, target, nbytes):
    """Leave so many bytes of a copy, as one that was stopped does."""
    location = paths(source, None).given[0]
    identity = f"{location.label}: {location.identity()}"
    partial = PartialFile("b.bin", str(target), identity, keep=True)
    partial.write(memoryview(DATA[:nbytes]))
    partial.leave()


def test_a_copy_goes_on_where_it_was(source, folder):
    begun(source, folder / "b.bin", 1_234_567)
    report = sf.copy(source, folder / "b.bin")
    assert (report.kept_bytes, report.nbytes, report.sha256) == (1_234_567, len(DATA), SUM)
    assert [path.name for path in folder.iterdir()] == ["b.bin"]


def test_of_a_page_only_the_rest_is_asked_for(folder):
    asked = []

    def told(request):
        asked.append(request.headers.get("range"))
        return page(DATA)(request)

    with serve(told) as url:
        begun(f"{url}/a.bin", folder / "b.bin", 2_000_000)
        asked.clear()
        report = sf.copy(f"{url}/a.bin", folder / "b.bin")
    assert (report.kept_bytes, report.sha256) == (2_000_000, SUM)
    assert f"bytes=2000000-{len(DATA) - 1}" in asked


def test_what_was_changed_since_is_copied_anew(source, folder):
    begun(source, folder / "b.bin", 1_000_000)
    source.write_bytes(DATA[::-1])
    os.utime(source, (1, 1))
    report = sf.copy(source, folder / "b.bin")
    assert (report.kept_bytes, (folder / "b.bin").read_bytes()) == (0, DATA[::-1])


def test_a_part_that_was_damaged_on_disk_is_copied_anew(source, folder):
    begun(source, folder / "b.bin", 1_000_000)
    with open(folder / ".b.bin.streamframe-copy", "r+b") as file:
        file.write(b"damage")
    assert sf.copy(source, folder / "b.bin").kept_bytes == 0
    assert (folder / "b.bin").read_bytes() == DATA


def test_resume_can_be_refused(source, folder):
    begun(source, folder / "b.bin", 1_000_000)
    assert sf.copy(source, folder / "b.bin", resume=False).kept_bytes == 0
    assert [path.name for path in folder.iterdir()] == ["b.bin"]


def test_two_copies_into_one_file_are_told_apart(source, folder):
    partial = PartialFile("b.bin", str(folder / "b.bin"), "x", keep=True)
    with pytest.raises(sf.SinkError, match="by another process"):
        sf.copy(source, folder / "b.bin")
    partial.discard()


def test_a_link_in_the_place_of_the_part_is_not_followed(source, folder):
    victim = folder / "victim"
    victim.write_bytes(b"precious")
    (folder / ".b.bin.streamframe-copy").symlink_to(victim)
    with pytest.raises(sf.SinkError):
        sf.copy(source, folder / "b.bin")
    assert victim.read_bytes() == b"precious"


def test_a_server_that_goes_away_leaves_the_part_and_no_target(folder):
    with serve(page(DATA)) as url:
        address = f"{url}/a.bin"
    with pytest.raises(sf.SourceError):
        sf.copy(address, folder / "a.bin", storage_options={"retries": 0})
    assert not (folder / "a.bin").exists()


def test_copies_cannot_go_to_pages(source):
    with pytest.raises(sf.PlanError, match="for reading"):
        sf.copy(source, "https://example.org/a.bin")


def test_the_command_prints_the_receipt(source, folder):
    ran = CliRunner().invoke(main, ["copy", str(source), str(folder / "b.bin"), "--sha256", SUM])
    assert (ran.exit_code, SUM in ran.output) == (0, True)
    assert (folder / "b.bin").read_bytes() == DATA


@pytest.mark.slow
def test_a_copy_that_is_killed_again_and_again_comes_to_its_end(tmp_path, folder):
    big = tmp_path / "big.bin"
    piece = random.Random(2).randbytes(1 << 20)
    with open(big, "wb") as file:
        for number in range(400):
            file.write(number.to_bytes(8, "little") + piece)
    target = folder / "b.bin"
    code = "import sys, streamframe as sf; print(sf.copy(sys.argv[1], sys.argv[2]).kept_bytes)"
    for delay_s in (0.45, 0.55, 0.7, 0.9):
        process = subprocess.Popen([sys.executable, "-c", code, str(big), str(folder / "b.bin")])
        try:
            process.wait(delay_s)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            # Killed on its way, or when all was done but its own end.
            assert not target.exists() or target.stat().st_size == big.stat().st_size
    report = sf.copy(big, target)
    assert target.read_bytes() == big.read_bytes()
    assert report.nbytes == big.stat().st_size
