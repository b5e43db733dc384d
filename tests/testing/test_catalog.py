"""Each fault of the public server is what its name says, to the byte, as curl sees it."""

from __future__ import annotations

import pytest

from streamframe.testing import FAULTS, serve
from tests.testing.curl import curl, needs_curl

pytestmark = [pytest.mark.slow, needs_curl]

BODY = b"".join(b"%06d,%08d\n" % (n, n * 7) for n in range(500))
ALL, HALF = len(BODY), len(BODY) // 2
LINE = BODY.index(b"\n", HALF) + 1  # half, and the rest of a record, so that nothing looks amiss
SOME = range(ALL + 1)  # a reset may take away what curl has not read

# What curl exits with (man curl, EXIT CODES), and how many bytes of the body it got.
# With 0 it takes them for good: that is what many a fault is about.
FIRST = {
    "hangs up before the answer": (52, 0),
    "hangs up within the header": (0, 0),
    "does not speak HTTP": (1, 0),
    "resets before the answer": (56, 0),
    "never answers": (28, 0),
    "hangs up behind the header": (18, 0),
    "hangs up in the middle": (18, HALF),
    "hangs up a byte before the end": (18, ALL - 1),
    "hangs up within a chunk": (18, HALF + 1),
    "hangs up between chunks": (18, HALF),
    "hangs up before the last chunk": (18, ALL),
    "resets in the middle": (56, SOME),
    "resets in the middle, length unknown": (56, SOME),
    "stalls in the middle": (28, HALF),
    "drips": (0, ALL),
    "ends early with a last chunk": (0, LINE),
    "tells no length and hangs up in the middle": (0, LINE),
    "tells no length and hangs up at the end": (0, ALL),
    "sends less than announced": (18, ALL),
    "sends more than announced": (0, HALF),
    "announces a length that is no number": (8, 0),
    "announces a chunk that is no number": (56, HALF),
    "sends 200 KB of header": (27, 0),
    "sends a part that nobody asked for": (0, ALL - 7),
    "says 404": (22, 0),
    "says 403": (22, 0),
    "says 429 with Retry-After": (22, 0),
    "says 503 with Retry-After": (22, 0),
    "says 500": (22, 0),
    "says 204": (0, 0),
    "sends an empty body": (0, 0),
    "shows a login page": (0, 93),
    "shows a login page and calls it data": (0, 93),
    "redirects to itself": (47, 0),
    "redirects to ftp": (1, 0),
    "redirects to another host": (0, ALL),
    "compresses unasked": (0, SOME),
    "compresses unasked and cuts that": (0, ALL // 10),
    "uses an unknown coding": (0, ALL),
    "sends chunks": (0, ALL),
}

# Those that break off in the middle, and do what they are called when the rest is asked for.
# curl looks at no version, so with 0 it has put two of them together.
REST = {
    "ignores ranges": (33, 0),
    "lies in Content-Range": (33, 0),
    "leaves out Content-Range": (33, 0),
    "says that there is no such range": (22, 0),
    "is replaced in the middle": (0, ALL - HALF),
    "is replaced in the middle, without ETag": (0, ALL - HALF),
    "grows in the middle": (0, ALL - HALF + 100),
    "is deleted in the middle": (22, 0),
    "says 503 in the middle": (22, 0),
}

# What HTTP forbids, and curl takes in one version and refuses in the next.
BY_VERSION = {"announces two lengths", "announces a length and chunks"}


def test_every_fault_is_held_against_curl():
    assert {*FIRST, *REST, *BY_VERSION} == set(FAULTS)


@pytest.mark.parametrize("name", FIRST)
def test_curl_sees_the_fault(name):
    code, count = FIRST[name]
    with serve(FAULTS[name].stays(BODY)) as url:
        seen = curl(url, "--proto-redir", "=http,https", patience_s=0.5 if code == 28 else 20)
    assert seen.returncode == code
    assert len(seen.stdout) in (count if isinstance(count, range) else (count,))


@pytest.mark.parametrize("name", REST)
def test_curl_sees_the_fault_when_it_asks_for_the_rest(name):
    code, count = REST[name]
    with serve(FAULTS[name].stays(BODY)) as url:
        first = curl(url)
        assert (first.returncode, first.stdout) == (18, BODY[:HALF])
        rest = curl(url, "-C", str(HALF))
    assert (rest.returncode, len(rest.stdout)) == (code, count)
    assert rest.stdout != BODY[HALF:]


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_that_passes_leaves_a_server_that_does_all_right(name):
    with serve(FAULTS[name].passes(BODY)) as url:
        for _ in FAULTS[name].answers(BODY):
            curl(url, "--proto-redir", "=http,https", patience_s=0.3)
        assert curl(url).stdout == BODY
