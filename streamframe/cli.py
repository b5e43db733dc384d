"""The command line: `streamframe convert`, `head`, `schema`.

Rules: it is a user of the public surface like any other. Results go to stdout, progress and
errors to stderr. Exit codes: 0 done, 1 an error of ours, 2 a usage error, 130 interrupted.
streamframe itself is imported inside the commands, so that `--help` and a typo answer at once.
"""

from __future__ import annotations

import csv
import io
import os
import select
import signal
import sys
from collections.abc import Callable
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, TextIO

import click

from streamframe._version import __version__
from streamframe.errors import PlanError, StreamError

if TYPE_CHECKING:
    from streamframe.plan.report import RunReport
    from streamframe.stream import StreamFrame

_INTERRUPTED = 130
_MAX_CELL_CHARS = 60
_TEXTS = {".csv", ".tsv", ".ndjson", ".jsonl"}
_TEXT_COMPRESSIONS = {".gz", ".zst", ".bz2", ".xz"}


def _names(context: click.Context, option: click.Parameter, value: str | None) -> list[str] | None:
    """Return the names of a list with commas; a name that holds a comma stands in double quotes."""
    if value is None:
        return None
    names = next(csv.reader([value]), [])
    if not names or not all(names):
        raise click.BadParameter("needs column names with commas between them, such as carrier,dep_delay")
    return names


class _Failed(click.ClickException):
    """An error of ours, told without a traceback."""

    def show(self, file: Any = None) -> None:
        click.echo(_visible(f"error: {self.message}", sys.stderr), file=sys.stderr)


class _Group(click.Group):
    """A group whose commands end in one of the exit codes above."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except StreamError as error:
            raise _Failed(str(error)) from error
        except KeyboardInterrupt:
            raise click.exceptions.Exit(_INTERRUPTED) from None


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="streamframe")
def main() -> None:
    """Convert and look at tables of any size, in a fixed amount of memory.

    SRC is a path, a glob in quotes, or a URL (https://, s3://, …); "-" is CSV on standard input.
    """


_columns = click.option("--columns", metavar="A,B", callback=_names, help="Only these columns, in this order.")


@main.command()
@click.argument("src")
@click.argument("dst")
@_columns
@click.option("--memory", metavar="SIZE", help="The bytes the run may hold, such as 64MB. Default: 256MB.")
@click.option("--progress/--no-progress", default=None, help="Default: only where stderr is a terminal.")
@click.option("--quiet", "-q", is_flag=True, help="Print no receipt.")
def convert(
    src: str, dst: str, columns: list[str] | None, memory: str | None, progress: bool | None, quiet: bool
) -> None:
    """Write the rows of SRC to DST (.parquet, .pq, .csv, .ndjson or .jsonl).

    DST is replaced when all rows are written; until then, and after an error, it is what it was.
    """
    import streamframe as sf

    with sf.options(memory=memory, progress=progress):
        report = _writer(_frame(src, columns), dst)(dst)
    if not quiet:
        click.echo(_visible(repr(report), sys.stdout))


@main.command()
@click.argument("src")
@click.argument("dst")
@click.option("--sha256", metavar="HEX", help="What the bytes must add up to.")
@click.option("--progress/--no-progress", default=None, help="Default: only where stderr is a terminal.")
@click.option("--quiet", "-q", is_flag=True, help="Print no receipt.")
def copy(src: str, dst: str, sha256: str | None, progress: bool | None, quiet: bool) -> None:
    """Copy the bytes of SRC to DST, whatever they are, and go on where a killed copy was.

    DST is replaced when all bytes are there; until then it is what it was.
    """
    import streamframe as sf

    with sf.options(progress=progress):
        report = sf.copy(src, dst, expect_sha256=sha256)
    if not quiet:
        click.echo(_visible(repr(report), sys.stdout))


@main.command()
@click.argument("src")
@click.option("-n", "rows", type=click.IntRange(min=0), default=10, show_default=True, help="How many rows.")
@_columns
def head(src: str, rows: int, columns: list[str] | None) -> None:
    """Print the first rows of SRC."""
    table = _frame(src, columns).head(rows)
    click.echo(_visible(table.to_string(index=False, max_colwidth=_MAX_CELL_CHARS), sys.stdout))


@main.command()
@click.argument("src")
def schema(src: str) -> None:
    """Print the columns of SRC and their types."""
    from streamframe.schema import dtype_name

    fields = list(_frame(src, None).schema)
    width = max((len(field.name) for field in fields), default=0)
    for field in fields:
        click.echo(_visible(f"{field.name:<{width}}  {dtype_name(field.type)}", sys.stdout))


def _frame(src: str, columns: list[str] | None) -> StreamFrame:
    import streamframe as sf

    frame = sf.read_csv(_standard_input()) if src == "-" else sf.read(src)
    return frame if columns is None else frame.select(*columns)


def _standard_input() -> Any:
    stdin = sys.stdin.buffer
    # A file can be waited for; select knows no pipes on Windows.
    return stdin if stdin.seekable() or os.name == "nt" else _InterruptiblePipe(stdin.fileno())


class _InterruptiblePipe(io.RawIOBase):
    """Standard input from a pipe or a keyboard, whose reads end at Ctrl-C.

    A thread that waits in a plain read cannot be woken, so the run could not stop.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._interrupted, wakeup = os.pipe()
        os.set_blocking(wakeup, False)
        signal.set_wakeup_fd(wakeup)

    def readable(self) -> bool:
        return True

    def readinto(self, target: Any) -> int:
        ready, _, _ = select.select([self._descriptor, self._interrupted], [], [])
        if self._interrupted in ready:
            # An end of file here would make a short table look whole.
            raise InterruptedError("interrupted")
        return os.readv(self._descriptor, [target])


def _writer(frame: StreamFrame, dst: str) -> Callable[[str], RunReport]:
    """Return the verb that writes what the target's suffix says."""
    writers: dict[str, Callable[[str], RunReport]] = {
        ".parquet": frame.to_parquet,
        ".pq": frame.to_parquet,
        ".csv": frame.to_csv,
        ".tsv": frame.to_csv,
        ".orc": frame.to_orc,
        **dict.fromkeys((".arrow", ".arrows", ".feather", ".ipc"), frame.to_ipc),
        ".ndjson": frame.to_ndjson,
        ".jsonl": frame.to_ndjson,
    }
    path = PurePath(dst.lower())
    # Only text is compressed as a whole: `.csv.gz` is a CSV, `.parquet.gz` is nothing we write.
    suffix = PurePath(path.stem).suffix if path.suffix in _TEXT_COMPRESSIONS else path.suffix
    if suffix not in writers or (suffix != path.suffix and suffix not in _TEXTS):
        # The target itself stays untold: a URL may hold a password.
        raise PlanError(
            "the suffix of DST does not say what to write", hint=f"end it in {', '.join(writers)} or .csv.gz."
        )
    return writers[suffix]


def _visible(text: str, stream: TextIO) -> str:
    """Return text that drives no terminal and that the stream can encode."""
    # Values and names come from files and servers, and may hold escape sequences.
    shown = "".join(char if char.isprintable() or char == "\n" else ascii(char)[1:-1] for char in text)
    encoding = stream.encoding or "utf-8"
    return shown.encode(encoding, "backslashreplace").decode(encoding)


if __name__ == "__main__":
    main()
