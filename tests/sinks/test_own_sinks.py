"""A sink of the user's own, at the end of a run and beside it: committed or aborted, once."""

from __future__ import annotations

import gc
import threading

import pyarrow as pa
import pytest

import streamframe as sf
from streamframe.testing import serve, stalls_after

BATCHES = [pa.record_batch({"n": [3 * i, 3 * i + 1, 3 * i + 2]}) for i in range(4)]
ALL = ["start", 3, 3, 3, 3, "commit"]


class Told(sf.Sink):
    """Notes each call."""

    def __init__(self, fails_in=None):
        self.calls = []
        self.fails_in = fails_in

    def start(self, schema, context):
        assert schema.names == ["n"]
        assert context.options.memory_bytes > 0
        self.told("start")
        return OpenTold(self)

    def told(self, call):
        self.calls.append(call)
        if call == self.fails_in:
            raise RuntimeError("mine")


class OpenTold(sf.OpenSink):
    def __init__(self, sink):
        self.sink = sink

    def write(self, batch):
        self.sink.told(batch.num_rows)

    def commit(self):
        self.sink.told("commit")
        return sf.Written(("my table",), 12)

    def abort(self):
        self.sink.told("abort")


def frame():
    return sf.from_batches(BATCHES)


def breaks(batch):
    if batch["n"][0].as_py() == 6:
        raise RuntimeError("mine")
    return batch


def test_all_batches_are_written_and_committed_and_the_report_says_so():
    sink = Told()
    report = frame().write(sink)
    assert sink.calls == ALL
    assert (report.rows, report.files, report.bytes_written) == (12, ("my table",), 12)


@pytest.mark.parametrize(
    ("fails_in", "calls"),
    [
        ("start", ["start"]),
        (3, ["start", 3, "abort"]),
        # What a commit has begun has to be taken back as well.
        ("commit", [*ALL, "abort"]),
    ],
)
@pytest.mark.parametrize("run", [lambda sink: frame().write(sink), lambda sink: frame().tee(sink).to_arrow()])
def test_an_error_of_the_sink_keeps_its_type_and_ends_it_once(fails_in, calls, run):
    sink = Told(fails_in)
    with pytest.raises(RuntimeError, match="mine"):
        run(sink)
    assert sink.calls == calls


def test_an_error_of_the_run_aborts():
    sink = Told()
    with pytest.raises(RuntimeError, match="mine"):
        frame().map_batches(breaks).write(sink)
    assert sink.calls == ["start", 3, 3, "abort"]


def test_what_is_no_sink_is_refused_at_the_call():
    with pytest.raises(sf.PlanError, match=r"write needs an instance of a class derived from sf\.Sink, got str"):
        frame().write("out.parquet")
    with pytest.raises(sf.PlanError, match="tee: the suffix of"):
        frame().tee("out.xyz")


def test_one_pass_writes_and_goes_on(tmp_path):
    reads = []

    def batches():
        reads.append("read")
        return BATCHES

    teed = sf.from_batches(batches).tee(tmp_path / "all.csv").filter(sf.col("n") > 9).select(sf.col("n").alias("m"))
    assert reads == []
    assert teed.to_arrow().to_pydict() == {"m": [10, 11]}
    assert sf.read(tmp_path / "all.csv").to_arrow()["n"].to_pylist() == list(range(12))
    assert len(reads) == 1


def test_a_filter_above_does_not_move_below():
    sink = Told()
    assert frame().tee(sink).filter(sf.col("n") < 0).count() == 0
    assert sink.calls == ALL


@pytest.mark.slow
def test_whatever_ends_a_run_before_its_end_aborts_the_branch():
    runs = {
        "limit": lambda teed: teed.limit(4).to_arrow(),
        "head": lambda teed: teed.head(2),
        "error above": lambda teed: teed.map_batches(breaks).to_arrow(),
        "break": lambda teed: [next(iter(teed)) for _ in range(1)],
    }
    for name, run in runs.items():
        sink = Told()
        # The error is kept, and with it all frames that it went through.
        kept = None
        try:
            run(frame().tee(sink))
        except RuntimeError as error:
            kept = error
        gc.collect()
        assert (kept is not None) == (name == "error above")
        assert sink.calls[0] == "start", name
        assert sink.calls[-1] == "abort", name
        assert sink.calls.count("abort") == 1, name
        assert "commit" not in sink.calls, name


def test_a_run_closed_while_its_server_stalls_is_no_end_of_the_rows():
    """What was closed ends as if there were no more rows; a commit then would be of a part of them."""
    sink, some = Told(), threading.Event()
    sink.told = lambda call: (sink.calls.append(call), call == "start" or some.set())
    with serve(stalls_after(1_000_000, b"n\n" + b"1\n" * 1_000_000)) as url:
        rows = iter(sf.read_csv(url + "/a.csv").tee(sink))
        reader = threading.Thread(target=lambda: [batch.num_rows for batch in rows])
        reader.start()
        assert some.wait(20)
        while rows.stats().waiting_on != "source":
            assert reader.is_alive()
        rows.close()
        reader.join(20)
    assert sink.calls[-1] == "abort"
    assert sink.calls.count("abort") == 1
    assert "commit" not in sink.calls


def test_the_schema_and_the_repr_touch_no_sink():
    sink = Told()
    teed = frame().tee(sink)
    assert teed.schema.names == ["n"]
    assert "tee(Told)" in repr(teed)
    assert sink.calls == []


def test_a_target_is_old_until_all_rows_have_passed(tmp_path):
    target = tmp_path / "all.parquet"
    target.write_bytes(b"old")
    with iter(frame().tee(target)) as rows:
        next(rows)
        assert target.read_bytes() == b"old"
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["all.parquet"]
    for _ in frame().tee(target):
        pass
    assert sf.read(target).count() == 12


def test_a_frame_with_a_branch_is_not_continued_in_the_middle():
    rows = iter(frame().tee(Told()))
    next(rows)
    with pytest.raises(sf.PlanError, match=r"tee\(Told\) cannot be continued"):
        rows.checkpoint()
    rows.close()


def test_a_commit_that_returns_nothing_is_taken_as_it_is():
    class Quiet(sf.OpenSink):
        def write(self, batch):
            pass

        def commit(self):
            pass

        def abort(self):
            raise AssertionError("it was committed")

    class Silent(sf.Sink):
        def start(self, schema, context):
            return Quiet()

    assert sf.from_arrow({"a": [1]}).write(Silent()).rows == 1


def test_a_start_that_returns_nothing_is_told():
    class Forgot(sf.Sink):
        def start(self, schema, context):
            pass

    with pytest.raises(sf.PlanError, match=r"start of Forgot returned NoneType, which is no sf\.OpenSink"):
        sf.from_arrow({"a": [1]}).write(Forgot())
    with pytest.raises(sf.PlanError, match=r"start of Forgot returned NoneType, which is no sf\.OpenSink"):
        sf.from_arrow({"a": [1]}).tee(Forgot()).to_arrow()
