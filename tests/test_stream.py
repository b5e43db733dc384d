"""The verbs and ends of a frame, as a user types them."""

import os
import re
import signal
import subprocess
import sys
import textwrap

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest

import streamframe as sf
from streamframe.foreign import other_name


@pytest.fixture
def flights():
    return sf.from_arrow(
        {"dest": ["ATL", "BOS", None, "DEN"], "delay": [12, None, -3, 40], "km": [1.5, 2.5, 3.5, 4.5]},
    )


def test_verbs_return_new_frames_and_leave_the_old_one_as_it_was(flights):
    flights.filter(sf.col("delay") > 0).select("dest")
    assert flights.columns == ["dest", "delay", "km"]
    assert flights.count() == 4


def test_a_chain_reads_like_the_sentence_it_is(flights):
    made = flights.filter(sf.col("delay") > 0).with_columns(m=sf.col("km") * 1000).select("dest", "m").to_arrow()
    assert made.to_pylist() == [{"dest": "ATL", "m": 1500.0}, {"dest": "DEN", "m": 4500.0}]


def test_a_bare_arrow_expression_is_accepted_everywhere(flights):
    made = flights.filter(pc.field("delay") > 0).with_columns(twice=pc.field("km") * 2).select("twice")
    assert made.to_arrow()["twice"].to_pylist() == [3.0, 9.0]


def test_a_typo_is_told_at_the_verb_where_the_columns_are_known(flights):
    with pytest.raises(sf.ColumnNotFoundError, match="did you mean 'delay'"):
        flights.select("dealy")
    with pytest.raises(KeyError):
        flights.filter(sf.col("nope") > 1)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda frame: frame.limit(-3), r"limit\(n\) needs n >= 0, got -3"),
        (lambda frame: frame.limit(2.5), "whole number"),
        (lambda frame: frame.slice(-1, 2), "offset >= 0"),
        (lambda frame: frame.rebatch(), "rows= or nbytes="),
        (lambda frame: frame.rebatch(rows=0), "rows >= 1"),
        (lambda frame: frame.filter(), "needs a condition"),
        (lambda frame: frame.filter("delay > 3"), "expression"),
        (lambda frame: frame.filter(None), "expression"),
        (lambda frame: frame.pipe(3), "pipe needs a function"),
        (lambda frame: sf.read_csv("a.csv", columns=len), "columns needs a list"),
        (lambda frame: sf.read_csv("a.csv", columns=[0]), "columns needs a list"),
        (lambda frame: sf.read_parquet("a.parquet", filters="x > 3"), "expression"),
        (lambda frame: frame.to_csv("a.csv", header="no"), "header needs True or False"),
        (lambda frame: frame.rename(["a"]), "mapping"),
        (lambda frame: frame.drop(3), "column names"),
        (lambda frame: frame.select("dest", "dest"), "two columns named 'dest'"),
        (lambda frame: frame.rename({"dest": "km"}), "two columns named 'km'"),
        (lambda frame: frame.map_batches(3), "needs a function"),
        (lambda frame: frame.map_batches(len, parallel=True), "needs schema="),
        (lambda frame: frame.iter_pandas(chunksize=0), "chunksize >= 1"),
        (lambda frame: frame.iter_pandas(dtype_backend="numpy_nullable"), "dtype_backend"),
        (lambda frame: sf.concat([]), "at least one"),
        (lambda frame: sf.concat([frame], how="diagonal"), "not available"),
    ],
)
def test_an_argument_that_makes_no_sense_is_refused_at_the_call(flights, call, says):
    with pytest.raises(sf.PlanError, match=says):
        call(flights)


@pytest.mark.parametrize(
    ("call", "ours"),
    [
        (lambda: sf.read_csv("a.csv", usecols=["x"]), "columns="),
        (lambda: sf.read_csv("a.csv", nrows=3), "limit"),
        (lambda: sf.read_csv("a.csv", chunksize=3), "iter_pandas"),
        (lambda: sf.read_parquet("a.parquet", dtype_backend="pyarrow"), "iter_pandas"),
        (lambda: sf.read_csv("a.csv", colums=["x"]), "did you mean 'columns'?"),
        (lambda: sf.read("a.csv", columns=["x"]), "read_csv"),
        (lambda: sf.from_arrow({"a": [1]}).to_csv("a.csv", index=False), "no index"),
        (lambda: sf.from_arrow({"a": [1]}).to_parquet("a.parquet", compresion="zstd"), "did you mean 'compression'?"),
    ],
)
def test_the_argument_of_another_library_is_answered_with_ours(call, ours):
    with pytest.raises(sf.PlanError, match="has no argument") as raised:
        call()
    assert ours in str(raised.value)


