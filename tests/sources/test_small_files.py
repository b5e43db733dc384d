"""Many small files: decoded together, and told apart in every row, error, reject and checkpoint."""

import gc
import os
import weakref

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import streamframe as sf
from streamframe.batch import Mark
from streamframe.plan.source import Block, Decoded
from streamframe.sources.gathered import GatheredBlock

READERS = {"csv": sf.read_csv, "ndjson": sf.read_ndjson, "txt": sf.read_lines}
OPTIONS = {"csv": {"dtype": {"a": "int64", "b": "string"}}, "ndjson": {"dtype": {"a": "int64", "b": "string"}}}
HEADS = {"csv": "a,b\n", "ndjson": "", "txt": ""}
LINES = {
    "csv": [
        "1,x", "2,é", '3,"q ""r"""', '4,"two\nlines"',
        '5,"open', "6,lone\r7,end", "", "8", "nine,x", "10,y\r", "11,a,b",
    ],
    "ndjson": [
        '{"a":1,"b":"x"}', '{"a":2}', '{"a":3}\r',
        '{"a":4}\r{"a":5}', "", " ", '{"a":6}{"a":7}', '{"a":"8"}', "[]",
    ],
    "txt": ["one", "zwei é", "", "three\rfour", "five\r"],
}  # fmt: skip


def written(folder, suffix, texts):
    for number, text in enumerate(texts):
        path = folder / f"n={100 + number}" / f"x.{suffix}"
        path.parent.mkdir(parents=True)
        path.write_bytes((HEADS[suffix] + text).encode())
    return folder


def placed(frame, *, numbered=True):
    """Return a frame that says of each row where it comes from."""
    frame = frame.with_columns(file=sf.source())
    return frame.with_columns(row=sf.source("row")) if numbered else frame


def outcome(run):
    """Return what a function returns, or what it raises, in so far as that is the same for one file and for many."""
    try:
        return run()
    except sf.StreamError as error:
        return type(error).__name__, error.message, error.row, error.byte_offset, os.path.basename(error.source or "")


def apart(folder, suffix, *, numbered, **options):
    """Return the rows and the rejects of all files, each read by itself, or the first error."""
    rows, rejects = [], []
    for path in sorted(folder.rglob(f"*.{suffix}")):
        frame = READERS[suffix](path, hive={"n": "int64"}, **options)
        rows += placed(frame, numbered=numbered).to_arrow().to_pylist()
        if options.get("errors") == "quarantine":
            rejects += frame.rejects().to_arrow().to_pylist()
    return rows, rejects


def together(folder, suffix, *, numbered, **options):
    frame = READERS[suffix](folder, hive={"n": "int64"}, **options)
    quarantines = options.get("errors") == "quarantine"
    return placed(
        frame, numbered=numbered
    ).to_arrow().to_pylist(), frame.rejects().to_arrow().to_pylist() if quarantines else []


@pytest.mark.parametrize("suffix", READERS)
@pytest.mark.parametrize("errors", ["raise", "skip", "null", "quarantine"])
@settings(max_examples=int(os.environ.get("SMALL_EXAMPLES", "25")), deadline=None)
@given(data=st.data())
def test_files_read_together_are_what_they_are_one_by_one(tmp_path_factory, suffix, errors, data):
    good = LINES[suffix][:3] if suffix != "txt" else LINES[suffix][:2]
    # Mostly good ones, or hardly any files would ever be decoded together; the first tells the columns.
    line = st.one_of(*[st.sampled_from(good)] * 9, st.sampled_from(LINES[suffix]))
    lines = st.tuples(st.sampled_from(good), st.lists(line, max_size=3)).map(
        lambda some: "\n".join([some[0], *some[1]])
    )
    text = st.tuples(lines, st.sampled_from(["", "\n", "\r\n"])).map("".join)
    folder = written(tmp_path_factory.mktemp("small"), suffix, data.draw(st.lists(text, min_size=2, max_size=9)))
    options = {**OPTIONS.get(suffix, {}), "errors": errors, "numbered": data.draw(st.booleans())}
    assert outcome(lambda: together(folder, suffix, **options)) == outcome(lambda: apart(folder, suffix, **options))


@pytest.mark.parametrize("suffix", READERS)
def test_keys_and_paths_stay_with_their_rows_in_every_way_to_take_them(tmp_path, suffix):
    folder = written(tmp_path, suffix, ["".join(f"{line}\n" for line in LINES[suffix][:2])] * 40)
    options = OPTIONS.get(suffix, {})
    frame = READERS[suffix](folder, **options).with_columns(file=sf.source())
    rows = frame.to_arrow().to_pylist()
    assert [row["n"] for row in rows] == [number for number in range(100, 140) for _ in range(2)]
    assert all(f"n={row['n']}" in row["file"] for row in rows)
    assert frame.select("n").to_arrow()["n"].to_pylist() == [row["n"] for row in rows]
    assert frame.filter(sf.col("n") == 117).count() == 2
    assert frame.head(7).n.tolist() == [100, 100, 101, 101, 102, 102, 103]
    coded = READERS[suffix](folder, hive={"n": "category"}, **options).select("n").to_arrow()["n"]
    assert coded.cast(pa.string()).to_pylist() == [str(row["n"]) for row in rows]


