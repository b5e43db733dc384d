"""How long an attempt waits, from what the server says and how often it was in vain."""

from __future__ import annotations

import pytest

from streamframe.io.retry import backoff_s, retry_after_s

DATE = "Thu, 02 Jan 2020 00:00:00 GMT"


@pytest.mark.parametrize(
    ("told", "wait_s"),
    [
        ("7", 7.0),
        (" 0 ", 0.0),
        ("3600", 60.0),
        ("9" * 5000, 60.0),
        ("Thu, 02 Jan 2020 00:00:30 GMT", 30.0),
        ("Fri, 03 Jan 2020 00:00:00 GMT", 60.0),
        ("Wed, 01 Jan 2020 00:00:00 GMT", 0.0),
        ("Thu, 02 Jan 2020 00:00:30 -0000", 30.0),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("Thu, 99 Jan 99999 00:00:30 GMT", None),
        ("soon", None),
        ("", None),
    ],
)
def test_retry_after_is_read_as_it_is_meant_and_never_beyond_a_minute(told, wait_s):
    """Dates are counted on the server's clock."""
    assert retry_after_s({"Retry-After": told, "Date": DATE}) == wait_s


def test_retry_after_without_a_date_of_the_server_goes_by_our_clock():
    assert retry_after_s({"Retry-After": "Sat, 01 Jan 2000 00:00:00 GMT"}) == 0.0
    assert retry_after_s({"Retry-After": "Fri, 01 Jan 2999 00:00:00 GMT"}) == 60.0


def test_the_backoff_doubles_has_jitter_and_an_upper_end():
    for attempt, longest in [(1, 0.2), (2, 0.4), (3, 0.8), (6, 6.4), (7, 10.0), (10_000, 10.0)]:
        waits = {backoff_s(attempt) for _ in range(50)}
        assert len(waits) > 1
        assert all(longest / 2 <= wait <= longest for wait in waits)
