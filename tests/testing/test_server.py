"""The server that faults are made of, and its right answers: as RFC 9110 says, to curl."""

from __future__ import annotations

import os
import subprocess
import threading

import pytest

from streamframe.testing import FAULTS, page, serve
from tests.testing.curl import curl, needs_curl

pytestmark = [pytest.mark.slow, needs_curl]

BODY = b"".join(b"%06d,%08d\n" % (n, n * 7) for n in range(500))
DATE = "Wed, 21 Oct 2015 07:28:00 GMT"


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_a_page_comes_whole_and_in_part(framing):
    with serve(page(BODY, framing=framing)) as url:
        assert curl(url).stdout == BODY
        assert curl(url, "-r", "100-199").stdout == BODY[100:200]
        assert curl(url, "-r", "-10").stdout == BODY[-10:]
        assert curl(url, "-r", "100-999999").stdout == BODY[100:]
        assert curl(url, "-C", "100").stdout == BODY[100:]
        head = curl(url, "-I")
        assert (head.returncode, b"200 OK" in head.stdout) == (0, True)


@pytest.mark.parametrize(
    ("asked", "status", "told"),
    [
        ((), "200", 'ETag: "v1"'),
        (("-I",), "200", "Content-Length: 8000"),
        (("-r", "0-9"), "206", "Content-Range: bytes 0-9/8000"),
        (("-r", "-10"), "206", "Content-Range: bytes 7990-7999/8000"),
        (("-r", "8000-"), "416", "Content-Range: bytes */8000"),
        (("-r", "0-9", "-H", 'If-Range: "v1"'), "206", "Content-Length: 10"),
        (("-r", "0-9", "-H", 'If-Range: "v2"'), "200", "Content-Length: 8000"),
        (("-r", "0-9", "-H", f"If-Range: {DATE}"), "206", f"Last-Modified: {DATE}"),
        (("-r", "0-9", "-H", "If-Range: Wed, 21 Oct 2015 07:28:01 GMT"), "200", "Content-Length: 8000"),
        (("-H", 'If-Match: "v1"'), "200", "Content-Length: 8000"),
        (("-H", 'If-Match: "v2"'), "412", "Content-Length: 0"),
        (("-r", "0-9", "-H", 'If-Match: "v2"'), "412", "Content-Length: 0"),
    ],
)
def test_a_page_answers_what_it_is_asked(asked, status, told):
    with serve(page(BODY, modified=DATE)) as url:
        first, *fields = curl(url, "-D", "-", "-o", os.devnull, "--no-fail", *asked).stdout.decode().splitlines()
    assert first.split()[1] == status
    assert told in fields


def test_a_connection_is_kept():
    with serve(page(BODY)) as url:
        discard = ("-o", os.devnull)
        assert curl(url, *discard, *discard, "-w", "%{num_connects} ", url).stdout == b"1 0 "


def test_ipv6_is_served():
    with serve(page(BODY), host="::1") as url:
        assert curl(url).stdout == BODY


def test_https_is_served(tmp_path):
    trustme = pytest.importorskip("trustme", reason="is in the extra `dev`")
    import ssl

    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with serve(page(BODY), tls=context) as url:
        assert url.startswith("https://")
        assert curl(url, "--cacert", str(tmp_path / "ca.pem")).stdout == BODY
        assert curl(url).returncode == 60


@pytest.mark.parametrize("name", ["never answers", "stalls in the middle", "sends chunks"])
def test_nothing_is_left_behind(name):
    threads, files = threading.active_count(), len(os.listdir("/proc/self/fd"))
    with serve(FAULTS[name].stays(BODY)) as url:
        curl(url, patience_s=0.1)
        waiting = subprocess.Popen(["curl", "-s", "-o", os.devnull, url])
    assert waiting.wait(10) in (0, 7, 18, 52)
    assert (threading.active_count(), len(os.listdir("/proc/self/fd"))) == (threads, files)
    assert curl(url).returncode == 7


@pytest.mark.parametrize("wanted", ["bytes=0-1,5-6", "lines=0-1", "bytes=9-2", "bytes=-", "bytes=a-b"])
def test_a_range_that_makes_no_sense_is_ignored(wanted):
    with serve(page(BODY)) as url:
        assert curl(url, "-H", f"Range: {wanted}").stdout == BODY


def test_conditions_are_those_of_the_standard():
    with serve(page(BODY)) as url:
        assert curl(url, "-H", "If-Match: *").stdout == BODY
        assert curl(url, "-H", 'If-Match: "v0", "v1"').stdout == BODY
        assert b"200 OK" in curl(url, "-I", "-r", "0-9").stdout
    with serve(page(BODY, etag='W/"v1"')) as url:
        assert curl(url, "-r", "0-9", "-H", 'If-Range: W/"v1"').stdout == BODY
        assert curl(url, "-H", 'If-Match: W/"v1"').returncode == 22
