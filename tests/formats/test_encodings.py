"""Bytes that mean nothing in the declared encoding take only their record with them, wherever the file is cut.

Good and rejected records together are all records, and what is rejected shows such bytes.
"""

from __future__ import annotations

import io
import os
from dataclasses import replace

import pyarrow as pa
import pytest

import streamframe as sf
from streamframe.formats.csv import CsvFormat
from streamframe.formats.lines import LinesFormat
from streamframe.formats.ndjson import NdjsonFormat
from tests.formats.scripted import Scripted, open_file, scan_of

# What means nothing: between two letters of a value, and how a reject shows it.
NOTHING = {
    "cp1252": [(b"\x81", r"\x81"), (b"\x8d\x9d", r"\x8d\x9d")],
    "ascii": [(b"\xc3\xa9", r"\xc3\xa9")],  # which would be a letter of UTF-8
    "shift_jis": [(b"\xfd", r"\xfd"), (b"\x81 ", r"\x81 ")],
    "euc-jp": [(b"\xff", r"\xff"), (b"\xa4 ", r"\xa4 ")],
    "utf-16-le": [(b"\x3d\xd8", r"\x3d\xd8"), (b"\x00\xdc", r"\x00\xdc"), (b"\x0a\xdc", r"\x0a\xdc")],
    "utf-16": [(b"\x3d\xd8", r"\x3d\xd8")],
    "utf-32-be": [(b"\x00\x00\xd8\x0a", r"\x00\x00\xd8\x0a"), (b"\x00\x11\x00\x00", r"\x00\x11\x00\x00")],
    "utf-8-sig": [(b"\xff", r"\xff"), (b"\xed\xb2\x81", r"\xed\xb2\x81")],
}
CASES = [(encoding, *case) for encoding, cases in NOTHING.items() for case in cases]
LETTERS = {"cp1252": "é€", "shift_jis": "日本", "euc-jp": "日本", "ascii": "ab"}
FORMATS = {
    "csv": CsvFormat(names=["a", "b"], header=False, encoding="latin-1"),
    "ndjson": NdjsonFormat(),
    "array": NdjsonFormat(),
    "lines": LinesFormat(),
}
SCHEMAS = {
    "csv": pa.schema({"a": pa.int64(), "b": pa.string()}),
    "ndjson": pa.schema({"a": pa.int64(), "b": pa.string()}),
    "array": pa.schema({"a": pa.int64(), "b": pa.string()}),
    "lines": None,
}
MIDDLES = {"csv": '{n},"{b}"', "ndjson": '{{"a":{n},"b":"{b}"}}', "array": '{{"a":{n},"b":"{b}"}}', "lines": "{n} {b}"}
COUNT, BAD = 6, 3
HOLE = "HOLE"


def file_of(kind, encoding, nothing):
    """Return a file in which the bytes stand in the middle of a record, and the texts of all records."""
    letters = LETTERS.get(encoding, "日😀")
    texts = [MIDDLES[kind].format(n=n, b=letters + (HOLE if n == BAD else "") + letters) for n in range(COUNT)]
    ends = {"array": ("[", ",", "]")}.get(kind, ("", "\r\n", "\r\n"))
    whole = ends[0] + ends[1].join(texts) + ends[2]
    first, behind = whole.split(HOLE)
    # The part behind must have no byte order mark of its own.
    one_way = {"utf-16": "utf-16-le", "utf-8-sig": "utf-8"}.get(encoding, encoding)
    mark = "".encode(encoding)
    return mark + first.encode(one_way) + nothing + behind.encode(one_way), texts


def outcome(kind, encoding, errors, chunks, block_bytes=1 << 20):
    file_format = replace(FORMATS[kind], encoding=encoding, errors=errors)
    opened = open_file(file_format, Scripted(chunks=tuple(chunks)), expected=SCHEMAS[kind], block_bytes=block_bytes)
    reader = opened.read(scan_of(), part=0)
    rows, rejects, records, nulled = [], [], 0, 0
    try:
        while (block := reader.next_block()) is not None:
            made = block.decode()
            assert made.data.validate(full=True) is None
            rows += made.data.to_pylist()
            for each in made.rejects.to_pylist() if made.rejects is not None else ():
                rejects.append({**each, "row": records + each["row"]})
            records += made.records
            nulled += made.nulled
    finally:
        reader.close()
    return rows, rejects, records, nulled


