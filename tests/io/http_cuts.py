"""A body of 4 KiB, cut at every byte, in four framings: never a short success.

    python -m tests.io.http_cuts [--every 1]

"length" and "chunked" are a plain CSV whose framing is cut; "gzip" and "zstd" are compressed files
that end early although HTTP says that all is well, which only the decompressor can see.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import random
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa

import streamframe as sf
from streamframe.errors import StreamError
from streamframe.testing import Handler, chunks_cut_at, cut_at, page, serve, with_length

SIZE = 4096
OPTIONS = {"retries": 0}


def _csv(size: int) -> bytes:
    """Return a CSV of that many bytes, a multiple of 16; a cut behind a line leaves one that looks complete."""
    random_ = random.Random(4)
    lines = (b"%06d,%08d\n" % (n, random_.randrange(10**8)) for n in itertools.count())
    return b"number,in_order\n" + b"".join(itertools.islice(lines, size // 16 - 1))


def _packed(pack: Callable[[bytes], bytes], pad: Callable[[int], bytes]) -> bytes:
    """Return a compressed CSV of exactly SIZE bytes."""
    size = next(size for size in range(3 * SIZE, 0, -16) if len(pack(_csv(size))) <= SIZE - 32)
    packed = pack(_csv(size))
    return pad(SIZE - len(packed)) + packed


def _empty_member(nbytes: int) -> bytes:
    # An empty gzip member has 20 bytes; its FNAME field takes the others.
    return b"\x1f\x8b\x08\x08" + bytes(4) + b"\0\xff" + b"x" * (nbytes - 21) + b"\0" + b"\x03\0" + bytes(8)


def _skippable_frame(nbytes: int) -> bytes:
    return b"\x50\x2a\x4d\x18" + (nbytes - 8).to_bytes(4, "little") + b"x" * (nbytes - 8)


GZIP = _packed(lambda data: gzip.compress(data, mtime=0), _empty_member)
ZSTD = _packed(lambda data: pa.compress(data, codec="zstd", asbytes=True), _skippable_frame)
CSV = _csv(SIZE)

# name -> (path, the whole body, what a cut at a byte is)
KINDS: dict[str, tuple[str, bytes, Callable[[int], Handler]]] = {
    "length": ("/a.csv", CSV, lambda count: cut_at(count, CSV)),
    "chunked": ("/a.csv", CSV, lambda count: chunks_cut_at(count, CSV)),
    "gzip": ("/a.csv.gz", GZIP, lambda count: with_length(GZIP[:count])),
    "zstd": ("/a.csv.zst", ZSTD, lambda count: with_length(ZSTD[:count])),
}


def outcome(kind: str, handler: Handler) -> str:
    """Read once; return "complete", or the name of the error, or "SILENT"."""
    path, _, _ = KINDS[kind]
    with serve(handler) as url:
        try:
            found = sf.read_csv(url + path, storage_options=OPTIONS).to_arrow()
        except StreamError as error:
            return type(error).__name__ if error.byte_offset is not None else "NO OFFSET"
    return "complete" if found.num_rows == rows_of(kind) else "SILENT"


def rows_of(kind: str) -> int:
    return {"gzip": gzip.decompress(GZIP), "zstd": _unzstd()}.get(kind, CSV).count(b"\n") - 1


def _unzstd() -> bytes:
    with pa.CompressedInputStream(pa.BufferReader(ZSTD), "zstd") as stream:
        return stream.read()


def sweep(every: int) -> dict[str, Counter[str]]:
    """Cut at every byte that is a multiple of `every`; count what came of it."""
    found = {}
    with ThreadPoolExecutor(8) as pool:
        for kind, (_, _, cut) in KINDS.items():
            handlers = map(cut, range(0, SIZE, every))
            found[kind] = Counter(pool.map(outcome, itertools.repeat(kind), handlers))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=1)
    found = sweep(parser.parse_args().every)
    for kind, outcomes in found.items():
        whole = outcome(kind, page(KINDS[kind][1]))
        print(f"{kind:8} {sum(outcomes.values()):5} cuts: {dict(outcomes)}; uncut: {whole}")
    total = sum(map(Counter.total, found.values()))
    silent = sum(outcomes["SILENT"] + outcomes["complete"] for outcomes in found.values())
    print(f"{total:,} cases, {silent} silent")
    return 1 if silent else 0


if __name__ == "__main__":
    sys.exit(main())
