"""Hundreds of drops in one download: the same bytes, and what they cost."""

from __future__ import annotations

import hashlib
import os
import random
import time

import pytest

from streamframe.io.locations import paths
from streamframe.testing import Request, hang_up, serve

SIZE = 200_000_000
DROPS = 200
BLOCK = os.urandom(1 << 20)
BODY = memoryview(BLOCK * (SIZE // len(BLOCK) + 1))[:SIZE]


def download(url: str) -> tuple[str, float, int]:
    digest = hashlib.sha256()
    start = time.perf_counter()
    with paths(url + "/a.bin").given[0].open_stream() as stream, memoryview(bytearray(1 << 20)) as buffer:
        while count := stream.read_into(buffer):
            digest.update(buffer[:count])
        return digest.hexdigest(), time.perf_counter() - start, stream.retries


@pytest.mark.soak
def test_two_hundred_drops_change_no_byte():
    stops = sorted(random.Random(3).sample(range(1, SIZE), DROPS))

    def handle(request: Request) -> None:
        start = (request.range or (0, None))[0] or 0
        end = next((stop for stop in stops if stop > start), SIZE) if dropping else SIZE
        told = [f"Content-Length: {SIZE - start}", 'ETag: "v1"']
        if start:
            told.append(f"Content-Range: bytes {start}-{SIZE - 1}/{SIZE}")
        request.head("206 Partial Content" if start else "200 OK", *told)
        request.send(BODY[start:end])
        if end < SIZE:
            hang_up(request)

    wanted = hashlib.sha256(BODY).hexdigest()
    with serve(handle) as url:
        dropping = False
        clean = [download(url) for _ in range(3)]
        dropping = True
        dropped = [download(url) for _ in range(3)]
    assert {digest for digest, _, _ in clean + dropped} == {wanted}
    assert {retries for _, _, retries in clean} == {0}
    assert {retries for _, _, retries in dropped} == {DROPS}
    clean_s, dropped_s = (min(seconds for _, seconds, _ in runs) for runs in (clean, dropped))
    print(  # noqa: T201 - the figure is what the soak is for
        f"\n{SIZE / 1e6:.0f} MB: {clean_s:.3f} s without drops, {dropped_s:.3f} s with {DROPS}: "
        f"{(dropped_s / clean_s - 1) * 100:+.0f} %, {(dropped_s - clean_s) / DROPS * 1e3:.2f} ms a drop"
    )
