"""The bytes of an export, sent on as they are made."""

from __future__ import annotations

import gc
import io
import linecache
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pyarrow as pa
import pytest

import streamframe as sf

ROWS = pa.record_batch({"n": pa.array(range(1000), pa.int64()), "t": ["some text"] * 1000})
# More than the buffers of two sockets hold.
MANY = 5_000


@pytest.mark.parametrize("format", ["csv", "ndjson", "ipc", "parquet"])
def test_the_pieces_together_are_the_file(format):
    with sf.from_batches([ROWS] * 50).to_bytes(format) as pieces:
        data = b"".join(pieces)
    read = {"csv": sf.read_csv, "ndjson": sf.read_ndjson, "ipc": sf.read_ipc, "parquet": sf.read_parquet}[format]
    assert read(io.BytesIO(data)).to_arrow().to_pydict() == pa.Table.from_batches([ROWS] * 50).to_pydict()


def test_nothing_runs_before_the_first_piece_is_taken_and_little_before_the_next():
    pulled = []

    def batches():
        for number in range(MANY):
            pulled.append(number)
            yield ROWS

    pieces = sf.from_batches(batches).to_bytes("csv")
    assert pulled == []
    assert next(pieces) == b'"n","t"\n'
    next(pieces)
    assert len(pulled) < 200
    pieces.close()
    assert list(pieces) == []


def test_an_error_of_the_run_is_no_end_of_the_bytes():
    def batches():
        yield ROWS
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        b"".join(sf.from_batches(batches).to_bytes("csv"))


def test_a_format_that_is_not_known_is_refused_at_the_call():
    with pytest.raises(sf.PlanError, match="format='xml' is not known"):
        sf.from_arrow(ROWS).to_bytes("xml")


def test_what_is_dropped_ends_its_threads_without_the_collector():
    before = set(threading.enumerate())
    pieces = sf.from_batches([ROWS] * MANY).to_bytes("parquet")
    gc.disable()
    try:
        next(pieces), next(pieces)
        encoding = [each for each in set(threading.enumerate()) - before if "encode" in each.name]
        assert encoding
        del pieces
        for each in encoding:
            each.join(10)
        assert not any(each.is_alive() for each in encoding)
    finally:
        gc.enable()


def test_ctrl_c_while_a_thread_is_started_leaves_none(tmp_path):
    """The pool has not taken note of it yet, so that it does not wait for its end."""

    def trace(frame, event, arg):
        code = frame.f_code
        if (
            code.co_name != "start"
            or code.co_filename != threading.__file__
            or "encode" not in frame.f_locals["self"].name
        ):
            return None
        if event == "line" and "_started.wait" in linecache.getline(code.co_filename, frame.f_lineno):
            sys.settrace(before)
            raise KeyboardInterrupt
        return trace

    many = pa.record_batch({"n": range(500_000), "t": [f"{number} is a text" for number in range(500_000)]})
    before = sys.gettrace()
    with pytest.raises(KeyboardInterrupt):
        sys.settrace(trace)
        try:
            sf.from_arrow(many).to_csv(tmp_path / "a.csv")
        finally:
            sys.settrace(before)
    assert [thread.name for thread in threading.enumerate() if "encode" in thread.name] == []
    assert list(tmp_path.iterdir()) == []


def test_a_repr_tells_what_it_is_and_starts_nothing():
    pieces = sf.from_batches([ROWS]).to_bytes("ndjson")
    assert repr(pieces) == "<bytes of ndjson: not started>"
    assert len(list(pieces)) > 0
    assert repr(pieces) == "<bytes of ndjson: of 1,000 rows, ended>"


@pytest.mark.slow
def test_a_web_server_sends_them_and_a_client_that_leaves_stops_the_run(tmp_path):
    path = tmp_path / "a.csv"
    sf.from_batches([ROWS] * MANY).to_csv(path)
    before, stopped = set(threading.enumerate()), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            try:
                with sf.read_csv(path).to_bytes("csv") as pieces:
                    for piece in pieces:
                        self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
                self.wfile.write(b"0\r\n\r\n")
            except ConnectionError:
                stopped.set()
            self.close_connection = True

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}).start()
        try:
            url = f"http://127.0.0.1:{server.server_port}/"
            whole = subprocess.run(["curl", "-sSf", url], capture_output=True, check=True, timeout=30).stdout
            assert whole == path.read_bytes()
            with subprocess.Popen(["curl", "-sS", url], stdout=subprocess.PIPE) as client:
                assert client.stdout.read(100) == whole[:100]
                client.kill()
            assert stopped.wait(20)
        finally:
            server.shutdown()
    # The server has joined its own threads when it is closed.
    left = {thread.name for thread in set(threading.enumerate()) - before if thread.name.startswith("streamframe")}
    assert left == set()