def test_the_verb_of_another_library_is_answered_with_ours(flights):
    with pytest.raises(AttributeError, match="with_columns"):
        flights.assign(x=1)
    with pytest.raises(AttributeError, match="read_csv, which is lazy"):
        sf.scan_csv("a.csv")


def test_chunks_have_the_same_dtypes_wherever_the_nulls_are():
    batches = [
        pa.record_batch({"n": [1, 2], "ok": [True, False]}),
        pa.record_batch({"n": [3, None], "ok": [None, True]}),
    ]
    frame = sf.from_batches(batches)
    for backend in ("numpy", "pyarrow"):
        chunks = list(frame.iter_pandas(dtype_backend=backend))
        assert len(chunks) == 2
        assert chunks[0].dtypes.equals(chunks[1].dtypes)
    assert chunks[1]["n"].tolist()[0] == 3


def test_large_integers_survive_a_null_in_their_column():
    big = 2**60 + 1
    (chunk,) = sf.from_arrow({"n": [big, None]}).iter_pandas()
    assert chunk["n"][0] == big


def test_chunksize_is_exact_but_for_the_last():
    frame = sf.from_arrow({"n": list(range(10))}).rebatch(rows=3)
    assert [len(chunk) for chunk in frame.iter_pandas(chunksize=4)] == [4, 4, 2]
    assert [batch.num_rows for batch in frame.iter_batches(batch_size=5)] == [5, 5]


def test_rows_are_dicts_of_python_values(flights):
    assert next(iter(flights.iter_rows())) == {"dest": "ATL", "delay": 12, "km": 1.5}


def test_rebatch_by_bytes_makes_batches_of_about_that_size():
    frame = sf.from_arrow({"n": list(range(100_000))}).rebatch(nbytes="80KB")
    sizes = [batch.nbytes for batch in frame]
    assert all(70_000 < size < 90_000 for size in sizes[:-1])
    assert sum(sizes) == 800_000


def test_to_pandas_is_what_pandas_makes_of_arrow(flights):
    pd.testing.assert_frame_equal(flights.to_pandas(), flights.to_arrow().to_pandas())


def test_other_libraries_read_a_frame_through_the_arrow_stream(flights):
    assert pl.DataFrame(flights).height == 4
    assert pa.table(flights).num_rows == 4
    assert pa.schema(flights).names == ["dest", "delay", "km"]
    assert duckdb.sql("select count(*), sum(delay) from flights").fetchall() == [(4, 49)]
    assert sf.from_arrow(pl.DataFrame({"a": [1, 2]})).count() == 2


def test_a_reader_that_is_dropped_half_way_leaves_nothing(tmp_path):
    path = tmp_path / "n.csv"
    path.write_text("n\n" + "\n".join(map(str, range(300_000))))
    reader = sf.read_csv(path).to_reader()
    reader.read_next_batch()
    del reader


def test_an_iterator_can_be_read_once_and_says_so():
    frame = sf.from_batches(iter([pa.record_batch({"n": [1]}), pa.record_batch({"n": [2]})]))
    assert frame.schema.names == ["n"]
    assert [row["n"] for row in frame.iter_rows()] == [1, 2]
    with pytest.raises(sf.SourceError, match="only once"):
        frame.count()


def test_frames_of_pandas_come_one_after_another():
    frame = sf.from_pandas(lambda: (pd.DataFrame({"n": [i]}) for i in range(3)))
    assert frame.to_pandas()["n"].tolist() == [0, 1, 2]
    assert frame.count() == 3


def test_a_named_index_becomes_a_column_and_another_is_dropped():
    assert sf.from_pandas(pd.DataFrame({"a": [1]}, index=pd.Index(["x"], name="key"))).columns == ["a", "key"]
    assert sf.from_pandas(pd.DataFrame({"a": [1]}, index=["x"])).columns == ["a"]


def test_a_column_of_mixed_values_is_told():
    with pytest.raises(sf.SchemaError, match="several types"):
        sf.from_pandas(pd.DataFrame({"a": [1, "x"]})).to_arrow()


def test_a_function_whose_result_changes_its_type_is_told_with_the_column():
    def fn(batch):
        return {"n": ["text"]} if batch["n"][0].as_py() > 2 else {"n": [1]}

    frame = sf.from_arrow({"n": list(range(6))}).rebatch(rows=1).map_batches(fn)
    with pytest.raises(sf.SchemaError, match="column 'n' as string, but as int64 before") as raised:
        frame.to_arrow()
    assert raised.value.step == "step 3 of 3: map_batches"


