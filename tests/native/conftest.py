"""Tests of the compiled kernels: without a compiler there are none, and Arrow reads everything."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamframe.native.kernels import library


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if library() is None:
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.skip(reason="the kernels were not built: no C compiler"))
