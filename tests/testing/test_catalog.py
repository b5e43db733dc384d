"""The public fault server, as curl sees it: each fault is what its name says."""

from __future__ import annotations

import shutil
import subprocess
import threading

import pytest

from streamframe.testing import FAULTS, page, serve

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed (see .ci/system-packages)")

BODY = b"".join(b"%06d,%08d\n" % (n, n * 7) for n in range(500))

# What curl exits with (man curl, EXIT CODES); 0: it takes the answer for good, which many a fault is for.
EXITS = {
    "hangs up before the answer": 52,
    "hangs up within the header": 0,
    "does not speak HTTP": 1,
    "resets before the answer": 56,
    "never answers": 28,
    "hangs up behind the header": 18,
    "hangs up in the middle": 18,
    "hangs up a byte before the end": 18,
    "hangs up within a chunk": 18,
    "hangs up between chunks": 18,
    "hangs up before the last chunk": 18,
    "resets in the middle": 56,
    "stalls in the middle": 28,
    "drips": 0,
    "ends early with a last chunk": 0,
    "tells no length and hangs up in the middle": 0,
    "sends less than announced": 18,
    "announces a chunk that is no number": 56,
    "says 404": 22,
    "says 503 with Retry-After": 22,
    "redirects to itself": 47,
    "redirects to another host": 0,
    "redirects to ftp": 1,
    "compresses unasked": 0,
    "sends chunks": 0,
}


def curl(url, *options):
    return subprocess.run(
        ["curl", "-s", "-f", "-L", "--max-time", "0.7", "--max-redirs", "5", *options, url],
        capture_output=True,
        check=False,
    )


@pytest.mark.parametrize("name", EXITS)
def test_curl_sees_the_fault(name):
    with serve(FAULTS[name].stays(BODY)) as url:
        assert curl(url, "--proto-redir", "=http,https").returncode == EXITS[name]


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_curl_takes_a_page_whole_in_part_and_not_at_all(framing):
    with serve(page(BODY, framing=framing)) as url:
        assert curl(url).stdout == BODY
        assert curl(url, "-r", "100-199").stdout == BODY[100:200]
        assert curl(url, "-r", "-10").stdout == BODY[-10:]
        assert curl(url, "-C", "100").stdout == BODY[100:]
        assert curl(url, "-r", "100-199", "-H", 'If-Range: "v2"').stdout == BODY
        assert curl(url, "-r", f"{len(BODY)}-").returncode == 22
        assert curl(url, "-H", 'If-Match: "v2"').returncode == 22
        head = curl(url, "-I")
        assert (head.returncode, b"200 OK" in head.stdout) == (0, True)


def test_ipv6_is_served():
    with serve(page(BODY), host="::1") as url:
        assert curl(url).stdout == BODY


def test_nothing_is_left_behind():
    before = threading.active_count()
    with serve(FAULTS["stalls in the middle"].stays(BODY)) as url:
        curl(url)
        waiting = subprocess.Popen(["curl", "-s", url], stdout=subprocess.DEVNULL)
    assert waiting.wait(10) != 0
    assert threading.active_count() == before
    assert curl(url).returncode == 7