def test_a_users_own_error_keeps_its_type_and_tells_the_step():
    def divides(batch):
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine") as raised:
        sf.from_arrow({"n": [1]}).map_batches(divides).to_arrow()
    assert "step 2 of 2: map_batches" in raised.value.__notes__[0]


def test_a_parallel_function_runs_in_the_pool(tmp_path):
    import threading

    path = tmp_path / "n.csv"
    path.write_text("n\n" + "\n".join(map(str, range(1000))))
    seen = set()

    def fn(batch):
        seen.add(threading.current_thread().name)
        return batch

    frame = sf.read_csv(path)
    assert frame.map_batches(fn, parallel=True, schema=frame.schema).to_arrow().num_rows == 1000
    assert all(name.startswith("streamframe-decode") for name in seen)


def test_stats_tell_how_far_an_iteration_is(tmp_path):
    path = tmp_path / "n.csv"
    path.write_text("n\n" + "\n".join(map(str, range(100_000))))
    with sf.read_csv(path).iter_batches() as batches:
        next(batches)
        assert 0 < batches.stats().rows < 100_000
        rest = sum(batch.num_rows for batch in batches)
        stats = batches.stats()
    assert stats.rows == 100_000
    assert rest < 100_000
    assert stats.bytes_read == path.stat().st_size
    assert stats.bytes_total == path.stat().st_size


def test_options_hold_inside_their_block_only():
    with sf.options(memory="8MB"):
        inside = sf.from_arrow({"n": [1]}).iter_batches()
    with inside:
        assert inside.stats().limit_bytes == 8_000_000
    with sf.from_arrow({"n": [1]}).iter_batches() as outside:
        assert outside.stats().limit_bytes == 256_000_000


@pytest.mark.parametrize("memory", ["lots", -1, 0, "1KB", True, "64 parsecs"])
def test_a_memory_option_that_makes_no_sense_is_refused(memory):
    with pytest.raises(sf.PlanError, match="memory"):
        sf.set_options(memory=memory)
    with pytest.raises(sf.PlanError, match="memory"):
        sf.options(memory=memory)


def run_python(code, **more):
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more
    )


def test_an_iteration_left_open_at_exit_does_not_hang_or_abort(tmp_path):
    path = tmp_path / "n.csv"
    path.write_text("n,m\n" + "\n".join(f"{i},{i}" for i in range(500_000)))
    process = run_python(f"""
        import streamframe as sf
        batches = iter(sf.read_csv({str(path)!r}))
        next(batches)
        print("leaving")
    """)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, "leaving\n", "")


def test_ctrl_c_ends_an_export_and_leaves_the_target_as_it_was(tmp_path):
    target = tmp_path / "out.csv"
    target.write_bytes(b"old")
    process = run_python(f"""
        import itertools, threading
        import pyarrow as pa, streamframe as sf
        def for_ever():
            for n in itertools.count():
                if n == 100:
                    print("running", flush=True)
                yield pa.record_batch({{"n": [n] * 1000}})
        try:
            sf.from_batches(for_ever).to_csv({str(target)!r})
        except KeyboardInterrupt:
            print("interrupted", [t.name for t in threading.enumerate() if t.name.startswith("streamframe")])
    """)
    assert process.stdout.readline() == "running\n"
    os.kill(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (out, err) == ("interrupted []\n", "")
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["out.csv"]


def test_importing_the_package_imports_nothing_heavy():
    code = """
        import sys, streamframe
        print([name for name in "pandas duckdb aiohttp IPython tqdm".split() if name in sys.modules])
    """
    assert run_python(code).communicate(timeout=30) == ("[]\n", "")


@pytest.mark.slow
def test_a_plan_made_in_a_loop_may_be_deep(flights):
    frame = flights
    for _ in range(1200):
        frame = frame.with_columns(km=sf.col("km") + 1)
    assert frame.to_arrow()["km"].to_pylist()[0] == 1201.5
    assert frame.count() == 4
    assert "decode pool" in frame.explain() or "your thread" in frame.explain()


@pytest.mark.parametrize("suffix", ["gz", "zst", "bz2", "xz"])
def test_csv_is_compressed_by_its_suffix(tmp_path, flights, suffix):
    target = tmp_path / f"out.csv.{suffix}"
    report = flights.to_csv(target)
    assert report.bytes_written == target.stat().st_size
    assert sf.read_csv(target).to_arrow().to_pylist() == flights.to_arrow().to_pylist()
    flights.to_csv(target, compression=None)
    assert target.read_bytes().startswith(b'"dest"')


def test_options_of_an_export_are_checked_at_the_call(tmp_path, flights):
    for call in (
        lambda: flights.to_parquet(tmp_path / "x", compression="rar"),
        lambda: flights.to_csv(tmp_path / "x", compression="rar"),
        lambda: flights.to_csv(tmp_path / "x", sep="||"),
        lambda: sf.read_csv(tmp_path / "x", dtype="string"),
    ):
        with pytest.raises(sf.PlanError):
            call()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "step",
    [
        lambda frame: frame.cast({"km": "float32"}),
        lambda frame: frame.with_columns(km=sf.col("km") * 2),
        lambda frame: frame.rename({"km": "miles"}),
        lambda frame: frame.drop("km"),
        lambda frame: frame.select("km"),
        lambda frame: frame.rebatch(rows=1),
    ],
)
def test_rows_are_counted_behind_any_step_although_no_column_is_read(flights, step):
    """A batch without columns still has rows: `count` after a cast once gave 0."""
    assert step(flights).count() == flights.count()
    assert step(flights).group_by().agg(n=sf.count()).to_arrow()["n"].to_pylist() == [flights.count()]


