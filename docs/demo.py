"""The main job, end to end: a CSV over HTTP, of unknown length, to Parquet, in bounded memory.

A real HTTP server on loopback, in a process of its own, sends the flights of 2013 again and again
with chunked transfer encoding. streamframe reads them, filters, adds a column, writes Parquet, and
iterates DataFrames over the result.
"""

from __future__ import annotations

import argparse
import http.server
import io
import multiprocessing
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

import pyarrow.csv
import pyarrow.parquet as pq

import streamframe as sf

FLIGHTS = Path(__file__).parent.parent / "datasets" / "flights.parquet"


def csv_of(path: Path) -> tuple[bytes, bytes]:
    """Return the header line and the rows of a Parquet file, as CSV."""
    text = io.BytesIO()
    pyarrow.csv.write_csv(pq.read_table(path), text)
    header, _, rows = text.getvalue().partition(b"\n")
    return header + b"\n", rows


def serve(replays: int, address: Connection) -> None:
    """Serve the flights, `replays` times over, in chunks and without a Content-Length."""
    header, rows = csv_of(FLIGHTS)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/csv")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self._chunk(header)
            for _ in range(replays):
                for start in range(0, len(rows), 1 << 20):
                    self._chunk(rows[start : start + (1 << 20)])
            self.wfile.write(b"0\r\n\r\n")

        def _chunk(self, data: bytes) -> None:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))

        def log_message(self, *args: object) -> None:
            """Say nothing: the demo's output is for people."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        address.send(f"http://127.0.0.1:{server.server_port}/flights.csv")
        server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replays", type=int, default=8, help="how often the year is sent (each about 34 MB)")
    parser.add_argument("--memory", default="64MB", help="the bytes that the run may hold")
    arguments = parser.parse_args()

    receiver, sender = multiprocessing.Pipe(duplex=False)
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(arguments.replays, sender), daemon=True)
    server.start()
    url = receiver.recv()
    try:
        run(url, arguments.memory)
    finally:
        server.terminate()
        server.join()


def run(url: str, memory: str) -> None:
    with tempfile.TemporaryDirectory() as folder, sf.options(memory=memory):
        flights = sf.read_csv(url)
        late = flights.filter(sf.col("dep_delay") > 30).with_columns(
            made_up=sf.col("dep_delay") - sf.col("arr_delay"),
        )
        print("A server sends CSV in chunks, without saying how much. The plan, before a byte is read:\n")
        print(late, "\n")

        target = Path(folder) / "late.parquet"
        report = late.to_parquet(target)
        print("Exported, in one pass:\n")
        print(report, "\n")

        print("The Parquet file in DataFrames of 100,000 rows, each with the same dtypes:\n")
        started = time.perf_counter()
        rows = 0
        worst: tuple[str, float] = ("", 0.0)
        for chunk in sf.read_parquet(target).select("carrier", "dep_delay", "made_up").iter_pandas(chunksize=100_000):
            rows += len(chunk)
            by_carrier = chunk.groupby("carrier")["dep_delay"].mean()
            worst = max(worst, (str(by_carrier.idxmax()), float(by_carrier.max())), key=lambda pair: pair[1])
        print(f"  {rows:,} rows in {time.perf_counter() - started:.2f} s")
        print(f"  worst carrier of any chunk: {worst[0]}, {worst[1]:.0f} minutes late on average")


if __name__ == "__main__":
    main()
