"""The examples in docstrings run, and show what they say."""

import doctest
import importlib
import pkgutil

import pytest

import streamframe

MODULES = [name for _, name, _ in pkgutil.walk_packages(streamframe.__path__, "streamframe.")]


@pytest.mark.slow
@pytest.mark.parametrize("name", MODULES)
def test_examples_show_what_they_say(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    assert found.failed == 0


def test_there_are_examples_to_run():
    finder = doctest.DocTestFinder()
    modules = [importlib.import_module(name) for name in MODULES]
    assert sum(len(test.examples) for module in modules for test in finder.find(module)) > 30
