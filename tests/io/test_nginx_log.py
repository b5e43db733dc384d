"""The access log of a real nginx, of requests as strangers send them: each line is a row, and each row is right."""

from __future__ import annotations

import base64
import re
import socket

import pytest

import streamframe as sf
from tests.io.nginx import PROGRAM, Nginx

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PROGRAM is None, reason="nginx is not installed (see .ci/system-packages)"),
]

WORDS = [
    b"plain",
    b'says "hello" and \\ and \\\\',
    b"\xff\xfe caf\xe9",
    "Zoë 🦆".encode(),
    b"",
    b"tab\tin",
    b'" 200 5 "-" "x',
    b"\\",
    b'\\"',
    b"][",
    b"x [30/Nov/2026",
    b'x [01/Jan/2000 [] "',
    b"a" * 3_000,
    b"-",
]
# A line that begins no request, a client of TLS, and a request of the last century.
BROKEN = [(b"\r\n", 400), (b'\x16\x03\x01\x02\x00\xfc "\\ \n\n', 400), (b"GET /plain/a.csv\r\n\r\n", 200)]


@pytest.fixture
def nginx(tmp_path):
    files = tmp_path / "files"
    files.mkdir()
    (files / "a.csv").write_bytes(b"a\n1\n")
    with Nginx(tmp_path, files) as server:
        yield server


@pytest.fixture
def log(tmp_path):
    return sf.read_lines(tmp_path / "combined.log").extract(sf.patterns.COMBINED_LOG)


def send(server, data, host="127.0.0.1"):
    """Send bytes, and wait until the server has closed the connection."""
    with socket.create_connection((host, server.port), timeout=10) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        try:
            while connection.recv(65_536):
                pass
        except ConnectionResetError:
            pass  # it had not read all that was sent


def get(*headers):
    return b"\r\n".join((b"GET /plain/a.csv HTTP/1.1", b"Host: x", b"Connection: close", *headers, b"", b""))


def escaped(data):
    """Return bytes as nginx writes them into its log."""
    return re.sub(rb'["\\\x00-\x1f\x7f-\xff]', lambda found: b"\\x%02X" % found[0][0], data).decode()


def test_agents_and_referers_are_what_was_sent_whatever_is_in_them(nginx, log):
    for word in WORDS:
        send(nginx, get(b"User-Agent: " + word, b"Referer: " + word[::-1]))
    nginx.stop()
    rows = log.to_arrow().to_pylist()
    assert [row["user_agent"] for row in rows] == [escaped(word) for word in WORDS]
    assert [row["referer"] for row in rows] == [escaped(word[::-1]) for word in WORDS]
    assert {(row["user"], row["status"], row["bytes"]) for row in rows} == {("-", 200, 4)}


def test_names_of_users_are_what_was_sent_whatever_is_in_them(nginx, log):
    for word in WORDS:
        name = base64.b64encode(word + b":wrong")
        send(nginx, b"GET /private/a.csv HTTP/1.0\r\nAuthorization: Basic " + name + b"\r\n\r\n")
    nginx.stop()
    rows = log.to_arrow().to_pylist()
    # An empty name is none.
    assert [row["user"] for row in rows] == [escaped(word) or "-" for word in WORDS]
    assert {(row["request"], row["status"]) for row in rows} == {("GET /private/a.csv HTTP/1.0", 401)}


def test_what_is_hardly_a_request_and_who_comes_by_ipv6_are_rows_as_well(nginx, log):
    for data, _ in BROKEN:
        send(nginx, data)
    for host in nginx.hosts:
        send(nginx, get(), host)
    nginx.stop()
    rows = log.to_arrow().to_pylist()
    broken, whole = rows[: len(BROKEN)], rows[len(BROKEN) :]
    assert [row["status"] for row in broken] == [status for _, status in BROKEN]
    assert [row["request"] for row in broken] == ["", escaped(BROKEN[1][0][:-2]), "GET /plain/a.csv"]
    assert [row["host"] for row in whole] == nginx.hosts
    assert log.count() == len(rows)
