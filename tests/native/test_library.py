"""Without kernels that can be trusted everything works as well: what is in their way is no error of the run."""

from __future__ import annotations

import shutil

import pytest

from streamframe.native import kernels

FOLDER = kernels._FOLDER


@pytest.mark.skipif(not (FOLDER / "kernels.library").exists(), reason="no kernels were built")
def test_sources_that_cannot_be_read_are_no_kernels(tmp_path, monkeypatch):
    """A disk that fails, or no file descriptor that is left, was a bare OSError in the middle of an export."""
    for file in [*FOLDER.glob("*.[ch]"), FOLDER / "kernels.library"]:
        shutil.copy(file, tmp_path)
    monkeypatch.setattr(kernels, "_FOLDER", tmp_path)
    assert kernels.library.__wrapped__() is not None
    (tmp_path / "values.h").unlink()
    (tmp_path / "values.h").mkdir()
    assert kernels.library.__wrapped__() is None
