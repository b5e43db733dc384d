"""Object stores by s3fs, against a real server that speaks S3 (moto)."""

from __future__ import annotations

import contextlib
import gzip
import io
import logging
import os
import threading
import traceback
import urllib.request

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

import streamframe as sf
from streamframe.errors import SourceChangedError, SourceError, TransportError, TruncatedError
from streamframe.io.locations import paths
from streamframe.testing import cut_at, in_turn, page, serve, stalls_after, with_length

moto = pytest.importorskip("moto.server", reason="moto[server] and s3fs are not installed")
boto3 = pytest.importorskip("boto3")
s3fs = pytest.importorskip("s3fs")
pytestmark = pytest.mark.slow

KEY, SECRET = "AKIAGEHEIMKEY", "geheim-secret"
ROWS = 50_000
# More than is fetched ahead, so that it cannot be all here when something happens to it.
TABLE = pa.table({"id": range(ROWS), "word": [f"w{n * 7919 % ROWS:0320d}" for n in range(ROWS)]})


def csv_bytes(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pyarrow.csv.write_csv(table, sink, pyarrow.csv.WriteOptions(quoting_style="none"))
    return sink.getvalue()


def parquet_bytes(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, row_group_size=ROWS // 8, compression="none", use_dictionary=False)
    return sink.getvalue()


CSV, PARQUET = csv_bytes(TABLE), parquet_bytes(TABLE)
OTHER = TABLE.set_column(0, "id", pa.array(range(ROWS)[::-1]))


def texts(error: BaseException) -> str:
    """All that a log could show of an error and of those it brings along, hidden ones too."""
    chain = [error]
    for one in chain:
        chain += [more for more in (one.__cause__, one.__context__) if more is not None and more not in chain]
    return "".join(f"{one} {one!r} {one.args}" for one in chain) + "".join(traceback.format_exception(error))


@pytest.fixture(scope="module")
def server():
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    running = moto.ThreadedMotoServer(port=0, verbose=False)
    running.start()
    _, port = running.get_host_and_port()
    yield f"http://127.0.0.1:{port}"
    running.stop()


def boto(service, server):
    secrets = {"aws_access_key_id": KEY, "aws_secret_access_key": SECRET}
    return boto3.client(service, endpoint_url=server, region_name="us-east-1", **secrets)


@pytest.fixture(scope="module")
def owner(server):
    client = boto("s3", server)
    client.create_bucket(Bucket="flights")
    yield client
    client.close()


@pytest.fixture
def client(owner):
    yield owner
    for found in owner.list_objects_v2(Bucket="flights").get("Contents", []):
        owner.delete_object(Bucket="flights", Key=found["Key"])


@pytest.fixture
def bucket(client):
    return lambda key, body: client.put_object(Bucket="flights", Key=key, Body=body)


@pytest.fixture
def options(server):
    return {"key": KEY, "secret": SECRET, "endpoint_url": server}


@pytest.fixture
def fault_options():
    """For a fault server that plays S3: of a GET and a HEAD with a path, S3 is a web server."""

    def options(url):
        return {"key": KEY, "secret": SECRET, "endpoint_url": url, "client_kwargs": {"region_name": "us-east-1"}}

    return options


@pytest.mark.parametrize("path", ["day/*.csv.gz", ["day/1.csv.gz", "day/2.csv.gz"], "all.csv"])
def test_csv_files_are_read_in_order(bucket, options, path):
    half = len(CSV[: len(CSV) // 2].rpartition(b"\n")[0]) + 1
    header = CSV[: CSV.index(b"\n") + 1]
    bucket("day/1.csv.gz", gzip.compress(CSV[:half], 1))
    bucket("day/2.csv.gz", gzip.compress(header + CSV[half:], 1))
    bucket("all.csv", CSV)
    uris = [f"s3://flights/{key}" for key in path] if isinstance(path, list) else f"s3://flights/{path}"
    assert sf.read_csv(uris, storage_options=options).to_arrow().equals(TABLE)


def test_parquet_is_read_in_ranges_and_only_what_is_needed(bucket, options):
    bucket("a.parquet", PARQUET)
    wanted = {"columns": ["id"], "filters": sf.col("id") < 1000, "storage_options": options}
    with sf.read_parquet("s3://flights/a.parquet", **wanted).iter_batches() as batches:
        assert pa.Table.from_batches(list(batches)).equals(TABLE.select(["id"]).slice(0, 1000))
        assert batches.stats().bytes_read < len(PARQUET) / 20


@pytest.mark.parametrize("path", ["s3://flights/none.csv", "s3://nowhere/a.csv", "s3://flights/none-*.csv"])
def test_what_is_missing_is_told_without_a_secret(bucket, options, path):
    with pytest.raises(SourceError) as caught:
        sf.read_csv(path, storage_options=options).count()
    assert KEY not in texts(caught.value)
    assert SECRET not in texts(caught.value)


@pytest.mark.parametrize("who", ["a stranger", "a user without rights"])
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_who_may_not_read_is_told_so_without_a_secret(server, bucket, options, kind, who):
    bucket(f"a.{kind}", b"a\n1\n")
    if who == "a user without rights":
        iam = boto("iam", server)
        iam.create_user(UserName=f"me-{kind}")
        made = iam.create_access_key(UserName=f"me-{kind}")["AccessKey"]
        options |= {"key": made["AccessKeyId"], "secret": made["SecretAccessKey"]}
        iam.close()
    with checking_credentials(server), pytest.raises(SourceError, match="may not be read") as caught:
        sf.read(f"s3://flights/a.{kind}", storage_options=options).count()
    assert "storage_options" in caught.value.hint
    assert options["key"] not in texts(caught.value)
    assert options["secret"] not in texts(caught.value)


@contextlib.contextmanager
def checking_credentials(server):
    """Moto takes any credentials, until it is told after how many requests to stop that."""

    def check_after(requests):
        told = urllib.request.Request(f"{server}/moto-api/reset-auth", requests, {"Content-Type": "text/plain"})
        urllib.request.urlopen(told).close()

    check_after(b"0")
    try:
        yield
    finally:
        check_after(b"inf")


@pytest.mark.parametrize(("kind", "write"), [("csv", csv_bytes), ("parquet", parquet_bytes)])
def test_an_object_that_is_replaced_in_the_middle_is_noticed(bucket, options, kind, write):
    bucket(f"a.{kind}", write(TABLE))
    with sf.options(memory="1MB"):
        batches = sf.read(f"s3://flights/a.{kind}", storage_options=options).iter_batches()
    with batches, pytest.raises(SourceChangedError):
        next(batches)
        bucket(f"a.{kind}", write(OTHER))
        list(batches)


def test_a_second_run_sees_the_objects_of_its_own_time(bucket, options):
    frame = sf.read_csv("s3://flights/*.csv", storage_options=options)
    bucket("1.csv", b"a\n1\n")
    assert frame.to_arrow()["a"].to_pylist() == [1]
    s3fs.S3FileSystem(**options).ls("flights")  # remembered by the filesystem, which fsspec remembers
    bucket("1.csv", b"a\n23\n")
    bucket("2.csv", b"a\n4\n")
    assert frame.to_arrow()["a"].to_pylist() == [23, 4]


def test_a_transfer_that_breaks_off_goes_on_where_it_was(fault_options):
    cut = cut_at(70_000, CSV, 'ETag: "v1"', ranges=True)
    requests = []
    with serve(in_turn(page(CSV), cut, page(CSV)), requests) as url:
        batches = sf.read_csv("s3://flights/a.csv", storage_options=fault_options(url)).iter_batches()
        with batches:
            assert pa.Table.from_batches(list(batches)).equals(TABLE)
            assert batches.stats().retries == 1
    assert {request.headers.get("if-match") for request in requests[1:]} == {'"v1"'}


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (cut_at(0, CSV, 'ETag: "v1"', ranges=True), TruncatedError),
        (with_length(CSV, 'ETag: "v1"'), TransportError),
        (page(csv_bytes(OTHER), etag='"v2"', check_if_match=False), SourceChangedError),
        (page(CSV[:1000], check_if_match=False), TransportError),
    ],
)
def test_a_store_that_lies_is_a_typed_error(monkeypatch, fault_options, answer, kind):
    monkeypatch.setattr(s3fs.S3FileSystem, "retries", 1)  # its waits are long
    with serve(in_turn(page(CSV), answer)) as url, pytest.raises(kind) as caught:
        options = fault_options(url)
        sf.read_csv("s3://flights/a.csv", storage_options=options).count()
    assert caught.value.byte_offset == 0
    assert SECRET not in texts(caught.value)


@pytest.mark.parametrize("kind", ["stream", "ranges"])
def test_close_frees_a_read_that_waits_for_the_store(fault_options, kind):
    reached, failed = threading.Event(), []

    def stalls(request):
        reached.set()
        stalls_after(100, CSV, 'ETag: "v1"', ranges=True)(request)

    with serve(in_turn(page(CSV), stalls)) as url:
        location = paths("s3://flights/a.csv", fault_options(url)).given[0]
        file = location.open_stream() if kind == "stream" else location.open_ranged()

        def read():
            try:
                file.read_up_to(1000) if kind == "stream" else file.read_range(0, 1000)
            except SourceError as error:
                failed.append(error)

        reader = threading.Thread(target=read)
        reader.start()
        assert reached.wait(10)
        file.close()
        reader.join(5)
    assert "closed" in str(failed)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_an_export_that_fails_leaves_the_object_as_it_was_and_no_upload(client, bucket, options, suffix):
    bucket(f"out.{suffix}", b"old")
    under_way = []

    def breaks(batch):
        if batch["id"][-1].as_py() < 0:
            under_way.extend(client.list_multipart_uploads(Bucket="flights").get("Uploads", []))
            raise RuntimeError("a bug of the user's")
        return batch

    last = TABLE.slice(0, 1).set_column(0, "id", pa.array([-1]))
    frame = sf.from_arrow(pa.concat_tables([TABLE, TABLE, last])).map_batches(breaks)
    export = {"csv": frame.to_csv, "parquet": frame.to_parquet}[suffix]
    # With more memory, all rows might be encoded before any is sent.
    with sf.options(memory="8MB"), pytest.raises(RuntimeError, match="bug"):
        export(f"s3://flights/out.{suffix}", storage_options=options)
    assert len(under_way) == (suffix == "csv")  # as Parquet all of it fits into one part
    assert client.get_object(Bucket="flights", Key=f"out.{suffix}")["Body"].read() == b"old"
    assert "Uploads" not in client.list_multipart_uploads(Bucket="flights")


def test_a_bucket_is_no_object_to_write(options):
    with pytest.raises(sf.SinkError, match=r"cannot be opened: (.|\n)*name an object below it"):
        sf.from_arrow(TABLE.slice(0, 1)).to_csv("s3://flights", storage_options=options)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_an_export_comes_back(bucket, options, suffix):
    uri = f"s3://flights/out.{suffix}"
    frame = sf.from_arrow(TABLE)
    {"csv": frame.to_csv, "parquet": frame.to_parquet}[suffix](uri, storage_options=options)
    assert sf.read(uri, storage_options=options).to_arrow().equals(TABLE)


def test_the_middle_of_an_object_is_entered_without_its_start(bucket, options):
    body = os.urandom(9_000_000)
    bucket("middle.bin", body)
    with paths("s3://flights/middle.bin", options).given[0].open_stream() as stream:
        assert stream.read_up_to(10) == body[:10]
        stream.skip_to(8_500_000)
        assert stream.read_up_to(len(body)) == body[8_500_000:]
        assert "ETag" in stream.version
