"""Standard output, descriptors by name and named pipes are written as the bytes come, and never replaced."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.orc as orc
import pyarrow.parquet as pq
import pytest

import streamframe as sf
from streamframe.io.descriptors import descriptor_of, is_direct
from tests.contract.parts import table

ROOT = Path(__file__).resolve().parents[2]
FRAME = "import streamframe as sf; frame = sf.from_arrow({'n': [1, 2, 3]}); "
READ = {
    "to_parquet": pq.read_table,
    "to_orc": lambda data: orc.ORCFile(data).read(),
    "to_ipc": lambda data: pa.ipc.open_file(data).read_all(),
    "to_csv": lambda data: sf.read_csv(data).to_arrow(),
    "to_ndjson": lambda data: sf.read_ndjson(data).to_arrow(),
}


class Reader(threading.Thread):
    """Takes what comes out of a pipe, up to its end."""

    def __init__(self, path: object) -> None:
        super().__init__()
        self._path = path
        self.data = b""
        self.start()

    def run(self) -> None:
        with open(self._path, "rb") as file:
            self.data = file.read()

    def taken(self) -> bytes:
        self.join()
        return self.data


def python(code: str, **options) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, stderr=subprocess.PIPE, timeout=60, check=False, **options
    )


@pytest.mark.parametrize("verb", READ)
def test_a_named_pipe_takes_any_format(tmp_path, verb):
    os.mkfifo(tmp_path / "pipe")
    reader = Reader(tmp_path / "pipe")
    report = getattr(sf.from_arrow(table(20_000)).select("id", "note"), verb)(tmp_path / "pipe")
    data = reader.taken()
    assert (report.rows, report.bytes_written, report.files) == (20_000, len(data), (f"{tmp_path}/pipe",))
    assert READ[verb](io.BytesIO(data))["id"].to_pylist() == list(range(20_000))
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


@pytest.mark.parametrize("name", ["/dev/fd/{}", "/proc/self/fd/{}", "file:///dev/fd/{}"])
def test_a_descriptor_is_written_by_its_name_and_stays_open(name):
    ours, theirs = os.pipe()
    reader = Reader(ours)
    sf.from_arrow({"n": [1, 2]}).to_csv(name.format(theirs))
    os.write(theirs, b"behind")
    os.close(theirs)
    assert reader.taken() == b'"n"\n1\n2\nbehind'


@pytest.mark.slow
def test_standard_output_takes_rows_between_what_is_printed_to_a_pipe_and_to_a_file(tmp_path):
    code = FRAME + "print('before'); frame.to_csv('/dev/stdout'); frame.to_ndjson('/dev/stdout'); print('after')"
    wanted = b'before\n"n"\n1\n2\n3\n{"n":1}\n{"n":2}\n{"n":3}\nafter\n'
    done = python(code, stdout=subprocess.PIPE)
    assert (done.stdout, done.stderr) == (wanted, b"")
    # As after `>> log.txt`: what is there stays.
    (tmp_path / "log.txt").write_bytes(b"old\n")
    with (tmp_path / "log.txt").open("ab") as file:
        python(code, stdout=file)
    assert (tmp_path / "log.txt").read_bytes() == b"old\n" + wanted
    assert [path.name for path in tmp_path.iterdir()] == ["log.txt"]


def test_a_stream_of_arrow_goes_from_one_process_to_another():
    done = python(FRAME + "frame.to_ipc('/dev/stdout', stream=True)", stdout=subprocess.PIPE)
    assert pa.ipc.open_stream(done.stdout).read_all().to_pydict() == {"n": [1, 2, 3]}


def test_who_no_longer_reads_is_a_sink_error():
    ours, theirs = os.pipe()
    os.close(ours)
    try:
        with pytest.raises(sf.SinkError, match="Broken pipe"):
            sf.from_arrow(table(1000)).to_csv(f"/dev/fd/{theirs}")
    finally:
        os.close(theirs)


def test_a_pipe_that_does_not_wait_gets_every_byte():
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    reader = Reader(ours)
    rows = table(50_000).select(["id", "note"])
    sf.from_arrow(rows).to_csv(f"/dev/fd/{theirs}")
    os.close(theirs)
    assert sf.read_csv(io.BytesIO(reader.taken())).count() == 50_000


def test_what_is_not_open_for_writing_is_told(tmp_path):
    frame = sf.from_arrow({"n": [1]})
    (tmp_path / "a").write_bytes(b"old")
    with (tmp_path / "a").open("rb") as file, pytest.raises(sf.SinkError, match=r"is not open for writing\n.*redirect"):
        frame.to_csv(f"/dev/fd/{file.fileno()}")
    with pytest.raises(sf.SinkError, match="/dev/fd/98765 is not open"):
        frame.to_csv("/dev/fd/98765")
    assert (tmp_path / "a").read_bytes() == b"old"


@pytest.mark.parametrize(
    "options", [{"mode": "append"}, {"resume": True}, {"partition_by": "n"}, {"max_rows_per_file": 1}]
)
def test_what_needs_a_directory_is_refused(tmp_path, options):
    os.mkfifo(tmp_path / "pipe")
    for target in ("/dev/stdout", "/dev/fd/1", tmp_path / "pipe", "/dev/null"):
        with pytest.raises(sf.PlanError, match="written as the bytes come"):
            sf.from_arrow({"n": [1], "m": [2]}).to_csv(target, **options)


def test_a_copy_goes_there_too(tmp_path):
    (tmp_path / "a.bin").write_bytes(b"abc")
    with (tmp_path / "log").open("ab") as file:
        file.write(b"old ")
        file.flush()
        sf.copy(tmp_path / "a.bin", f"/dev/fd/{file.fileno()}")
    assert (tmp_path / "log").read_bytes() == b"old abc"


def test_only_descriptors_of_this_process_are_told_by_their_names(tmp_path):
    names = ["/dev/stdin", "/dev/stdout", "/dev/fd/12", f"/proc/{os.getpid()}/fd/3", "/proc/thread-self/fd/4"]
    assert [descriptor_of(name) for name in names] == [0, 1, 12, 3, 4]
    for name in ("/dev/fd/", "/dev/fd/x", "/dev/fd/1/a", f"/proc/{os.getppid()}/fd/1", f"{tmp_path}/dev/stdout"):
        assert descriptor_of(name) is None
    assert not is_direct(str(tmp_path))
    assert not is_direct(str(tmp_path / "missing"))
