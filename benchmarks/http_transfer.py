"""What our HTTP stream costs: beside a raw fsspec stream, under drops, and from a slow server.

    python benchmarks/http_transfer.py [throughput|drops|first-batch] [--megabytes 500] [--rounds 7]

The server is a process of its own. Rounds are interleaved, and medians are compared: what counts is
the ratio, since the machine is noisy.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import random
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

from streamframe.io.locations import paths
from streamframe.testing import Request, hang_up, serve

BLOCK = random.Random(1).randbytes(1 << 20)
READ_BYTES = 1 << 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=["all", "throughput", "drops", "first-batch"], default="all")
    parser.add_argument("--megabytes", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=7)
    # A server process: not for people.
    parser.add_argument("--serve", type=float, nargs="?", const=0.0, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve is not None:
        be_a_server(given.megabytes, bytes_per_s=given.serve)
        return
    if given.what in ("all", "throughput"):
        throughput(given.megabytes, given.rounds)
    if given.what in ("all", "drops"):
        drops(given.megabytes)
    if given.what in ("all", "first-batch"):
        first_batch(given.rounds)


def throughput(megabytes: int, rounds: int) -> None:
    """Clean connections, 1 MiB reads: ours and a raw fsspec stream."""
    print(f"\n## {megabytes} MB from loopback in 1 MiB reads, median of {rounds} rounds")
    with server(megabytes) as url:
        for framing in ("length", "chunked"):
            times: dict[str, list[float]] = {"raw fsspec": [], "streamframe": []}
            for _ in range(rounds):
                times["raw fsspec"].append(seconds(raw_fsspec, f"{url}/{framing}"))
                times["streamframe"].append(seconds(ours, f"{url}/{framing}"))
            raw, own = (statistics.median(times[name]) for name in times)
            print(
                f"{framing:8} raw fsspec {megabytes / raw:6,.0f} MB/s   streamframe {megabytes / own:6,.0f} MB/s   "
                f"ratio {raw / own:.2f} (at least 0.95)"
            )


def drops(megabytes: int, count: int = 200) -> None:
    """Random drops in one download: the same bytes, and what they cost."""
    size = megabytes << 20
    stops = sorted(random.Random(3).sample(range(1, size), count))
    wanted = hashlib.sha256()
    for _ in range(megabytes):
        wanted.update(BLOCK)

    def handle(request: Request) -> None:
        start = (request.range or (0, None))[0] or 0
        end = next((stop for stop in stops if stop > start), size) if dropping else size
        told = [f"Content-Length: {size - start}", 'ETag: "v1"']
        if start:
            told.append(f"Content-Range: bytes {start}-{size - 1}/{size}")
        request.head("206 Partial Content" if start else "200 OK", *told)
        for at in range(start, end, READ_BYTES):
            lap = at % READ_BYTES
            piece = (BLOCK[lap:] + BLOCK[:lap])[: min(READ_BYTES, end - at)]
            request.send(piece)
        if end < size:
            hang_up(request)

    print(f"\n## {megabytes} MB, {count} random drops, best of 3")
    best = {}
    with serve(handle) as url:
        for dropping in (False, True):
            taken = []
            for _ in range(3):
                digest = hashlib.sha256()
                start = time.perf_counter()
                retries = ours(url, digest.update)
                taken.append(time.perf_counter() - start)
                same = digest.hexdigest() == wanted.hexdigest()
                print(f"  {taken[-1]:.3f} s, {retries} retries, sha256 {'equal' if same else 'DIFFERS'}")
            best[dropping] = min(taken)
    print(
        f"  overhead {(best[True] / best[False] - 1) * 100:+.0f} %, "
        f"{(best[True] - best[False]) / count * 1e3:.2f} ms a drop"
    )


def first_batch(rounds: int) -> None:
    """Time to the first batch from a server that sends 20 MB/s."""
    import streamframe as sf

    print("\n## first batch of a CSV from a server at 20 MB/s")
    with server(200, bytes_per_s=20e6) as url:
        taken = []
        for _ in range(rounds):
            start = time.perf_counter()
            with sf.read_csv(f"{url}/csv").iter_batches() as batches:
                next(batches)
                taken.append(time.perf_counter() - start)
        print(f"  median {statistics.median(taken) * 1e3:.0f} ms, worst {max(taken) * 1e3:.0f} ms (at most 300)")


def ours(url: str, use: Callable[[memoryview], object] | None = None) -> int:
    with paths(url).given[0].open_stream() as stream, memoryview(bytearray(READ_BYTES)) as buffer:
        while count := stream.read_into(buffer):
            if use is not None:
                use(buffer[:count])
        return stream.retries


def raw_fsspec(url: str) -> None:
    import fsspec

    with fsspec.open(url, "rb", block_size=0) as file:
        while file.read(READ_BYTES):
            pass


def seconds(call: Callable[[str], object], url: str) -> float:
    start = time.perf_counter()
    call(url)
    return time.perf_counter() - start


@contextlib.contextmanager
def server(megabytes: int, *, bytes_per_s: float = 0.0) -> Iterator[str]:
    """Run `be_a_server` in a process of its own."""
    command = [sys.executable, __file__, "--serve", str(bytes_per_s), "--megabytes", str(megabytes)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def be_a_server(megabytes: int, *, bytes_per_s: float) -> None:
    """Answer with random bytes or a CSV, as fast as told; print the URL first."""
    rows = b"key,twice,name,third\n" + b"".join(
        b"%d,%d,name %d,%f\n" % (n, n * 7, n % 100, n / 3) for n in range(30_000)
    )
    bodies = {"csv": rows[: rows.rindex(b"\n", 0, READ_BYTES) + 1], "length": BLOCK, "chunked": BLOCK}

    def handle(request: Request) -> None:
        kind = request.path.strip("/")
        body = bodies[kind]
        chunked = kind == "chunked"
        request.head("200 OK", "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(body) * megabytes}")
        piece = (
            b"".join(b"10000\r\n%b\r\n" % body[at : at + 65536] for at in range(0, len(body), 65536))
            if chunked
            else body
        )
        step = len(piece) if not bytes_per_s else 1 << 16
        for _ in range(megabytes):
            for at in range(0, len(piece), step):
                request.send(piece[at : at + step])
                if bytes_per_s:
                    time.sleep(step / bytes_per_s)
        if chunked:
            request.send(b"0\r\n\r\n")

    with serve(handle) as url:
        print(url, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
