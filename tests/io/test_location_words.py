"""Paths and their options that cannot work are told at the call."""

from __future__ import annotations

import pytest

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
