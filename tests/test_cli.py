"""The command line: what it prints, where, and the code it ends with."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

import streamframe as sf
from streamframe._version import __version__
from streamframe.cli import main
from streamframe.testing import Request, serve

PLANES = "tailnum,year,seats\nN10156,2004,55\nN102UW,1998,182\nN103US,,182\n"
COMMAND = [sys.executable, "-m", "streamframe.cli"]


@pytest.fixture
def planes(tmp_path: Path) -> Path:
    path = tmp_path / "planes.csv"
    path.write_text(PLANES)
    return path


def run(*arguments: object, stdin: str | None = None) -> Result:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments], input=stdin)
    # Only SystemExit may leave the command: anything else would be a traceback.
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_the_version_is_told() -> None:
    assert run("--version").output == f"streamframe, version {__version__}\n"


def test_convert_writes_all_rows_and_prints_the_receipt(planes: Path, tmp_path: Path) -> None:
    result = run("convert", planes, tmp_path / "planes.parquet")
    assert result.exit_code == 0
    assert result.stdout.startswith("RunReport\n  rows         3\n")
    assert result.stderr == ""
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "planes.parquet"), pd.read_csv(planes), check_dtype=False)


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".pq", ".PARQUET"])
def test_convert_picks_the_writer_by_suffix(suffix: str, planes: Path, tmp_path: Path) -> None:
    target = tmp_path / f"out{suffix}"
    assert run("convert", planes, target).exit_code == 0
    is_parquet = target.read_bytes()[:4] == b"PAR1"
    assert is_parquet == (suffix != ".csv")


@pytest.mark.parametrize("suffix", [".tsv", ".tsv.gz", ".orc"])
def test_convert_writes_what_read_takes_by_the_same_suffix(suffix: str, planes: Path, tmp_path: Path) -> None:
    target = tmp_path / f"out{suffix}"
    assert run("convert", planes, target).exit_code == 0
    assert sf.read(target).to_arrow().equals(sf.read(planes).to_arrow())


def test_convert_reads_real_compressed_data(datasets: Path, tmp_path: Path) -> None:
    result = run("convert", datasets / "weather.csv.gz", tmp_path / "weather.parquet", "--memory", "64MB")
    assert result.exit_code == 0, result.stderr
    assert "of 64 MB" in result.stdout
    assert len(pd.read_parquet(tmp_path / "weather.parquet")) == len(pd.read_csv(datasets / "weather.csv.gz"))


@pytest.mark.parametrize("suffix", [".ndjson", ".jsonl", ".ndjson.gz"])
def test_convert_writes_and_reads_ndjson(suffix: str, planes: Path, tmp_path: Path) -> None:
    assert run("convert", planes, tmp_path / f"out{suffix}").exit_code == 0
    assert run("convert", tmp_path / f"out{suffix}", tmp_path / "back.csv").exit_code == 0
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "back.csv"), pd.read_csv(planes), check_dtype=False)


def test_columns_come_in_the_order_asked_for(planes: Path, tmp_path: Path) -> None:
    assert run("convert", planes, tmp_path / "out.csv", "--columns", "seats,tailnum").exit_code == 0
    assert (tmp_path / "out.csv").read_text().splitlines()[:2] == ['"seats","tailnum"', '55,"N10156"']


def test_a_column_with_a_comma_in_its_name_can_be_asked_for(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text('"a,b",c\n1,2\n')
    assert run("head", tmp_path / "in.csv", "--columns", '"a,b"').stdout.split() == ["a,b", "1"]


def test_quiet_prints_nothing(planes: Path, tmp_path: Path) -> None:
    assert run("convert", planes, tmp_path / "out.csv", "-q").output == ""


def test_progress_goes_to_stderr_when_asked_for(planes: Path, tmp_path: Path) -> None:
    shown = run("convert", planes, tmp_path / "out.csv", "--progress")
    assert "3 rows" in shown.stderr
    assert shown.stdout.startswith("RunReport")
    assert run("convert", planes, tmp_path / "out.csv", "--no-progress").stderr == ""


def test_head_prints_the_first_rows(planes: Path) -> None:
    header, *rows = run("head", planes, "-n", 2).stdout.splitlines()
    assert header.split() == ["tailnum", "year", "seats"]
    assert [row.split()[0] for row in rows] == ["N10156", "N102UW"]


def test_schema_prints_names_and_types(planes: Path) -> None:
    assert run("schema", planes).stdout.splitlines() == ["tailnum  string", "year     int64", "seats    int64"]


def test_a_dash_is_csv_on_standard_input() -> None:
    assert run("head", "-", "--columns", "seats", stdin=PLANES).stdout.split() == ["seats", "55", "182", "182"]


def test_text_from_a_file_cannot_drive_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("\x1b[2Jname\n\x1b[31mred\n")
    for command in ("head", "schema"):
        result = run(command, tmp_path / "in.csv")
        assert "\\x1b[2Jname" in result.stdout
        assert "\x1b" not in result.output
    missing = run("head", tmp_path / "in.csv", "--columns", "\x1b[0m")
    assert missing.exit_code == 1
    assert "\x1b" not in missing.output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("convert", "{planes}", "{folder}/out.xlsx"), ".parquet, .pq, .csv"),
        (("convert", "{folder}/none.csv", "{folder}/out.csv"), "none.csv does not exist"),
        (("convert", "{planes}", "{folder}/out.csv", "--columns", "seat"), "did you mean 'seats'?"),
        (("convert", "{planes}", "{folder}/out.csv", "--memory", "lots"), "memory='lots' is not a size"),
        (("convert", "{planes}", "{folder}/out.csv", "--memory", "1B"), "too small"),
        (("convert", "{planes}", "{folder}/none/out.csv"), "none"),
        (("head", "{folder}"), "error: "),
        (("schema", "{folder}/none.parquet"), "none.parquet does not exist"),
        (("schema", "{folder}/planes"), "error: "),
    ],
)
def test_an_error_is_told_in_words_and_leaves_nothing(
    arguments: tuple[str, ...], told: str, planes: Path, tmp_path: Path
) -> None:
    result = run(*(argument.format(planes=planes, folder=tmp_path) for argument in arguments))
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    assert told in result.stderr
    assert "Traceback" not in result.output
    assert result.stdout == ""
    assert [path.name for path in tmp_path.iterdir()] == ["planes.csv"]


def test_the_target_stays_as_it_was_when_the_source_is_malformed(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("a,b\n" + "1,2\n" * 1000 + "1,2,3\n")
    (tmp_path / "out.csv").write_text("precious")
    result = run("convert", tmp_path / "in.csv", tmp_path / "out.csv")
    assert result.exit_code == 1
    assert "row 1,001" in result.stderr
    assert (tmp_path / "out.csv").read_text() == "precious"


def test_a_password_in_a_target_is_not_told(planes: Path) -> None:
    result = run("convert", planes, "https://me:hunter2@host/out?key=hunter3.abc")
    assert result.exit_code == 1
    assert "hunter" not in result.output


@pytest.mark.parametrize(
    "arguments",
    [
        ("convert", "only-one.csv"),
        ("head", "planes.csv", "-n", "-3"),
        ("head", "planes.csv", "-n", "many"),
        ("head", "planes.csv", "--columns", "a,,b"),
        ("head", "planes.csv", "--columns", ""),
        ("explode",),
    ],
)
def test_a_usage_error_ends_with_2(arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 2


def test_a_reader_that_leaves_early_is_no_error(planes: Path) -> None:
    """`streamframe head … | true`."""
    ours, theirs = os.pipe()
    os.close(ours)
    with open(theirs, "wb") as nobody:
        done = subprocess.run([*COMMAND, "head", planes], stdout=nobody, stderr=subprocess.PIPE, check=False)
    assert done.stderr == b""


@contextlib.contextmanager
def converting(source: str, target: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [*COMMAND, "convert", source, str(target)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as running:  # type: ignore[call-overload]
        yield running
        running.kill()


def interrupt(running: subprocess.Popen[bytes]) -> None:
    """Press Ctrl-C; the process has to end, silently, though its input still waits."""
    running.send_signal(signal.SIGINT)
    assert running.wait(timeout=20) == 130
    assert running.stdout is not None
    assert running.stderr is not None
    assert running.stdout.read() == running.stderr.read() == b""


def test_ctrl_c_while_a_pipe_stalls_leaves_the_target_as_it_was(tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    target.write_text("precious")
    with converting("-", target) as running:
        assert running.stdin is not None
        # More than a pipe holds: once it is taken, the run is under way. It then waits for more.
        running.stdin.write(b"a,b\n" + b"1,2\n" * 500_000)
        running.stdin.flush()
        interrupt(running)
    assert target.read_text() == "precious"
    assert os.listdir(tmp_path) == ["out.csv"]


@pytest.mark.slow
def test_ctrl_c_while_a_server_stalls_leaves_the_target_as_it_was(tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    target.write_text("precious")
    taken = threading.Event()

    def stall(request: Request) -> None:
        request.head("200 OK", "Content-Type: text/csv", "Connection: close")
        request.send(b"a,b\n" + b"1,2\n" * 2_000_000)
        taken.set()
        request.wait()

    with serve(stall) as url, converting(f"{url}/rows.csv", target) as running:
        assert taken.wait(30)
        interrupt(running)
    assert target.read_text() == "precious"
    assert os.listdir(tmp_path) == ["out.csv"]


def test_all_rows_of_a_pipe_arrive(tmp_path: Path) -> None:
    with converting("-", tmp_path / "out.parquet") as running:
        told, errors = running.communicate(b"a,b\n" + b"1,2\n" * 500_000)
        assert (running.returncode, errors) == (0, b"")
        assert b"rows         500,000" in told


def test_help_answers_without_what_only_a_run_needs() -> None:
    code = (
        "import sys; from streamframe.cli import main\n"
        "heavy = {'pandas', 'duckdb', 'aiohttp', 'IPython', 'tqdm'} & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(heavy)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_schema_calls_types_by_names_that_can_be_passed_as_dtype(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("fare\n1.5\n")
    assert run("schema", path).stdout == "fare  float64\n"
