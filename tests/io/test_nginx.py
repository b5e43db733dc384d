"""What nginx does to a transfer, in health and in trouble."""

from __future__ import annotations

import gzip
import os
import signal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import streamframe as sf
from streamframe.errors import SourceChangedError, SourceError, StreamError
from streamframe.io.ranged import RangeIgnoredWarning
from tests.io.nginx import PROGRAM, Nginx

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PROGRAM is None, reason="nginx is not installed (see .ci/system-packages)"),
]

ROWS = 200_000


@pytest.fixture(scope="module")
def table():
    return pa.table(
        {"id": range(ROWS), "word": [f"w{n * 7919 % ROWS}" for n in range(ROWS)], "x": [n / 8 for n in range(ROWS)]}
    )


@pytest.fixture(scope="module")
def csv(table):
    return table.to_pandas().to_csv(index=False).encode()


@pytest.fixture
def files(tmp_path, csv, table):
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "a.csv").write_bytes(csv)
    (folder / "a.csv.gz").write_bytes(gzip.compress(csv, 1))
    pq.write_table(table, folder / "a.parquet", row_group_size=ROWS // 4, compression="none", use_dictionary=False)
    return folder


@pytest.fixture
def nginx(tmp_path, files):
    with Nginx(tmp_path, files) as server:
        yield server


@pytest.mark.parametrize(
    ("path", "options", "completeness"),
    [
        ("plain/a.csv", {}, "verified"),
        ("chunked/a.csv", {}, "unknown"),
        ("gzip/a.csv", {}, "verified"),
        ("gzip/a.csv", {"headers": {"Accept-Encoding": "gzip"}}, "unknown"),
        ("plain/a.csv.gz", {}, "verified"),
        ("labelled/a.csv.gz", {}, "verified"),
        ("packed/a.csv", {}, "verified"),
        ("moved/a.csv", {}, "verified"),
        ("private/a.csv", {"auth": ("me", "geheim")}, "verified"),
    ],
)
def test_every_way_to_serve_a_csv_gives_its_rows(nginx, table, path, options, completeness):
    frame = sf.read_csv(f"{nginx.url}/{path}", storage_options=options)
    with frame.iter_batches() as batches:
        assert pa.Table.from_batches(list(batches)).equals(table)
        assert batches.stats().completeness == completeness


def test_a_user_in_the_url_is_let_in_and_never_shown(nginx, table):
    url = nginx.url.replace("://", "://me:geheim@")
    frame = sf.read_csv(f"{url}/private/a.csv")
    assert frame.to_arrow().equals(table)
    assert "geheim" not in f"{frame!r}{frame.explain()}{frame._repr_html_()}"


def test_one_connection_serves_one_file_after_another(nginx):
    assert sf.read_csv([f"{nginx.url}/plain/a.csv"] * 3).count() == 3 * ROWS
    nginx.stop()  # writes the log
    assert len({line.split()[-1] for line in nginx.log()}) == 1


def test_the_first_batch_comes_before_most_of_the_file_was_sent(nginx, csv):
    with sf.read_csv(f"{nginx.url}/slow/a.csv").iter_batches() as batches:
        assert next(batches).num_rows
    nginx.stop(signal.SIGQUIT)  # which lets it write the log
    assert int(nginx.log()[0].split()[3]) < len(csv) / 2


def test_parquet_is_read_in_ranges_and_only_what_is_needed(nginx, table, files):
    frame = sf.read_parquet(f"{nginx.url}/plain/a.parquet", columns=["id"]).filter(sf.col("id") < 1000)
    assert frame.to_arrow().equals(table.select(["id"]).slice(0, 1000))
    nginx.stop()  # writes the log
    sent = sum(int(line.split()[3]) for line in nginx.log())
    assert all('"bytes=' in line for line in nginx.log())
    assert sent < (files / "a.parquet").stat().st_size / 4


def test_parquet_without_ranges_is_read_whole_with_a_warning(nginx, table):
    with pytest.warns(RangeIgnoredWarning):
        assert sf.read_parquet(f"{nginx.url}/whole/a.parquet").to_arrow().equals(table)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
def test_a_restart_in_the_middle_loses_nothing(nginx, table, number, name):
    with sf.read_csv(f"{nginx.url}/slow/{name}").iter_batches() as batches:
        found = [next(batches)]
        nginx.stop(number)
        nginx.start()
        found += list(batches)
        assert batches.stats().retries >= 1
    assert pa.Table.from_batches(found).equals(table)


def test_a_file_that_is_replaced_in_the_middle_is_noticed(nginx, files, csv):
    batches = sf.read_csv(f"{nginx.url}/slow/a.csv").iter_batches()
    with batches, pytest.raises(SourceChangedError) as caught:
        next(batches)
        nginx.stop()
        (files / "new").write_bytes(csv.replace(b"w", b"v"))
        os.utime(files / "new", (1, 1))
        (files / "new").rename(files / "a.csv")
        nginx.start()
        list(batches)
    assert 0 < caught.value.byte_offset < len(csv)


def test_a_file_that_is_cut_on_disk_in_the_middle_is_noticed(nginx, files, csv):
    batches = sf.read_csv(f"{nginx.url}/slow/a.csv").iter_batches()
    with batches, pytest.raises(SourceChangedError) as caught:
        next(batches)
        os.truncate(files / "a.csv", 1 << 19)
        list(batches)
    assert 0 < caught.value.byte_offset < len(csv)


@pytest.mark.parametrize(("path", "word"), [("plain/b.csv", "exist"), ("private/a.csv", "401"), ("plain/", "403")])
def test_a_refusal_is_a_typed_error(nginx, path, word):
    with pytest.raises(SourceError, match=word):
        sf.read_csv(f"{nginx.url}/{path}").count()


def test_a_busy_server_is_given_up_without_a_secret(nginx):
    url = nginx.url.replace("://", "://me:geheim@")
    with pytest.raises(StreamError, match="503") as caught:
        sf.read_csv(f"{url}/busy/a.csv", storage_options={"retries": 1}).count()
    assert "geheim" not in str(caught.value)


def test_the_log_that_it_writes_of_us_can_be_read(nginx, tmp_path):
    sf.read_csv(f"{nginx.url}/plain/a.csv?a=%22b%22").count()
    sf.read_csv(f"{nginx.url}/private/a.csv", storage_options={"auth": ("me", "geheim")}).count()
    nginx.stop()
    log = sf.read_lines(tmp_path / "combined.log").extract(sf.patterns.COMBINED_LOG).to_arrow().to_pylist()
    assert log[0]["request"] == "GET /plain/a.csv?a=%22b%22 HTTP/1.1"
    assert {(one["host"], one["status"], one["user"]) for one in log} >= {
        ("127.0.0.1", 200, "-"),
        ("127.0.0.1", 200, "me"),
    }
    assert all(one["user_agent"].startswith("streamframe") and one["bytes"] > 0 for one in log)
