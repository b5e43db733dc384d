"""Times with a zone are written as Arrow writes them."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamframe.formats.csv.zoned import zoned_text

CENTURIES_S = 200 * 366 * 24 * 3600


@pytest.mark.slow
@pytest.mark.parametrize(
    "zone", ["UTC", "+00:00", "-03:30", "America/New_York", "Australia/Lord_Howe", "Europe/London"]
)
@given(st.lists(st.none() | st.integers(-CENTURIES_S, CENTURIES_S)), st.sampled_from(["s", "ms", "us", "ns"]))
def test_the_text_is_that_of_arrows_own_slower_cast(zone, seconds, unit):
    """Through summer times, and the odd offsets before there were zones."""
    times = pa.array(seconds, pa.timestamp("s")).cast(pa.timestamp(unit)).cast(pa.timestamp(unit, zone))
    assert zoned_text(times).to_pylist() == times.cast(pa.string()).to_pylist()