def test_a_limit_beyond_any_number_of_rows_is_all_rows(flights):
    assert flights.limit(10**30).count() == flights.count()
    assert flights.slice(1, 10**30).count() == flights.count() - 1
    assert flights.slice(10**30, 10**30).count() == 0


def test_a_column_may_be_called_self(flights):
    assert flights.with_columns(self=1).columns[-1] == "self"


def test_threads_that_share_an_iteration_get_every_row_once(datasets):
    import threading

    batches = sf.read_csv(datasets / "flights-2013-01.csv.gz").iter_batches()
    taken, raised = [], []

    def take():
        try:
            taken.extend(batch.num_rows for batch in batches)
        except Exception as error:
            raised.append(error)

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    batches.close()
    assert (sum(taken), raised) == (27_004, [])


def test_a_run_that_failed_never_looks_like_one_that_ended():
    def fails():
        yield pa.record_batch({"n": [1]})
        raise RuntimeError("mine")

    rows = sf.from_batches(fails).iter_rows()
    assert next(rows) == {"n": 1}
    for _ in range(2):
        with pytest.raises(RuntimeError, match="mine"):
            next(rows)


def test_rows_without_columns_cannot_be_exported(tmp_path, flights):
    for export in (flights.select().to_parquet, flights.select().to_csv):
        with pytest.raises(sf.SchemaError, match="no columns to write"):
            export(tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_parquet_takes_the_compressions_that_pandas_takes(tmp_path, flights):
    for compression in (None, "SNAPPY", "zstd"):
        assert flights.to_parquet(tmp_path / "out.parquet", compression=compression).rows == 4


@pytest.mark.parametrize(
    ("misspelled", "ours"),
    [("fitler", "filter"), ("to_parqet", "to_parquet"), ("dropna", "is_not_null"), ("fillna", "fill_null")]
    + [(verb, "duckdb") for verb in ("sort", "sort_values", "join", "merge")],
)
def test_a_verb_of_another_name_is_told(misspelled, ours):
    with pytest.raises(AttributeError, match=f"StreamFrame has no '{misspelled}'.*{ours}"):
        getattr(sf.from_arrow({"a": [1]}), misspelled)


def test_a_misspelled_reader_is_told_and_what_python_asks_for_is_not():
    with pytest.raises(AttributeError, match="has no 'read_cvs'; did you mean 'read_csv'"):
        sf.read_cvs("a.csv")
    with pytest.raises(AttributeError, match=r"has no '__dataframe__'$"):
        sf.from_arrow({"a": [1]}).__dataframe__()


def test_duckdb_sorts_a_frame_as_the_hint_says():
    frame = sf.from_arrow({"x": [2, 1]})
    hint = re.search('"(.*)"', other_name("sort"))[1]
    assert duckdb.sql(hint).fetchall() == [(1,), (2,)]
    assert frame.count() == 2


def test_with_columns_without_a_name_is_told():
    with pytest.raises(sf.PlanError, match="needs a name for each column"):
        sf.from_arrow({"a": [1]}).with_columns(sf.col("a") + 1)
