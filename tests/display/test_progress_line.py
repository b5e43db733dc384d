"""The line on stderr: where it shows, what it says, and what it leaves alone."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import io
import os
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from typing import TextIO

import pytest

from streamframe.display.progress import ProgressLine
from streamframe.plan.report import RunReport, Stats

STATS = Stats(1_234_567, 12, 12_300_000, 29_000_000, 12_000_000, 61_000_000, 64_000_000, 0, "source", 0.4, 0.1)
REPORT = RunReport(2_000_000, 4_310_000, ("out.parquet",), 1.0, 61_000_000, 0, 29_000_000, 64_000_000, 0.1)
DESCRIPTION = "flights.csv → out.parquet"

Forward = Callable[[float], None]


@pytest.fixture
def forward(monkeypatch: pytest.MonkeyPatch) -> Forward:
    """Set the clock forward, by a second and the like, without waiting for it."""
    passed = [0.0]
    stopped = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: stopped + passed[0])

    def by(seconds: float) -> None:
        passed[0] += seconds

    return by


class Terminal:
    """A real terminal of 60 columns, and what is on its screen."""

    def __init__(self) -> None:
        self._ours, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
        self.stream = io.TextIOWrapper(io.FileIO(theirs, "w"), encoding="utf-8", write_through=True)

    def screen(self) -> str:
        """Return what was drawn since the last look."""
        # A terminal hands on what was written a little later: wait for our own last character.
        self.stream.write("\0")
        drawn = b""
        while not drawn.endswith(b"\0"):
            drawn += os.read(self._ours, 1 << 16)
        return drawn[:-1].decode()

    def close(self) -> None:
        self.stream.close()
        os.close(self._ours)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    terminal = Terminal()
    yield terminal
    terminal.close()


@contextlib.contextmanager
def stderr(stream: TextIO | None) -> Iterator[None]:
    # Not a fixture: pytest sets its own stderr after the fixtures.
    before, sys.stderr = sys.stderr, stream  # type: ignore[assignment]
    try:
        yield
    finally:
        sys.stderr = before


def shown(text: str) -> list[str]:
    """Return what stood in the line, one entry for each drawing."""
    return [part.rstrip() for part in text.replace("\n", "\r").split("\r") if part.strip()]


def test_the_line_says_how_far_the_run_is(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressLine(DESCRIPTION, "on") as line:
        line.update(STATS)
        assert shown(capsys.readouterr().err) == [
            "flights.csv → out.parquet   42%  12.3 MB/29 MB  1,234,567 rows  3.1M rows/s  1 s left  buffer 12/64 MB"
        ]


@pytest.mark.parametrize(
    ("seconds", "total", "told"),
    [(10.0, 29_000_000, "  14 s left"), (300.0, 29_000_000, "  6 min 47 s left"), (1.0, None, ""), (1.0, 9, "")],
)
def test_the_line_says_how_long_it_may_take_where_somebody_knows(
    seconds: float, total: int | None, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with ProgressLine(DESCRIPTION, "on") as line:
        line.update(dataclasses.replace(STATS, seconds=seconds, bytes_total=total))
        text = shown(capsys.readouterr().err)[0]
    assert told in text
    assert ("left" in text) == bool(told)


def test_a_terminal_that_does_not_know_its_size_shows_the_line(terminal: Terminal) -> None:
    """As those of containers and of CI do."""
    fcntl.ioctl(terminal.stream.fileno(), termios.TIOCSWINSZ, struct.pack("HHHH", 0, 0, 0, 0))
    with stderr(terminal.stream), ProgressLine(DESCRIPTION, "on") as line:
        line.update(STATS)
        (text,) = shown(terminal.screen())
    assert text.endswith("1,234,567 rows  3.1M rows/s  1 s left  buffer 12/64 MB")


def test_the_rate_of_a_run_that_went_on_counts_its_own_rows(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressLine(DESCRIPTION, "on") as line:
        line.finish(dataclasses.replace(REPORT, kept_rows=1_500_000))
    assert "2,000,000 rows  500k rows/s" in capsys.readouterr().err


def test_an_unknown_total_shows_no_percentage(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressLine(DESCRIPTION, "on") as line:
        line.update(dataclasses.replace(STATS, bytes_total=None))
        (text,) = shown(capsys.readouterr().err)
    assert "%" not in text
    assert "→ out.parquet  12.3 MB  1,234,567 rows" in text


def test_a_source_that_grows_never_shows_more_than_all_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressLine(DESCRIPTION, "on") as line:
        line.update(dataclasses.replace(STATS, bytes_read=40_000_000))
        assert "100%" in capsys.readouterr().err


def test_nothing_read_and_no_time_passed_can_be_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressLine("", "on") as line:
        line.update(Stats(0, 0, 0, 0, 0, 0, 64_000_000, 0, None, 0.0, None))
        assert shown(capsys.readouterr().err) == ["0 B  0 rows  buffer 0/64 MB"]


def test_a_finished_run_leaves_its_receipt_and_ends_the_line(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressLine(DESCRIPTION, "on") as line:
        line.update(STATS)
        line.finish(REPORT)
        text = capsys.readouterr().err
    assert shown(text)[-1] == "flights.csv → out.parquet  29 MB  2,000,000 rows  2M rows/s  1.0 s  peak 61/64 MB"
    assert text.endswith("\n")
    assert len(shown(text)) == 2
    assert capsys.readouterr().err == ""


def test_a_run_that_fails_leaves_how_far_it_came(capsys: pytest.CaptureFixture[str]) -> None:
    with contextlib.suppress(RuntimeError), ProgressLine(DESCRIPTION, "on") as line:
        line.update(STATS)
        line.update(dataclasses.replace(STATS, rows=1_300_000))
        raise RuntimeError
    text = capsys.readouterr().err
    assert "1,300,000 rows" in shown(text)[-1]
    assert text.endswith("\n")


def test_a_terminal_is_drawn_on_ten_times_a_second(terminal: Terminal, forward: Forward) -> None:
    with stderr(terminal.stream), ProgressLine(DESCRIPTION) as line:
        forward(1)
        for _ in range(50):
            line.update(STATS)
        assert len(shown(terminal.screen())) == 1
        assert not line.due()
        forward(0.11)
        assert line.due()
        line.update(dataclasses.replace(STATS, rows=1_300_000))
        assert len(shown(terminal.screen())) == 1


def test_a_log_file_gets_a_sign_of_life_only(capsys: pytest.CaptureFixture[str], forward: Forward) -> None:
    with ProgressLine(DESCRIPTION, "on") as line:
        for _ in range(12):
            line.update(STATS)
            forward(1)
        assert len(shown(capsys.readouterr().err)) == 3


def test_the_line_fits_in_a_narrow_terminal(terminal: Terminal, forward: Forward) -> None:
    with stderr(terminal.stream), ProgressLine(DESCRIPTION) as line:
        forward(1)
        line.update(STATS)
        (text,) = shown(terminal.screen())
    # What is cut off is what matters least.
    assert text == " 42%  12.3 MB/29 MB  1,234,567 rows  3.1M rows/s  1 s left…"


def test_what_the_run_does_is_told_shorter_where_the_facts_need_the_room(terminal: Terminal, forward: Forward) -> None:
    with stderr(terminal.stream), ProgressLine("copy('/a/rather/long/path/to/a/directory/of/the/user')") as line:
        forward(1)
        line.update_bytes(500_000_000, 1_000_000_000, 1)
        (text,) = shown(terminal.screen())
    assert len(text) == 59
    assert text.startswith("copy('/a/rath")
    assert text.endswith("…   50%  500 MB/1 GB  500 MB/s  1 s left")


def test_facts_that_get_shorter_stay_in_their_place(terminal: Terminal, forward: Forward) -> None:
    with stderr(terminal.stream), ProgressLine("copy('/a/rather/long/path/to/a/directory/of/the/user')") as line:
        for nbytes in (500_000_000, 520_000_000, 1_000_000_000):
            forward(1)
            line.update_bytes(nbytes, 1_000_000_000, 1)
        texts = shown(terminal.screen())
    assert len({text.index("%") for text in texts}) == 1


def test_a_run_that_is_over_at_once_shows_nothing(terminal: Terminal) -> None:
    with stderr(terminal.stream), ProgressLine(DESCRIPTION) as line:
        line.update(STATS)
        line.finish(REPORT)
    assert terminal.screen() == ""


@pytest.mark.parametrize("mode", ["auto", "off"])
def test_without_a_terminal_nothing_shows_unless_asked_for(
    mode: str, capsys: pytest.CaptureFixture[str], forward: Forward
) -> None:
    with ProgressLine(DESCRIPTION, mode) as line:  # type: ignore[arg-type]
        forward(60)
        assert not line.due()
        line.update(STATS)
        line.finish(REPORT)
    assert capsys.readouterr().err == ""


def test_off_is_off_on_a_terminal(terminal: Terminal, forward: Forward) -> None:
    with stderr(terminal.stream), ProgressLine(DESCRIPTION, "off") as line:
        forward(60)
        line.update(STATS)
        line.finish(REPORT)
    assert terminal.screen() == ""


def test_no_thread_starts_and_other_users_of_tqdm_keep_theirs(capsys: pytest.CaptureFixture[str]) -> None:
    from tqdm import tqdm

    threads, interval = threading.active_count(), tqdm.monitor_interval
    with ProgressLine(DESCRIPTION, "on") as line:
        line.update(STATS)
        assert threading.active_count() == threads
    assert tqdm.monitor_interval == interval > 0
    assert "42%" in capsys.readouterr().err


class Gone(io.StringIO):
    """A stream whose reader has left."""

    def write(self, text: str) -> int:
        raise BrokenPipeError


def closed() -> TextIO:
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize("stream", [Gone(), closed(), None], ids=["gone", "closed", "none"])
def test_a_stderr_that_cannot_be_written_does_not_stop_the_run(stream: TextIO | None) -> None:
    with stderr(stream), ProgressLine(DESCRIPTION, "on") as line:
        line.update(STATS)
        line.finish(REPORT)


def test_a_stderr_that_knows_no_arrows_gets_question_marks() -> None:
    raw = io.BytesIO()
    ascii_only = io.TextIOWrapper(raw, encoding="ascii", write_through=True)
    with stderr(ascii_only), ProgressLine(DESCRIPTION, "on") as line:
        line.update(STATS)
        assert b"flights.csv ? out.parquet" in raw.getvalue()


def test_a_description_cannot_drive_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressLine("\x1b[2Jwiped\n", "on") as line:
        line.update(STATS)
        assert "\x1b" not in capsys.readouterr().err


def test_tqdm_is_imported_when_the_first_line_is_drawn() -> None:
    code = (
        "import sys; from streamframe.display.progress import ProgressLine\n"
        "with ProgressLine('', 'off'): pass\n"
        "sys.exit('tqdm' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
