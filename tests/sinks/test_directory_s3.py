"""Directories on a store that speaks S3 (moto), by s3fs."""

from __future__ import annotations

import logging

import pyarrow as pa
import pytest

import streamframe as sf
from streamframe.io.directories import open_directory
from tests.contract.parts import table

moto = pytest.importorskip("moto.server", reason="moto[server] and s3fs are not installed")
boto3 = pytest.importorskip("boto3")
pytest.importorskip("s3fs")
pytestmark = pytest.mark.slow

KEY, SECRET = "AKIAGEHEIMKEY", "geheim-secret"


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
        "s3", endpoint_url=server, region_name="us-east-1", aws_access_key_id=KEY, aws_secret_access_key=SECRET
    )
    client.create_bucket(Bucket="rows")
    yield client
    for one in client.list_objects_v2(Bucket="rows").get("Contents", []):
        client.delete_object(Bucket="rows", Key=one["Key"])
    client.delete_bucket(Bucket="rows")


@pytest.fixture
def options(server):
    return {"key": KEY, "secret": SECRET, "endpoint_url": server}


def keys(client) -> list[str]:
    return [one["Key"] for one in client.list_objects_v2(Bucket="rows").get("Contents", [])]


def test_nothing_is_there_before_the_end_and_then_all_of_it(bucket, options):
    seen = []

    def looks(batch):
        seen.append(keys(bucket))
        return batch

    frame = sf.from_arrow(table()).rebatch(rows=500).map_batches(looks)
    report = frame.to_parquet("s3://rows/out/", partition_by="late", max_rows_per_file=700, storage_options=options)
    assert set(map(tuple, seen)) == {()}
    assert keys(bucket) == sorted(
        ["out/_streamframe.json", *(file.removeprefix("s3://rows/") for file in report.files)]
    )
    rows = sf.read_parquet("s3://rows/out/", storage_options=options).select("id").to_arrow()
    assert sorted(rows["id"].to_pylist()) == list(range(5000))


def test_append_keeps_and_overwrite_removes_what_was_there(bucket, options):
    frame = sf.from_arrow(table(100))
    frame.to_csv("s3://rows/out/", storage_options=options)
    frame.to_csv("s3://rows/out/", mode="append", storage_options=options)
    assert keys(bucket) == ["out/_streamframe.json", "out/part-00000.csv", "out/part-00001.csv"]
    frame.to_csv("s3://rows/out/", mode="overwrite", storage_options=options)
    assert keys(bucket) == ["out/_streamframe.json", "out/part-00002.csv"]


def test_what_fails_leaves_neither_files_nor_uploads_nor_secrets(bucket, options):
    def fails(batch):
        return batch if batch["i"][0].as_py() < 400_000 else 1 / 0

    big = pa.table({"i": range(500_000), "t": [f"{i * 7919:030d}" for i in range(500_000)]})
    frame = sf.from_arrow(big).rebatch(rows=50_000).map_batches(fails)
    with pytest.raises(ZeroDivisionError):
        frame.to_csv("s3://rows/out/", max_rows_per_file=200_000, storage_options=options)
    assert keys(bucket) == []
    assert not bucket.list_multipart_uploads(Bucket="rows").get("Uploads")
    with pytest.raises(sf.SinkError) as caught:
        frame.to_csv("s3://missing/out/", mode="append", storage_options=options)
    assert "geheim" not in str(caught.value)


def test_of_two_at_once_the_later_fails_before_any_of_its_files_is_there(bucket, options):
    def export(step):
        frame = sf.from_arrow(table(100)).rebatch(rows=10).map_batches(step)
        return frame.to_csv("s3://rows/out/", mode="append", storage_options=options)

    export(lambda batch: batch)
    seen = []

    def meanwhile(batch):
        seen.append(1)
        if len(seen) == 5:
            export(lambda batch: batch)
        return batch

    with pytest.raises(sf.SinkError, match="was changed by another export meanwhile"):
        export(meanwhile)
    assert keys(bucket) == ["out/_streamframe.json", "out/part-00000.csv", "out/part-00001.csv"]
    assert not bucket.list_multipart_uploads(Bucket="rows").get("Uploads")
    directory = open_directory("s3://rows/out/", mode="append", suffix=".csv", storage_options=options)
    bucket.put_object(Bucket="rows", Key="out/_streamframe.journal.json", Body=b"{}")
    with pytest.raises(sf.SinkError, match="is being written by another export"):
        directory.commit(b"{}")
    assert bucket.get_object(Bucket="rows", Key="out/_streamframe.journal.json")["Body"].read() == b"{}"
