"""A body in chunks that is received directly is the same bytes, however it is chunked and cut, or a typed error."""

from __future__ import annotations

import asyncio
import os
import socket

import pytest

from streamframe.errors import SourceError
from streamframe.io.http_body import BodyProtocol, received_directly
from streamframe.io.locations import paths
from streamframe.testing import chunked, serve, with_length
from tests.io.reading import drain, read_all

BODY = os.urandom(700_000)
HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
WIRE = HEAD + b"5\r\nhello\r\n10\r\n" + b"0123456789abcdef\r\n1\r\n!\r\n0\r\nTrailer: x\r\n\r\n"
TEXT = b"hello0123456789abcdef!"


async def received(pieces: list[bytes], step: int) -> tuple[bytes, bytes, BodyProtocol]:
    """Return what is had directly, what aiohttp has behind it, and the connection."""
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    with theirs:
        _, protocol = await loop.create_connection(lambda: BodyProtocol(loop, bytearray(64)), sock=ours)
        with received_directly():
            protocol.set_response_params()
        directly = bytearray()
        target = memoryview(bytearray(step))
        for piece in pieces:
            theirs.sendall(piece)
            # The loop has looked at the socket when it has gone around twice.
            for _ in range(2):
                await asyncio.sleep(0)
            while protocol.direct and (count := await waited(protocol, target)):
                directly += target[:count]
        theirs.shutdown(socket.SHUT_WR)
        message, content = await protocol.read()
        while message.code < 200:
            message, content = await protocol.read()
        while protocol.direct and (count := await protocol.receive(target, 5)):
            directly += target[:count]
        rest = await content.read()
        protocol.close()
        return bytes(directly), rest, protocol


async def waited(protocol: BodyProtocol, target: memoryview) -> int:
    """Receive what has come; nothing is no error."""
    try:
        return await protocol.receive(target, 0)
    except TimeoutError:
        return 0


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_cut_at_any_byte_it_is_the_same_text(step):
    for cut in range(len(WIRE) + 1):
        directly, rest, _ = asyncio.run(received([WIRE[:cut], WIRE[cut:]], step))
        assert (directly, rest) == (TEXT, b""), cut


def test_what_comes_byte_by_byte_is_the_same_text():
    assert asyncio.run(received([bytes([byte]) for byte in WIRE], 5))[0] == TEXT


def test_a_chunk_that_is_written_unusually_is_left_to_aiohttp_and_so_is_what_follows():
    for head in (b"5;name=value\r\n", b"0000000000000000005\r\n"):
        wire = HEAD + b"3\r\nabc\r\n" + head + b"hello\r\n1\r\n!\r\n0\r\n\r\n"
        for cut in range(len(wire)):
            directly, rest, _ = asyncio.run(received([wire[:cut], wire[cut:]], 100))
            assert (directly, rest) == (b"abc", b"hello!"), cut


def test_an_answer_that_says_that_another_follows_is_passed_over():
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"
    assert asyncio.run(received([hints + WIRE], 100))[:2] == (TEXT, b"")


@pytest.mark.parametrize("chunk_bytes", [1, 777, 65_536, 300_000])
@pytest.mark.parametrize("step", [1000, 1 << 20])
def test_a_page_in_chunks_is_read_directly_and_whole(chunk_bytes, step):
    body = BODY[: 200 * chunk_bytes]
    with (
        serve(chunked(body, chunk_bytes=chunk_bytes)) as url,
        paths(url + "/a.csv").expand()[0]._open_raw() as stream,
    ):
        first = stream.read_up_to(1)
        # aiohttp has not had a byte of it.
        assert stream._response.content.total_bytes == 0
        assert first + drain(stream, step) == body


def test_a_page_with_a_length_is_aiohttps():
    with serve(with_length(BODY)) as url:
        assert read_all(url + "/a.csv") == BODY


@pytest.mark.parametrize(
    "frames",
    [
        b"5\r\nhelloX\r\n0\r\n\r\n",
        b"5\r\nhello5\r\nhello\r\n0\r\n\r\n",
        b"\r\n5\r\nhello\r\n0\r\n\r\n",
        b"x\r\nhello\r\n",
    ],
    ids=["longer than it says", "without its end", "with a line before it", "without a size"],
)
def test_a_wrong_frame_is_an_error(frames):
    def handle(request):
        request.head("200 OK", "Transfer-Encoding: chunked")
        request.send(frames)

    with serve(handle) as url, pytest.raises(SourceError):
        read_all(url + "/a.csv", {"retries": 0})