def test_batches_hold_the_rows_of_many_files_and_are_the_same_each_time(tmp_path):
    frame = sf.read_csv(written(tmp_path, "csv", ["1,x\n2,y\n"] * 100))
    sizes = [batch.num_rows for batch in frame]
    assert sizes[0] == 2
    assert len(sizes) < 10
    assert sum(sizes) == 200
    for workers in (1, 2, 4):
        with sf.options(workers=workers):
            assert [batch.num_rows for batch in frame] == sizes


def test_rows_before_a_damaged_file_come_before_its_error(tmp_path):
    folder = written(tmp_path, "csv", ["1,x\n2,y\n"] * 20)
    (folder / "n=113" / "x.csv").write_text("a,b\n1,x\nno,y\n")
    got = []
    with pytest.raises(sf.DecodeError, match="'no' as int64") as caught:
        for batch in sf.read_csv(folder):
            got += batch["n"].to_pylist()
    assert got == [number for number in range(100, 113) for _ in range(2)]
    assert (caught.value.row, caught.value.byte_offset) == (2, 8)
    assert "n=113" in caught.value.source


def test_rows_before_a_file_that_is_gone_come_before_its_error(tmp_path):
    paths = sorted(written(tmp_path, "csv", ["1,x\n"] * 20).rglob("*.csv"))
    paths[14].unlink()
    got = []
    with pytest.raises(sf.SourceError, match="n=114"):
        for batch in sf.read_csv(paths, hive=True):
            got += batch["n"].to_pylist()
    assert got == list(range(100, 114))


@pytest.mark.parametrize("suffix", READERS)
@pytest.mark.parametrize("keyed", [True, False])
@pytest.mark.parametrize("numbered", [True, False])
def test_a_run_goes_on_behind_every_batch(tmp_path, suffix, keyed, numbered):
    # An empty line is no record of CSV and NDJSON; some files have one, some a record of two lines.
    some = [*LINES[suffix][:3], "", *LINES[suffix][3:4]] if suffix == "csv" else [*LINES[suffix][:2], ""]
    texts = ["".join(f"{line}\n" for line in some[: 1 + number % len(some)]) for number in range(40)]
    folder = written(tmp_path, suffix, texts)
    files = folder if keyed else sorted(folder.rglob("*." + suffix))
    frame = READERS[suffix](files, **OPTIONS.get(suffix, {}))
    frame = placed(frame, numbered=numbered) if keyed or numbered else frame
    rows = frame.to_arrow().to_pylist()
    with frame.iter_batches() as batches:
        done = 0
        for batch in batches:
            done += batch.num_rows
            checkpoint = batches.checkpoint()
            assert checkpoint.rows == done
            rest = [row for more in frame.iter_batches(resume=checkpoint) for row in more.to_pylist()]
            assert rest == rows[done:]


def test_a_file_that_ends_in_an_escape_does_not_run_into_the_next(tmp_path):
    for number in range(9):
        (tmp_path / f"{number}.csv").write_text("a,b\n1,x\n2,y\\")
    options = {"escapechar": "\\", "errors": "skip", "dtype": {"a": "int64", "b": "string"}}
    paths = sorted(tmp_path.glob("*.csv"))
    rows = [row for path in paths for row in sf.read_csv(path, **options).to_arrow().to_pylist()]
    assert sf.read_csv(paths, **options).to_arrow().to_pylist() == rows


def test_what_cannot_be_read_is_counted_for_its_file(tmp_path):
    folder = written(tmp_path, "csv", ["1,x\n", "no,y\n2,z\n", "3,x\n"] * 10)
    frame = sf.read_csv(folder, errors="quarantine", dtype={"a": "int64"})
    report = frame.to_parquet(tmp_path / "out.parquet", rejects=tmp_path / "rejects.parquet")
    assert (report.rows, report.rejected) == (30, 10)
    rejects = sf.read(tmp_path / "rejects.parquet").to_arrow().to_pylist()
    assert [(reject["row"], reject["byte_offset"]) for reject in rejects] == [(1, 4)] * 10
    assert [os.path.basename(os.path.dirname(reject["source"])) for reject in rejects] == [
        f"n={number}" for number in range(101, 130, 3)
    ]


class Scripted(Block):
    """A block that decodes to some rows, or to an error."""

    def __init__(self, made):
        self._made, self.nbytes = made, 1

    def decode(self):
        if isinstance(self._made, Exception):
            raise self._made
        return Decoded(self._made, self._made.num_rows)

    def mark(self, rows):
        return Mark(rows=rows)


def test_an_error_that_is_kept_for_later_keeps_nothing_else():
    gc.disable()
    try:
        block = GatheredBlock([Scripted(pa.record_batch({"a": [1]})), Scripted(sf.DecodeError("damaged"))])
        assert block.decode().more
        freed = weakref.ref(block)
        del block
        assert freed() is None
    finally:
        gc.enable()
