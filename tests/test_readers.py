"""Readers as a user calls them: files, globs, HTTP, and what is said when they cannot read."""

import threading

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import streamframe as sf
from streamframe.testing import chunked, cut_at, in_turn, page, serve, stalls_after, status, with_length
from tests.contract.parts import csv_bytes, parquet_bytes, table


def error_of(call, kind):
    with pytest.raises(kind) as raised:
        call()
    return raised.value


def test_read_goes_by_the_suffix(tmp_path, datasets):
    assert sf.read(datasets / "airlines.csv").columns == ["carrier", "name"]
    assert "dep_delay" in sf.read(datasets / "flights.parquet").columns
    (tmp_path / "a.tsv").write_text("a\tb\n1\t2\n")
    assert sf.read(tmp_path / "a.tsv").to_arrow().to_pylist() == [{"a": 1, "b": 2}]
    for suffix in (".ndjson", ".jsonl"):
        (tmp_path / f"b{suffix}").write_text('{"a":1,"b":[2]}\n')
        assert sf.read(tmp_path / f"b{suffix}").to_arrow().to_pylist() == [{"a": 1, "b": [2]}]


def test_an_unknown_suffix_is_told_at_the_call_with_what_is_known():
    error = error_of(lambda: sf.read("flights.xlsx"), sf.PlanError)
    assert "'.xlsx' tells no format" in str(error)
    assert "read_csv" in str(error)


def test_a_missing_file_is_told_with_its_name_when_it_is_read(tmp_path):
    frame = sf.read_csv(tmp_path / "nowhere.csv")
    error = error_of(frame.head, sf.SourceError)
    assert "nowhere.csv" in str(error)
    assert error.step == "step 1 of 2: read_csv"
    assert isinstance(error, OSError)


def test_a_glob_without_a_match_is_told(tmp_path):
    error = error_of(lambda: sf.read_csv(tmp_path / "x-*.csv").count(), sf.SourceError)
    assert "x-*.csv" in str(error)


def test_files_of_a_glob_are_read_in_the_order_of_their_names(tmp_path):
    for n in (2, 0, 1):
        (tmp_path / f"p{n}.csv").write_text(f"n\n{n}\n")
    assert sf.read_csv(tmp_path / "p*.csv").to_arrow()["n"].to_pylist() == [0, 1, 2]


def test_a_later_file_without_a_column_is_told_with_its_name(tmp_path):
    (tmp_path / "p0.csv").write_text("a,b\n1,2\n")
    (tmp_path / "p1.csv").write_text("a,c\n1,2\n")
    error = error_of(lambda: sf.read_csv(tmp_path / "p*.csv").to_arrow(), sf.SchemaError)
    assert "p1.csv" in str(error)
    assert "b" in str(error)


def test_ndjson_goes_through_every_verb_like_csv(tmp_path, datasets):
    target = tmp_path / "flights.ndjson.gz"
    flights = sf.read(datasets / "flights.parquet").limit(30_000)
    assert flights.to_ndjson(target).rows == 30_000
    back = sf.read_ndjson(target, columns=["dep_delay", "dest"]).filter(sf.col("dep_delay") > 30)
    wanted = flights.select("dep_delay", "dest").filter(sf.col("dep_delay") > 30)
    assert back.to_arrow().to_pylist() == wanted.to_arrow().to_pylist()


def test_a_field_that_only_a_later_file_has_is_told_with_its_name(tmp_path):
    (tmp_path / "p0.ndjson").write_text('{"a":1}\n')
    (tmp_path / "p1.ndjson").write_text('{}\n{"a":2,"late":true}\n')
    error = error_of(lambda: sf.read_ndjson(tmp_path / "p*.ndjson").to_arrow(), sf.SchemaError)
    assert (error.column, error.row, error.part, error.byte_offset) == ("late", 2, 1, 3)
    assert "p1.ndjson" in str(error)
    assert 'dtype={"late": "bool"}' in str(error)
    assert sf.read_ndjson(tmp_path / "p*.ndjson", columns=["a"]).to_arrow()["a"].to_pylist() == [1, None, 2]


def test_columns_of_a_reader_are_kept_in_their_order(datasets):
    frame = sf.read_parquet(datasets / "flights.parquet", columns=["dest", "origin"])
    assert frame.head(1).columns.tolist() == ["dest", "origin"]


def test_filters_of_pandas_are_understood(datasets):
    frame = sf.read_parquet(datasets / "flights.parquet", filters=[("month", "==", 1), ("dest", "==", "ATL")])
    expected = pq.read_table(datasets / "flights.parquet", filters=[("month", "==", 1), ("dest", "==", "ATL")])
    assert frame.count() == expected.num_rows > 0


