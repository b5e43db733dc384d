"""Warnings show the line of the user's that they are about."""

from __future__ import annotations

import subprocess
import sys
import warnings

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import streamframe as sf


@pytest.mark.parametrize("use", [lambda frame: frame.schema, lambda frame: frame.head(), list])
def test_a_warning_shows_the_line_that_has_called(tmp_path, use):
    (tmp_path / "rows.csv").write_text("a,a,\n1,2,3\n")
    frame = sf.read_csv(tmp_path / "rows.csv")
    with pytest.warns(UserWarning, match=r"the header line of .*rows.csv repeats names") as caught:
        use(frame)
    assert [each.filename for each in caught] == [__file__]


def test_a_warning_of_a_thread_of_ours_is_shown_as_well(tmp_path):
    """Of the second file, the reader tells, which no line of the user's has called."""
    pq.write_table(pa.table({"a": [1]}), tmp_path / "0.parquet")
    pq.write_table(pa.table({"a": [1], "b": [2]}), tmp_path / "1.parquet")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        list(sf.read_parquet(tmp_path / "*.parquet"))
    assert ["has a column 'b'" in str(each.message) for each in caught] == [True]


def test_in_a_script_the_line_itself_is_printed(tmp_path):
    (tmp_path / "rows.csv").write_text("a,a\n1,2\n")
    (tmp_path / "script.py").write_text("import streamframe as sf\n\nsf.read_csv('rows.csv').head()  # here\n")
    run = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "script.py:3: UserWarning: the header line of" in run.stderr
    assert ".head()  # here" in run.stderr