@pytest.mark.slow
@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(("encoding", "nothing", "shown"), CASES)
def test_only_the_record_with_such_bytes_is_rejected(kind, encoding, nothing, shown):
    data, texts = file_of(kind, encoding, nothing)
    rows, rejects, records, _ = kept = outcome(kind, encoding, "quarantine", [data])
    assert (len(rows), len(rejects), records) == (COUNT - 1, 1, COUNT)
    good = [f"{n} {row['b']}" if kind != "lines" else row["line"] for n, row in zip((0, 1, 2, 4, 5), rows, strict=True)]
    letters = LETTERS.get(encoding, "日😀")
    assert good == [f"{n} {letters}{letters}" for n in (0, 1, 2, 4, 5)]
    (reject,) = rejects
    assert reject["row"] == BAD + 1
    assert reject["record"].decode() == texts[BAD].replace(HOLE, shown)
    assert shown.encode().decode("unicode_escape") not in reject["reason"]
    assert shown in reject["reason"]
    assert f"is not {encoding.replace('euc-jp', 'euc_jp')} text" in reject["reason"]
    for cut in range(1, len(data), 3):
        assert outcome(kind, encoding, "quarantine", [data[:cut], data[cut:]], (1 << 20, 64, 7)[cut % 3]) == kept
    assert outcome(kind, encoding, "skip", [data]) == (rows, [], records, 0)
    nulled = outcome(kind, encoding, "null", [data])
    if kind in ("csv", "lines"):
        assert nulled[0] == [
            *rows[:BAD],
            {**dict.fromkeys(rows[0]), **({"a": BAD} if kind == "csv" else {})},
            *rows[BAD:],
        ]
        assert nulled[3] == 1
    else:
        assert nulled == (rows, [], records, 0)
    with pytest.raises(sf.DecodeError, match="at byte offset"):
        outcome(kind, encoding, "raise", [data])


@pytest.mark.parametrize("errors", ["skip", "quarantine"])
@pytest.mark.parametrize(
    ("encoding", "rest", "shown"),
    [("utf-16", b"\x00", rb"\x00"), ("utf-16-be", b"\x00", rb"\x00"), ("shift_jis", b"\x81", rb"\x81")],
)
def test_a_letter_that_is_cut_at_the_end_takes_the_last_record(encoding, rest, shown, errors):
    data = "n,t\r\n1,a\r\n2,b".encode(encoding) + rest
    frame = sf.read_csv(io.BytesIO(data), encoding=encoding, errors=errors)
    assert frame.to_arrow().to_pylist() == [{"n": 1, "t": "a"}]
    if errors == "quarantine":
        told = frame.rejects().to_arrow().to_pylist()
        assert [(each["row"], each["record"], each["byte_offset"]) for each in told] == [(2, b"2,b" + shown, 10)]


def test_types_are_inferred_without_such_bytes_and_a_run_counts_them(tmp_path):
    lines = [b"%d,caf\xe9 %d" % (n, n) for n in range(50_000)]
    for bad in range(0, 50_000, 500):
        lines[bad] = lines[bad].replace(b"\xe9", b"\x81")
    (tmp_path / "a.csv").write_bytes(b"id,name\n" + b"\n".join(lines))
    frame = sf.read_csv(tmp_path / "a.csv", encoding="cp1252", errors="quarantine")
    assert frame.schema == pa.schema({"id": pa.int64(), "name": pa.string()})
    report = frame.to_csv(tmp_path / "good.csv", rejects=tmp_path / "bad.csv")
    assert (report.rows, report.rejected) == (49_900, 100)
    told = sf.read(tmp_path / "bad.csv").to_arrow().to_pylist()
    assert told[1]["record"] == r"500,caf\x81 500"
    assert told[1]["reason"] == r"column 'name': 'caf\x81 500' is not cp1252 text"
    assert sf.read_csv(tmp_path / "a.csv", encoding="cp1252", errors="skip", columns=["id"]).count() == 50_000


def test_a_header_with_such_bytes_is_told_not_guessed():
    data = b"id,caf\x81\n1,2\n"
    with pytest.raises(sf.DecodeError, match=r"header line of an open file is not cp1252 text: b'id,caf") as caught:
        sf.read_csv(io.BytesIO(data), encoding="cp1252", errors="skip").to_arrow()
    assert "skip_rows=1" in caught.value.hint
    frame = sf.read_csv(io.BytesIO(data), encoding="cp1252", errors="skip", skip_rows=1, header=False, names=["a", "b"])
    assert frame.to_arrow().to_pylist() == [{"a": 1, "b": 2}]


def test_bytes_of_comments_and_lines_to_skip_mean_nothing_anyway():
    data = b"\x81\nid,t\n#\x81\n1,a\n"
    frame = sf.read_csv(io.BytesIO(data), encoding="cp1252", errors="skip", skip_rows=1, comment="#")
    assert frame.to_arrow().to_pylist() == [{"id": 1, "t": "a"}]


def test_what_a_pipe_was_looked_at_with_it_is_read_with():
    ours, theirs = os.pipe()
    with open(theirs, "wb") as file:
        file.write(b"a\n1\n\x81\n")
    with open(ours, "rb") as file:
        frame = sf.read_csv(file, encoding="cp1252", errors="skip")
        assert frame.columns == ["a"]
        assert frame.to_arrow()["a"].to_pylist() == ["1"]