def test_row_groups_that_cannot_match_are_not_read(datasets):
    path = datasets / "flights.parquet"
    groups = pq.ParquetFile(path).metadata.num_row_groups
    frame = sf.read_parquet(path).filter(sf.col("month") == 12)
    with frame.iter_batches() as some, sf.read_parquet(path).iter_batches() as every:
        rows = sum(batch.num_rows for batch in some)
        assert sum(batch.num_rows for batch in every) > rows > 0
        assert groups > 2
        assert some.stats().bytes_read < every.stats().bytes_read / 2


def test_columns_that_nobody_needs_are_not_converted(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a,b\n" + "1,2\n" * 100_000 + "1,not a number\n")
    frame = sf.read_csv(path, dtype={"b": "int64"})
    assert frame.select("a").count() == 100_001
    with pytest.raises(sf.DecodeError):
        frame.to_arrow()


def test_a_malformed_row_is_told_with_row_offset_value_and_remedy(tmp_path):
    path = tmp_path / "fares.csv"
    good = "1,2.5\n" * 60_000
    path.write_text("id,fare\n" + good + "7,oops\n" + good)
    error = error_of(sf.read_csv(path, dtype={"fare": "float64"}).to_arrow, sf.DecodeError)
    assert (error.row, error.column) == (60_001, "fare")
    assert error.byte_offset == len("id,fare\n" + good)
    assert error.source == str(path)
    assert "cannot read 'oops' as float64" in str(error)
    assert 'dtype={"fare": "string"}' in error.hint
    assert error.step == "step 1 of 1: read_csv"


def test_a_filter_does_not_change_the_row_number_of_an_error(tmp_path):
    path = tmp_path / "fares.csv"
    path.write_text("id,fare\n" + "1,2.5\n" * 60_000 + "7,oops\n")
    frame = sf.read_csv(path, dtype={"fare": "float64"}).filter(sf.col("fare") > 3)
    assert error_of(frame.count, sf.DecodeError).row == 60_001


def test_an_http_404_is_told_without_the_query(tmp_path):
    with serve(status("404 Not Found")) as url:
        error = error_of(sf.read_csv(f"{url}/a.csv?token=secret").count, sf.SourceError)
    assert "does not exist" in str(error)
    assert "secret" not in str(error)


def test_csv_over_http_of_unknown_length_is_read_with_one_request():
    requests = []
    data = table(30_000)
    with serve(chunked(csv_bytes(data)), requests) as url:
        assert sf.read_csv(f"{url}/a.csv").to_arrow().equals(data)
    assert len(requests) == 1


def test_building_and_showing_a_plan_asks_the_server_nothing():
    requests = []
    with serve(with_length(b"a\n1\n"), requests) as url:
        frame = sf.read_csv(f"{url}/a.csv").filter(sf.col("a") > 0)
        repr(frame), frame._repr_html_(), str(frame.explain())
        assert requests == []
        assert frame.count() == 1


def test_a_body_that_ends_early_is_an_error_and_the_target_stays(tmp_path):
    body = csv_bytes(table(30_000))
    target = tmp_path / "out.parquet"
    with serve(cut_at(len(body) // 2, body)) as url:
        frame = sf.read_csv(f"{url}/a.csv", storage_options={"retries": 0})
        error = error_of(lambda: frame.to_parquet(target), sf.TruncatedError)
    assert error.byte_offset == len(body) // 2
    assert list(tmp_path.iterdir()) == []


def test_a_dropped_connection_is_resumed_and_counted(tmp_path):
    data = table(30_000)
    body = csv_bytes(data)
    with serve(in_turn(cut_at(len(body) // 2, body, 'ETag: "v1"'), page(body))) as url:
        report = sf.read_csv(f"{url}/a.csv").to_parquet(tmp_path / "out.parquet")
    assert (report.rows, report.retries) == (30_000, 1)
    assert pq.read_table(tmp_path / "out.parquet")["note"].to_pylist() == data["note"].to_pylist()


def test_a_stalled_server_is_let_go_at_once_when_the_loop_ends():
    body = csv_bytes(table(30_000))
    with serve(stalls_after(len(body) // 2, body)) as url, sf.read_csv(f"{url}/a.csv").iter_batches() as batches:
        next(batches)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("streamframe")]


def test_a_slow_consumer_stops_the_server():
    sent = [0]
    stopped = threading.Event()
    row = b"1,2,3,4,5,6,7,8\n" * 4096

    def endless(request):
        request.head("200 OK", "Content-Type: text/csv", "Transfer-Encoding: chunked")
        request.send(b"10\r\na,b,c,d,e,f,g,h\n"[:4] + b"a,b,c,d,e,f,g,h\n\r\n")
        try:
            while True:
                request.send(b"%x\r\n%b\r\n" % (len(row), row))
                sent[0] += len(row)
        except OSError:
            stopped.set()

    with serve(endless) as url, sf.options(memory="4MB"), sf.read_csv(f"{url}/a.csv").iter_batches() as batches:
        next(batches)
        while batches.stats().waiting_on != "consumer":
            assert sent[0] < 50_000_000, "the server was never slowed down"
        assert batches.stats().bytes_buffered <= 6_000_000
    assert stopped.wait(10)


def test_of_a_remote_parquet_file_only_what_is_needed_is_fetched():
    wide = pa.table({f"c{n}": pa.array(range(n, 60_000 + n)) for n in range(20)})
    body = parquet_bytes(wide, row_group_rows=10_000)
    requests = []
    with serve(page(body), requests) as url:
        frame = sf.read_parquet(f"{url}/a.parquet").filter(sf.col("c0") >= 50_000).select("c1")
        with frame.iter_batches() as batches:
            got = [value for batch in batches for value in batch["c1"].to_pylist()]
            fetched = batches.stats().bytes_read
    assert got == list(range(50_001, 60_001))
    assert fetched < len(body) / 4


def test_a_parquet_file_that_was_cut_short_is_told(tmp_path):
    path = tmp_path / "a.parquet"
    path.write_bytes(parquet_bytes(table(1000))[:-100])
    error = error_of(sf.read_parquet(path).count, sf.DecodeError)
    assert "its end is missing" in str(error)


def test_a_parquet_file_with_two_columns_of_one_name_is_told(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"]), path)
    assert "more than one column named 'a'" in str(error_of(sf.read_parquet(path).to_arrow, sf.SchemaError))


def test_a_damaged_row_group_is_told(tmp_path):
    body = bytearray(parquet_bytes(table(5000)))
    body[100:2000] = bytes(1900)
    path = tmp_path / "a.parquet"
    path.write_bytes(body)
    assert "row group" in str(error_of(sf.read_parquet(path).to_arrow, sf.DecodeError))


@pytest.mark.slow
def test_a_row_that_decodes_to_much_more_than_the_footer_says_stays_in_bounds(tmp_path):
    heavy = "x" * 200_000
    path = tmp_path / "heavy.parquet"
    pq.write_table(pa.table({"s": [heavy] * 2_000}), path)
    assert path.stat().st_size < 1_000_000
    with sf.options(memory="16MB"), sf.read_parquet(path).iter_batches() as batches:
        assert sum(batch.num_rows for batch in batches) == 2_000
        assert batches.stats().peak_bytes < 24_000_000


def test_an_open_file_is_read_from_where_it_stands_and_left_open(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"preamble\na\n1\n2\n")
    with path.open("rb") as file:
        file.readline()
        frame = sf.read_csv(file)
        assert frame.schema.names == ["a"]
        assert frame.count() == 2
        assert not file.closed


def test_any_fsspec_scheme_is_read():
    import fsspec

    with fsspec.open("memory://streamframe/a.parquet", "wb") as file:
        file.write(parquet_bytes(table(3000)))
    assert sf.read_parquet("memory://streamframe/a.parquet").to_arrow().to_pylist() == table(3000).to_pylist()
    report = sf.from_arrow(table(10)).to_csv("memory://streamframe/out.csv")
    assert report.rows == 10
    assert sf.read_csv("memory://streamframe/out.csv").count() == 10


def test_an_error_that_head_meets_is_told_like_any_other(tmp_path):
    path = tmp_path / "fares.csv"
    path.write_text("id,fare\n" + "1,2.5\n" * 60_000 + "7,oops\n")
    error = error_of(sf.read_csv(path, dtype={"fare": "float64"}).slice(60_000, 5).head, sf.DecodeError)
    assert error.row == 60_001
    (tmp_path / "few.csv").write_text("id,fare\n1,2.5\n7,oops\n")
    error = error_of(sf.read_csv(tmp_path / "few.csv", dtype={"fare": "float64"}).head, sf.DecodeError)
    assert (error.row, error.source) == (2, str(tmp_path / "few.csv"))


def test_a_date_written_as_text_spares_row_groups_as_well(datasets):
    frame = sf.read_parquet(datasets / "flights.parquet").filter(sf.col("time_hour") >= "2013-12-01")
    with frame.iter_batches() as some:
        rows = sum(batch.num_rows for batch in some)
    assert rows == frame.count() > 20_000
    assert some.stats().bytes_read < 2_000_000


@pytest.mark.parametrize(
    "condition",
    [
        lambda x: x != 1.5,
        lambda x: ~(x <= 2),
        lambda x: ~((x > 1) & (sf.col("n") > 0)),
        lambda x: x.is_in([float("nan")]),
        lambda x: ~(x.arrow < 3),
        lambda x: ~((x <= 2) & (sf.col("y") <= 2)),
        lambda x: ~(sf.col("n") < float("nan")),
        lambda x: sf.col("n") != float("nan"),
    ],
)
def test_a_row_group_with_nan_is_read_where_nan_can_match(tmp_path, condition):
    """Statistics pass over NaN: rows of it were lost, since what they say of the others could not match."""
    y = pa.array([1.5, 1.5, float("nan")], pa.float32())
    one = pa.table({"x": [1.5, float("nan"), 1.5], "y": y, "n": [1, 2, 3]})
    pq.write_table(one, tmp_path / "nan.parquet")
    wanted = sf.from_arrow(one).filter(condition(sf.col("x"))).to_arrow()["n"].to_pylist()
    found = sf.read_parquet(tmp_path / "nan.parquet").filter(condition(sf.col("x")))
    assert found.to_arrow()["n"].to_pylist() == wanted
    assert wanted


def test_a_row_group_of_floats_that_cannot_match_is_not_read(tmp_path):
    table = pa.table({"x": [float(i) for i in range(1000)], "s": [{"x": i / 2} for i in range(1000)]})
    pq.write_table(table, tmp_path / "floats.parquet", row_group_size=100)
    with sf.read_parquet(tmp_path / "floats.parquet").filter(sf.col("x") > 950).iter_batches() as some:
        assert sum(batch.num_rows for batch in some) == 49
    with sf.read_parquet(tmp_path / "floats.parquet").iter_batches() as every:
        assert sum(batch.num_rows for batch in every) == 1000
    assert some.stats().bytes_read < every.stats().bytes_read / 2


@pytest.mark.slow
def test_rows_that_grow_heavy_in_mid_file_stay_in_bounds(tmp_path):
    path = tmp_path / "skewed.parquet"
    values = ["x"] * 300 + ["y" * 100_000] * 3_000 + ["z"] * 300
    pq.write_table(pa.table({"s": values, "n": range(len(values))}), path)
    with sf.options(memory="16MB"), sf.read_parquet(path).iter_batches() as batches:
        lengths = [n for batch in batches for n in pa.compute.binary_length(batch["s"]).to_pylist()]
        assert batches.stats().peak_bytes < 40_000_000
    assert lengths == [len(value) for value in values]
    with sf.options(memory="16MB"):
        assert sf.read_parquet(path).select("n").to_arrow()["n"].to_pylist() == list(range(len(values)))
        assert sf.read_parquet(path).slice(299, 3).to_arrow()["n"].to_pylist() == [299, 300, 301]


def test_parquet_files_whose_columns_stand_in_another_order_come_in_that_of_the_first(tmp_path):
    first, second = pa.table({"a": [1, 2], "b": ["x", "y"]}), pa.table({"b": ["z"], "a": [3]})
    pq.write_table(first, tmp_path / "1.parquet")
    pq.write_table(second, tmp_path / "2.parquet")
    frame = sf.read_parquet([tmp_path / "1.parquet", tmp_path / "2.parquet"])
    assert frame.to_arrow().to_pydict() == {"a": [1, 2, 3], "b": ["x", "y", "z"]}
    assert frame.filter(sf.col("a") > 2).to_arrow().to_pydict() == {"a": [3], "b": ["z"]}


def test_many_small_parquet_files_are_read_side_by_side(tmp_path):
    """The end of a file's bytes is not the end of its blocks: those are still to be decoded."""
    for n in range(60):
        pq.write_table(pa.table({"n": [n, n]}), tmp_path / f"{n:02}.parquet")
    frame = sf.read_parquet(tmp_path / "*.parquet")
    with sf.options(workers=4):
        for _ in range(5):
            assert frame.to_arrow()["n"].to_pylist() == [n for n in range(60) for _ in range(2)]


@pytest.mark.parametrize("path", ["dir/", "dir", "s3://bucket/dir/", "dir/*", "part-00000"])
def test_a_path_without_a_suffix_is_told_the_readers_that_take_it(path):
    with pytest.raises(sf.PlanError, match="has no suffix") as caught:
        sf.read(path)
    for reader in ("read_csv", "read_ndjson", "read_lines", "read_parquet", "read_ipc", "read_orc"):
        assert reader in caught.value.hint
    assert "directories" in caught.value.hint


def test_what_takes_wrong_arguments_is_not_named_as_one_of_them():
    with pytest.raises(sf.PlanError, match="read_ndjson has no argument 'orient'") as caught:
        sf.read_ndjson("a.ndjson", orient="records")
    assert caught.value.hint is None
