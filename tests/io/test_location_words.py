"""Paths and their options that cannot work are told at the call."""

from __future__ import annotations

import pytest

import streamframe as sf
from streamframe.errors import PlanError
from streamframe.io.locations import paths


def test_a_url_that_is_none_is_told_without_its_secrets():
    with pytest.raises(PlanError, match="is not a URL") as raised:
        paths("http://[me:secret@/a.csv?token=secret")
    assert "secret" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_headers_that_are_no_dict_are_refused_without_showing_them():
    with pytest.raises(PlanError, match="headers needs a dict") as raised:
        paths("http://example.org/a.csv", {"headers": "Bearer secret"})
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("many", [iter(["a.csv"]), {"a.csv"}])
def test_paths_that_come_in_no_order_or_once_only_are_answered_with_a_list(many):
    with pytest.raises(PlanError, match=r"a list of these(.|\n)*sorted\(paths\)"):
        paths(many)


@pytest.mark.parametrize("path", ["a\0.csv", "folder\0/", "file:///a%00.csv"])
def test_a_path_that_no_file_has_is_told_wherever_it_is_passed(path, tmp_path):
    frame = sf.from_arrow({"a": [1]})
    for call in (sf.read_csv, frame.to_csv, lambda path: sf.copy(path, tmp_path / "b")):
        with pytest.raises(PlanError, match="holds a NUL"):
            call(path)
    with pytest.raises(PlanError, match="holds a NUL"):
        sf.copy(tmp_path / "a", path)
