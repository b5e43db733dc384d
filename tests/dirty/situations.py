"""Messy files as people meet them, and what is right for each: the rows, or an error that says where."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Row = dict[str, Any]
MANY = 1_000_000


@dataclass(frozen=True)
class Situation:
    """A way in which data is messy.

    Attributes
    ----------
    title : str
        In a few words.
    write : callable
        Makes the files in a folder; returns the path to read, which may be a glob.
    right : callable
        Tells whether rows are the right ones; values as Python has them, times as ISO text.
    sep : str
        Between fields, where it has to be said.
    is_error : bool
        Nobody can know the rows, so only an error is right.
    """

    title: str
    write: Callable[[Path], Path]
    right: Callable[[list[Row]], bool]
    sep: str = ","
    is_error: bool = False


def _file(name: str, data: str | bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = folder / name
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    return write


def _files(texts: Iterable[str]) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        for number, text in enumerate(texts, start=1):
            (folder / f"day-{number:02}.csv").write_text(text)
        return folder / "day-*.csv"

    return write


def _are(*rows: Row) -> Callable[[list[Row]], bool]:
    return lambda found: found == list(rows)


def _column(name: str, values: Callable[[], list[Any]]) -> Callable[[list[Row]], bool]:
    return lambda found: [row.get(name) for row in found] == values()


def _late(text: str) -> str:
    return "n,x\n" + "".join(f"{n},1\n" for n in range(MANY)) + f"{text},1\n"


_LINES = [f'{n},"line one of {n}\nline two, with ""quotes"""' for n in range(60_000)]
_NDJSON = [json.dumps({"id": n}) for n in range(100_000)]
_CARDS = "id,name\n1,Zoë\n2,Åse\n"
_NUMBERS = "id,n\n" + "".join(f"{n},{n * 7}\n" for n in range(20_000))

SITUATIONS = (
    Situation(
        "an `A` among numbers, in row 1,000,001",
        _file("late.csv", _late("A")),
        lambda found: len(found) == MANY + 1 and str(found[-1]["n"]) == "A",
    ),
    Situation(
        "quoted line ends, in 3 MB",
        _file("quoted.csv", "id,text\n" + "\n".join(_LINES) + "\n"),
        lambda found: (
            [row["text"] for row in found] == [f'line one of {n}\nline two, with "quotes"' for n in range(len(_LINES))]
        ),
    ),
    Situation(
        "a stray quote in an unquoted field",
        _file("pipes.csv", 'id,what\n1,5" pipe\n2,"a ""b"""\n3,c\n'),
        _are({"id": 1, "what": '5" pipe'}, {"id": 2, "what": 'a "b"'}, {"id": 3, "what": "c"}),
    ),
    Situation(
        "a quote that is never closed",
        _file("open.csv", "id,t\n" + "".join(f"{n},x\n" for n in range(1000)) + '1000,"x\n' + "1001,x\n" * 1000),
        lambda found: False,
        is_error=True,
    ),
    Situation(
        "a row with a field too few",
        _file("short.csv", "a,b,c\n1,2,3\n4,5\n6,7,8\n"),
        lambda found: False,
        is_error=True,
    ),
    Situation(
        "a row with a field too many",
        _file("long.csv", "a,b\n1,2\n3,4,5\n6,7\n"),
        lambda found: False,
        is_error=True,
    ),
    Situation(
        "LF, CRLF and CR in one file",
        _file("ends.csv", "a,b\n1,x\r\n2,y\n3,z\r4,w\n"),
        _are({"a": 1, "b": "x"}, {"a": 2, "b": "y"}, {"a": 3, "b": "z"}, {"a": 4, "b": "w"}),
    ),
    Situation(
        "a NUL byte in a field",
        _file("nul.csv", b"a,b\n1,x\x00y\n2,z\n"),
        _are({"a": 1, "b": "x\0y"}, {"a": 2, "b": "z"}),
    ),
    Situation(
        "two columns of one name",
        _file("twice.csv", "a,b,a\n1,2,3\n"),
        lambda found: len(found) == 1 and sorted(found[0].values()) == [1, 2, 3],
    ),
    Situation(
        "integers beyond 64 bits",
        _file("big.csv", "id\n1\n123456789012345678901234567890\n"),
        lambda found: [str(row["id"]) for row in found] == ["1", "123456789012345678901234567890"],
    ),
    Situation(
        "decimal commas (sep=`;`)",
        _file("comma.csv", "a;b\n1,5;x\n2,25;y\n"),
        lambda found: [str(row["a"]).replace(".", ",") for row in found] == ["1,5", "2,25"],
        sep=";",
    ),
    Situation(
        "a Windows-1252 file, read as it is",
        _file("win.csv", _CARDS.encode("cp1252")),
        _are({"id": 1, "name": "Zoë"}, {"id": 2, "name": "Åse"}),
    ),
    Situation(
        "a UTF-16 file, read as it is",
        _file("excel.csv", _CARDS.encode("utf-16")),
        _are({"id": 1, "name": "Zoë"}, {"id": 2, "name": "Åse"}),
    ),
    Situation(
        "a .gz that was cut short",
        _file("cut.csv.gz", gzip.compress(_NUMBERS.encode())[:-20_000]),
        lambda found: False,
        is_error=True,
    ),
    Situation(
        "one more column in file 7 of 10",
        _files(f"a,b{',c' if n == 7 else ''}\n{n},x{',new' if n == 7 else ''}\n" for n in range(1, 11)),
        lambda found: len(found) == 10 and found[6].get("c") == "new",
    ),
    Situation(
        "columns in another order in file 7 of 10",
        _files("b,a\nx,7\n" if n == 7 else f"a,b\n{n},x\n" for n in range(1, 11)),
        _column("a", lambda: list(range(1, 11))),
    ),
    Situation(
        "an empty file among ten",
        _files("" if n == 7 else f"a,b\n{n},x\n" for n in range(1, 11)),
        _column("a", lambda: [n for n in range(1, 11) if n != 7]),
    ),
    Situation(
        "NDJSON: a key that first comes in row 100,001",
        _file("late.ndjson", "\n".join([*_NDJSON, '{"id": 100000, "note": "x"}']) + "\n"),
        lambda found: len(found) == 100_001 and found[-1].get("note") == "x",
    ),
    Situation(
        "NDJSON: a number that becomes text in row 100,001",
        _file("turns.ndjson", "\n".join([*_NDJSON, '{"id": "x1"}']) + "\n"),
        lambda found: len(found) == 100_001 and str(found[-1]["id"]) == "x1",
    ),
    Situation(
        "NDJSON: the last line is cut",
        _file("cut.ndjson", '{"id": 1, "a": "x"}\n{"id": 2, "a": "y"}\n{"id": 3, "a'),
        lambda found: False,
        is_error=True,
    ),
)
