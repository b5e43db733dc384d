"""Object stores by s3fs, against a real server that speaks S3 (moto)."""

from __future__ import annotations

import gzip
import io
import logging
import traceback

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import streamframe as sf
from streamframe.errors import SourceChangedError, SourceError

moto = pytest.importorskip("moto.server", reason="moto[server] and s3fs are not installed")
boto3 = pytest.importorskip("boto3")
pytest.importorskip("s3fs")

KEY, SECRET = "AKIAGEHEIMKEY", "geheim-secret"
TABLE = pa.table({"id": range(400_000), "word": [f"w{n * 7919 % 400_000}" for n in range(400_000)]})
CSV = TABLE.to_pandas().to_csv(index=False).encode()


def parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, row_group_size=50_000, compression="none", use_dictionary=False)
    return sink.getvalue()


@pytest.fixture(scope="module")
def server():
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    running = moto.ThreadedMotoServer(port=0, verbose=False)
    running.start()
    _, port = running.get_host_and_port()
    yield f"http://127.0.0.1:{port}"
    running.stop()


@pytest.fixture
def bucket(server):
    client = boto3.client(
        "s3", endpoint_url=server, aws_access_key_id=KEY, aws_secret_access_key=SECRET, region_name="us-east-1"
    )
    client.create_bucket(Bucket="flights")
    yield lambda key, body: client.put_object(Bucket="flights", Key=key, Body=body)
    for found in client.list_objects_v2(Bucket="flights").get("Contents", []):
        client.delete_object(Bucket="flights", Key=found["Key"])
    client.delete_bucket(Bucket="flights")
    client.close()


@pytest.fixture
def options(server):
    return {"key": KEY, "secret": SECRET, "endpoint_url": server, "skip_instance_cache": True}


def test_csv_files_of_a_glob_are_read_in_order(bucket, options):
    half = len(CSV[: len(CSV) // 2].rpartition(b"\n")[0]) + 1
    header = CSV[: CSV.index(b"\n") + 1]
    bucket("day/1.csv.gz", gzip.compress(CSV[:half], 1))
    bucket("day/2.csv.gz", gzip.compress(header + CSV[half:], 1))
    assert sf.read_csv("s3://flights/day/*.csv.gz", storage_options=options).to_arrow().equals(TABLE)


def test_parquet_is_read_in_ranges(bucket, options):
    body = parquet(TABLE)
    bucket("a.parquet", body)
    frame = sf.read_parquet("s3://flights/a.parquet", columns=["id"], storage_options=options)
    with frame.filter(sf.col("id") < 1000).iter_batches() as batches:
        assert sum(batch.num_rows for batch in batches) == 1000
        assert batches.stats().bytes_read < len(body) / 4


@pytest.mark.parametrize("path", ["s3://flights/none.csv", "s3://nowhere/a.csv", "s3://flights/none-*.csv"])
def test_what_is_missing_is_told_without_a_secret(bucket, options, path):
    with pytest.raises(SourceError) as caught:
        sf.read_csv(path, storage_options=options).count()
    told = "".join(traceback.format_exception(caught.value))
    assert KEY not in told
    assert SECRET not in told


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_an_object_that_is_replaced_in_the_middle_is_noticed(bucket, options, kind):
    write = {"csv": lambda table: table.to_pandas().to_csv(index=False).encode(), "parquet": parquet}[kind]
    bucket(f"a.{kind}", write(TABLE))
    with sf.options(memory="1MB"):  # so that it cannot be all here before
        batches = sf.read(f"s3://flights/a.{kind}", storage_options=options).iter_batches()
    with batches, pytest.raises(SourceChangedError):
        next(batches)
        bucket(f"a.{kind}", write(TABLE.set_column(0, "id", pa.array(range(400_000)[::-1]))))
        list(batches)


def test_an_export_that_fails_leaves_the_object_as_it_was(bucket, options):
    bucket("out.csv", b"old")

    def breaks(batch):
        raise RuntimeError("a bug of the user's")

    with pytest.raises(RuntimeError, match="bug"):
        sf.from_arrow(TABLE).map_batches(breaks).to_csv("s3://flights/out.csv", storage_options=options)
    assert sf.read_csv("s3://flights/out.csv", header=False, storage_options=options).to_arrow().to_pylist() == [
        {"f0": "old"}
    ]


def test_an_export_comes_back(bucket, options):
    sf.from_arrow(TABLE).to_parquet("s3://flights/out.parquet", storage_options=options)
    assert sf.read_parquet("s3://flights/out.parquet", storage_options=options).to_arrow().equals(TABLE)
